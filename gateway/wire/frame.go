package wire

import (
	"math"
	"strconv"
	"time"
)

// Counts are a user's unread counters: absolute values and the version that
// orders them within a stream.
type Counts struct {
	Feed          uint32 `json:"feed"`
	Notifications uint32 `json:"notifications"`
	Messages      uint32 `json:"messages"`
	V             uint64 `json:"v"`
}

// Frame is a server frame other than an event. Exactly one of the fields that
// follow Kind's own is meant, by Kind.
type Frame struct {
	Kind   FrameKind
	Re     int64  // Reply, Failure: the request's id
	OK     Object // Reply
	Err    *Error // Failure
	Counts Counts // Unread, Reset
	N      uint64 // Heartbeat: of the last event sent
	Reset  Reset  // Reset
	Bye    Bye    // Goodbye

	Typing   *Typing   // TypingFrame
	Presence *Presence // PresenceFrame
}

// FrameKind tells the frames of a Codec's AppendFrame apart.
type FrameKind uint8

const (
	Reply FrameKind = iota + 1
	Failure
	Unread
	Heartbeat
	ResetFrame
	Goodbye
	TypingFrame   // without a number: dropped when a socket is behind
	PresenceFrame // likewise
)

// Reset says that events were skipped: the stream is now Stream and stands at N.
type Reset struct {
	Stream string `json:"stream"`
	N      uint64 `json:"n"`
	Reason string `json:"reason"`
}

// Error is a refusal as a client is told of it.
type Error struct {
	Code      string
	Message   string
	Retryable bool
	Retry     time.Duration // 0: unknown, and not sent
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// AppendJSON encodes {"code":…,"message":…,"retryable":…,"retry_ms":…}.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = appendString(dst, e.Code)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Message)
	dst = append(dst, `,"retryable":`...)
	dst = strconv.AppendBool(dst, e.Retryable)
	if e.Retry > 0 {
		dst = append(dst, `,"retry_ms":`...)
		dst = strconv.AppendInt(dst, millis(e.Retry), 10)
	}
	return append(dst, '}')
}

// millis rounds up: a client that comes back after so many is not too early.
func millis(d time.Duration) int64 {
	return int64(math.Ceil(float64(d) / float64(time.Millisecond)))
}
