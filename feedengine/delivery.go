package feedengine

import "strconv"

// StreamID names one life of a user's numbered stream: it changes only when
// the view behind it was rebuilt.
type StreamID uint64

// String is the stream as it stands on the wire: hexadecimal, lower case.
func (s StreamID) String() string { return strconv.FormatUint(uint64(s), 16) }

// ParseStreamID reads what String wrote; anything else is no stream (ok false).
func ParseStreamID(s string) (id StreamID, ok bool) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || StreamID(n).String() != s {
		return 0, false
	}
	return StreamID(n), true
}

// Counts are a user's unread counters, absolute values with the version V that
// orders them within one stream. Each is at most MaxUnread, which means "or more".
type Counts struct {
	Feed          uint32
	Notifications uint32
	Messages      uint32
	V             uint64
}

// Delivery is one event, or a change of counters, for the sessions of one
// gateway. Event is shared and immutable. To belongs to the engine and is valid
// only during the call that hands it over.
type Delivery struct {
	Event *Event // nil: only the counters changed
	To    []Recipient
}

// Recipient is one session's part of a Delivery.
type Recipient struct {
	Session SessionID
	N       uint64 // the event's number in the stream, 0 with counters only
	Counts  Counts
}

// Reset tells a session that events were skipped: its stream is now Stream, and
// stands at N.
type Reset struct {
	Session SessionID
	Stream  StreamID
	N       uint64
	Reason  ResetReason
	Counts  Counts
}

// ResetReason is why events were skipped, as it stands on the wire.
type ResetReason string

const (
	// Rejoined: nothing was skipped. A rejoined session's owner has its Stream, and
	// what comes next follows N. It is for the gateway's node and reaches no client.
	Rejoined ResetReason = ""

	ResetViewRebuilt ResetReason = "view_rebuilt" // the owner lost its state and loaded it again
	ResetTooFarBack  ResetReason = "too_far_back" // more was missed than the tail holds
	ResetSlow        ResetReason = "slow_consumer"
	ResetHistoryLost ResetReason = "history_lost" // the database came back without its last commits
)
