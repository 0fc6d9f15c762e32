package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/gateway/wire"
)

// conn is what a session needs of its socket; *socket.Socket is one. It is never
// called while the session's mu is held: a socket may end within any call, and
// then calls Closed.
type conn interface {
	Wake()
	SetTimer(at time.Time)
	Heard() time.Time
	Close(code int, reason string)
}

// state is where a session stands. It only goes forward.
type state uint8

const (
	opening    state = iota // the handshake is under way: the socket must not be used
	awaiting                // the first frame
	connecting              // authenticated; the shard has been asked to attach
	live                    // attached: events flow
	closing                 // the bye is queued; nothing is taken any more
	closed                  // the socket is gone
	states
)

var stateNames = [states]string{"opening", "awaiting", "connecting", "live", "closing", "closed"}

// session is one socket's attachment to its user's stream. There may be 100,000
// of them: an idle one is this struct, its place in the tables, and nothing else.
type session struct {
	// Set at construction.
	g     *Gateway
	sock  conn
	id    feedengine.SessionID
	codec uint8 // index in wire.Codecs

	// Set by the reading turn when the client is known, before anything is
	// asked for it, and never changed.
	user   *user
	expand bool // events carry names

	next *session // guarded by the user's part

	// Owned by the reading turn (Frame).
	bearer  string // the token that came with the upgrade, until connect
	strikes strikes

	hides atomic.Uint32 // how often somebody was hidden from the user by a block

	mu         sync.Mutex // guards all that follows
	state      state
	service    bool // the token's bearer is exempt from limits
	attached   bool // a Detach is owed
	hb         bool // a heartbeat waits to be sent
	background bool // the app is not looked at
	pending    uint16
	code       uint16 // of the bye, 0: none
	expires    int64  // of the token, Unix ms
	beat       int64  // when the last heartbeat was queued, ms since the gateway's start
	since      int64  // Unix ms: older events are replays and not measured
	sent       uint64 // n of the last event given to the socket
	sentAt     int64  // when that was, Unix ms
	beatN      uint64 // what the last heartbeat said
	ack        uint64 // n that the client last said it has seen
	stream     feedengine.StreamID
	early      []*wire.Request // sent before connect was answered; not nil while some wait
	out        outbox
}

// opened marks the socket as usable.
func (s *session) opened() {
	s.mu.Lock()
	first := s.state == opening
	if first {
		s.state = awaiting
	}
	s.mu.Unlock()
	if first {
		s.g.metrics.moved(opening, awaiting)
	}
}

// Frame takes one message of the client.
func (s *session) Frame(p []byte) {
	s.opened()
	r := new(wire.Request)
	err := wire.Codecs[s.codec].Codec.Decode(p, r)
	switch s.standing() {
	case awaiting:
		s.first(r, err)
	case connecting, live:
		if err != nil {
			s.end(wire.ByeFor(wire.CloseProtocol))
			return
		}
		if !s.postpone(r) {
			s.request(r)
		}
	}
}

// Fault tells of a violation that ends the socket: only the bye is owed.
func (s *session) Fault(f socket.Fault) {
	s.opened()
	code := wire.CloseCode(f.Code)
	s.debug("peer violated the protocol", "code", f.Code, "why", f.Reason)
	s.end(wire.ByeFor(code))
}

// Closed ends the session: the shard is told, and the places given back.
func (s *session) Closed(why socket.CloseReason) {
	s.mu.Lock()
	was, attached, code := s.state, s.attached, s.code
	s.state, s.attached = closed, false
	s.out = outbox{}
	s.mu.Unlock()

	g := s.g
	g.metrics.moved(was, closed)
	if s.user != nil {
		g.presence.Unwatch(s.id)
		if g.users.leave(s.user, s) {
			g.presence.Left(s.user.name)
		}
	}
	if attached {
		g.shards.Submit(feedengine.Request{
			User: s.user.name,
			Do:   feedengine.Detach{Session: s.id},
			Done: func(feedengine.Result) {},
		})
	}
	g.sessions.remove(s) // last: once all are gone, the shards know of it
	if was != closing {  // else counted with its code
		g.metrics.closes.with("none", string(why)).Inc()
	}
	s.debug("socket closed", "why", string(why), "code", code)
}

// end closes the socket after a bye. The first end wins.
func (s *session) end(bye wire.Bye) {
	s.mu.Lock()
	ended := s.endLocked(bye)
	s.mu.Unlock()
	if ended {
		s.sock.Close(int(bye.Code), bye.Reason)
	}
}

// endLocked queues the bye. When it returns true its caller, having let go of
// s.mu, must close the socket.
func (s *session) endLocked(bye wire.Bye) bool {
	if s.state >= closing || s.state == opening {
		return false
	}
	s.g.metrics.moved(s.state, closing)
	s.g.metrics.closes.with(codeLabel(bye.Code), bye.Reason).Inc()
	s.state, s.hb, s.code = closing, false, uint16(bye.Code)
	s.out.goodbye(&wire.Frame{Kind: wire.Goodbye, Bye: bye}, bye.Code == wire.CloseSlow)
	return true
}

func (s *session) standing() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// debug logs with the session's names.
func (s *session) debug(msg string, args ...any) {
	if !s.g.debugs() {
		return
	}
	if s.user != nil {
		args = append(args, "user", s.user.name)
	}
	s.g.log.Debug(msg, append(args, "session", uint64(s.id))...)
}
