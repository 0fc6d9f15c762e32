package feedengine

// Input is the sealed set of what an engine can be stepped with.
type Input interface{ input() }

// Token names a request to the engine's caller, who gets it back in a Reply.
type Token uint64

// GatewayID is the engine's small number for a gateway node, given by its caller.
type GatewayID uint16

type (
	// LogInput is the next event in the order in which the node learned of
	// them: of its log, the one after the last that was stepped.
	LogInput struct {
		Event *Event
		// Passed are, when Event is a follow of this shard's user, the posts,
		// edits and deletions by the followed with an ID above the event's that were
		// stepped already, in their order.
		Passed []*Event
		// PassedLost: there may be others, which the caller no longer has.
		PassedLost bool
	}

	// AttachInput begins a session. Answered by a Reply, perhaps after a load.
	AttachInput struct {
		Token   Token
		User    string
		Session SessionID
		Gateway GatewayID
		Resume  *Resume
		Page    int
	}
	// DetachInput ends a session, which its gateway and its number name.
	DetachInput struct {
		Token   Token
		User    string
		Gateway GatewayID
		Session SessionID
	}
	// SyncInput asks for the events after N again.
	SyncInput struct {
		Token   Token
		User    string
		Gateway GatewayID
		Session SessionID
		N       uint64
	}
	// StateInput moves a session to the background or back.
	StateInput struct {
		Token      Token
		User       string
		Gateway    GatewayID
		Session    SessionID
		Background bool
	}
	// CountsInput asks for a user's counters, those of the conversations among
	// them. Answered by a Reply, perhaps after a load.
	CountsInput struct {
		Token Token
		User  string
	}

	// ReadInput moves the read mark of the feed or of the notifications; those of
	// conversations move by a KindSeen. Clock is the greatest ID that there can be
	// by now; a mark above it is taken as Clock. Leads to a SaveMark and, with
	// the MarkSaved that answers it, to a Reply.
	ReadInput struct {
		Token Token
		User  string
		List  List
		Upto  ID
		Clock ID
	}
	// MarkSavedInput says that the mark of a SaveMark is durable, or why not.
	MarkSavedInput struct {
		Token Token
		Mark  Mark
		Err   *Error
	}

	// LoadedInput answers Load effects: facts as of Heads, and the events
	// between Heads and what this engine has applied by now, each log's in order.
	LoadedInput struct {
		Heads  []Head
		Missed []*Event
		Users  []LoadedUser
		// Err: nothing was loaded; of Users only the names are set.
		Err *Error
	}

	// AuditInput asks for a recount of some resident user's counters, to be
	// compared with what the view says.
	AuditInput struct{}

	// RebuildInput throws all views away and loads those that have sessions
	// again: each of these gets a Reset. Heads, when not nil, is where the logs
	// stand now, and the next events to come are those after them. They may be
	// ahead of what was applied: the events between are skipped. Or they may be
	// behind, with ResetHistoryLost: the caller has learned of an epoch whose
	// First is not above what was applied of that log, so what stands from there
	// on is something else. An engine that has not come that far needs no
	// rebuild: it tells by their epochs which events and loads are of the lost history.
	RebuildInput struct {
		Reason ResetReason
		Heads  []Head
	}

	// EvictInput removes views that no session has needed since Before (on
	// the clock of Step's now), and beyond that the Extra longest idle ones.
	EvictInput struct {
		Before int64
		Extra  int
	}
)

type (
	// RejoinInput brings sessions of one gateway that were attached before: the
	// shard has moved, its owner died, or messages on the way were lost. Each
	// session is attached if it is not yet, and gets what it lacks: the events
	// after its N, or a Reset when its Stream is not the view's or the tail does
	// not reach back; the counters when its V is not the view's. There is no Reply.
	RejoinInput struct {
		Gateway  GatewayID
		Sessions []Rejoin
		// Whole says that these are all sessions that the gateway has in this
		// shard: others of the same gateway are detached.
		Whole bool
	}
	// GatewayGoneInput detaches all sessions of a gateway. Its GatewayID may be
	// given to another one afterwards.
	GatewayGoneInput struct{ Gateway GatewayID }

	// RetireInput comes before Export: whatever waits for a load is answered
	// with ErrElsewhere, for the next owner to be asked. SaveMarks under way
	// have been answered before, so that no mark is durable which the views lack.
	RetireInput struct{}
)

// Rejoin is one session as its gateway knows it.
type Rejoin struct {
	User       string
	Session    SessionID
	Stream     StreamID
	N          uint64 // the last event that the gateway took, in this stream
	V          uint64 // version of the last counters that it took
	Background bool
}

func (RejoinInput) input()      {}
func (GatewayGoneInput) input() {}
func (RetireInput) input()      {}
func (LogInput) input()         {}
func (AttachInput) input()      {}
func (DetachInput) input()      {}
func (SyncInput) input()        {}
func (StateInput) input()       {}
func (CountsInput) input()      {}
func (ReadInput) input()        {}
func (MarkSavedInput) input()   {}
func (LoadedInput) input()      {}
func (AuditInput) input()       {}
func (RebuildInput) input()     {}
func (EvictInput) input()       {}
