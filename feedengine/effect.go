package feedengine

// Effect is the sealed set of what a step asks of the engine's caller. The
// order of effects matters: a reply to an attach comes before the first
// delivery to its session.
type Effect interface{ effect() }

type (
	// Deliver hands an event, or changed counters, to sessions of one gateway.
	Deliver struct {
		Gateway GatewayID
		Delivery
	}
	// SendReset tells one session that events were skipped.
	SendReset struct {
		Gateway GatewayID
		Reset
	}
	// Reply answers the request that Token names.
	Reply struct {
		Token  Token
		Result Result
	}
	// Load asks for a user's facts. It is answered by a LoadedInput, always.
	Load struct{ LoadUser }
	// SaveMark asks for a read mark to be made durable. It is answered by a
	// MarkSavedInput with the same Token, always.
	SaveMark struct {
		Token Token
		Mark  Mark
	}
	// Audited says how an audit ended: Drift when the view's counters were not
	// what the facts say. They have been corrected.
	Audited struct {
		User        string
		Drift       bool
		View, Facts Counts
	}
	// Gap says that a log event did not follow the last one of its log. It was
	// not applied; the caller steps through what is missing first.
	Gap struct {
		Shard   ShardID
		Applied uint64
	}
)

func (Deliver) effect()   {}
func (SendReset) effect() {}
func (Reply) effect()     {}
func (Load) effect()      {}
func (SaveMark) effect()  {}
func (Audited) effect()   {}
func (Gap) effect()       {}
