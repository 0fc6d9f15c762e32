package wire

import "time"

// CloseCode is why a socket was closed. 4000 to 4499 invite a reconnect, 4500
// to 4999 do not, as in the Centrifuge client protocol.
type CloseCode int

const (
	CloseNormal      CloseCode = 1000 // RFC 6455, 7.4.1
	CloseGoingAway   CloseCode = 1001
	CloseViolation   CloseCode = 1002 // against RFC 6455 itself
	CloseTooBig      CloseCode = 1009 // a frame above MaxFrame
	CloseInternal    CloseCode = 4100
	CloseOverloaded  CloseCode = 4101
	CloseSlow        CloseCode = 4102
	CloseRateLimited CloseCode = 4103
	CloseDraining    CloseCode = 4200
	CloseHeartbeat   CloseCode = 4201
	CloseExpired     CloseCode = 4203
	CloseBadToken    CloseCode = 4501
	CloseRevoked     CloseCode = 4503
	CloseVersion     CloseCode = 4504
	CloseProtocol    CloseCode = 4508
)

// Reason is the word that stands for the code in a bye and in the close frame.
func (c CloseCode) Reason() string {
	switch c {
	case CloseNormal:
		return "normal"
	case CloseGoingAway:
		return "going_away"
	case CloseViolation:
		return "websocket_violation"
	case CloseTooBig:
		return "frame_too_big"
	case CloseInternal:
		return "internal"
	case CloseOverloaded:
		return "overloaded"
	case CloseSlow:
		return "slow_consumer"
	case CloseRateLimited:
		return "rate_limited"
	case CloseDraining:
		return "draining"
	case CloseHeartbeat:
		return "heartbeat_timeout"
	case CloseExpired:
		return "token_expired"
	case CloseBadToken:
		return "bad_token"
	case CloseRevoked:
		return "revoked"
	case CloseVersion:
		return "version"
	case CloseProtocol:
		return "protocol_error"
	}
	return "other"
}

// Bye is the last frame before a close: why, and when to come back.
type Bye struct {
	Code   CloseCode
	Reason string
	Retry  time.Duration // come back after this much …
	Spread time.Duration // … plus a random part of this; both 0: do not come back unchanged
}

// ByeFor is the bye that a close with the code sends when nothing else decides
// when to return. Clients of a gateway that stops come back soon and spread out;
// those that were too much for it stay away longer.
func ByeFor(c CloseCode) Bye {
	b := Bye{Code: c, Reason: c.Reason()}
	switch c {
	case CloseInternal, CloseOverloaded, CloseSlow, CloseRateLimited:
		b.Retry, b.Spread = 2*time.Second, 8*time.Second
	case CloseDraining:
		b.Retry, b.Spread = 500*time.Millisecond, 5*time.Second
	case CloseHeartbeat, CloseExpired:
		b.Retry, b.Spread = 100*time.Millisecond, time.Second
	}
	return b
}
