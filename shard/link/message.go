package link

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Message is the sealed set of what nodes send each other. Which of them are
// numbered: all that go from node to node. Broadcasts (Announce, Heads, Serving,
// Kick) are not: each can be lost, and what was lost is noticed by what it says.
type Message interface{ message() }

// From a gateway node to the node that owns a shard.
type (
	// Ask is a request. It may be sent again under the same ID until it is
	// answered or its deadline is over.
	Ask struct {
		ID       uint64 // chosen by the sender, unique in its incarnation
		Shard    feedengine.ShardID
		User     string
		Deadline time.Time // absolute, to the millisecond; zero: none
		Do       feedengine.Action
		Key      string // internal idempotency key of a write that has none of its own, or ""
	}
	// Rejoin brings a gateway's sessions (see feedengine.RejoinInput).
	Rejoin struct {
		Shard    feedengine.ShardID
		Whole    bool
		Sessions []feedengine.Rejoin
	}
)

// From the node that owns a shard to a gateway node.
type (
	// Answer is the outcome of an Ask. Elsewhere: nothing was run, the shard is
	// not served here.
	Answer struct {
		ID        uint64
		Place     feedengine.Place
		Elsewhere bool
		Result    feedengine.Result
	}
	// Deliver hands over events or counters. An event travels with its body
	// once per envelope; to a node that has seen it by announce, as a position:
	// then Event has only Shard, Epoch, Seq and Kind, and Bare is set.
	Deliver struct {
		Place feedengine.Place
		Bare  bool
		feedengine.Delivery
	}
	Reset struct {
		Place feedengine.Place
		feedengine.Reset
	}
)

// Between shard nodes.
type (
	// Hand is a piece of a handover (feedengine.Handover, encoded), of which
	// Part counts from 0 to Parts-1.
	Hand struct {
		Move        uint64 // chosen by the old owner, unique in its incarnation
		Shard       feedengine.ShardID
		Epoch       uint64 // under which the old owner served; the new one claims on condition of it
		Part, Parts int
		Data        []byte
	}
	// Taken ends a move: the receiver serves the shard under Epoch, or says why not.
	Taken struct {
		Move  uint64
		Shard feedengine.ShardID
		OK    bool
		Epoch uint64
		Why   string
	}
)

// To everybody.
type (
	// Announce tells of a contiguous piece of a log that has become durable.
	// Events that concern only the log's own shard (Event.Travels) have no body.
	Announce struct {
		Shard  feedengine.ShardID
		Epoch  uint64
		First  uint64 // the seq with which the epoch begins
		Events []*feedengine.Event
	}
	// Heads is a node's heartbeat.
	Heads struct {
		Owned []OwnedHead // shards that it serves
		// Links is how many numbered messages it has sent to each node, for
		// those to notice a lost tail.
		Links map[string]LinkHead
	}
	// Serving tells that the sender serves these shards from now on.
	Serving struct{ Places []feedengine.Place }
	// Kick has all gateways close a user's sockets (revocation).
	Kick struct{ User string }
)

// OwnedHead is where the log of a served shard stands.
type OwnedHead struct {
	Shard feedengine.ShardID
	Head  feedengine.Head
}

// LinkHead is the number of the last message on a link.
type LinkHead struct {
	To     uint64 // incarnation of the receiver; 0: whichever lives
	Stream uint64 // which of the sender's numberings for this receiver; a later one is greater
	Seq    uint64
}

// Questions of operators, from any node to any node.
type (
	// Query asks a node; What is the question's name ("state", "check",
	// "explain", "drain", "move"), Args its JSON.
	Query struct {
		ID   uint64
		What string
		Args []byte
	}
	// Told answers a Query with JSON.
	Told struct {
		ID   uint64
		Err  string
		Data []byte
	}
)

func (Ask) message()      {}
func (Rejoin) message()   {}
func (Answer) message()   {}
func (Deliver) message()  {}
func (Reset) message()    {}
func (Hand) message()     {}
func (Taken) message()    {}
func (Announce) message() {}
func (Heads) message()    {}
func (Serving) message()  {}
func (Kick) message()     {}
func (Query) message()    {}
func (Told) message()     {}
