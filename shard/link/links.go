package link

import (
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Peer is one life of a node. Of two incarnations of a node the greater is the
// later one, so they must ascend: see NewIncarnation.
type Peer struct {
	Node        string // 1 to 64 bytes
	Incarnation uint64 // not 0
}

// NewIncarnation makes an incarnation for a node that starts at now: its
// microseconds, and below them ten random bits. So it is greater than those of
// earlier starts, unless the wall clock went back between; then Forget lets it in.
func NewIncarnation(now time.Time) uint64 { panic("not yet") }

// Receiver takes what other nodes sent. Its methods are called one after the
// other, must not wait, and may call Send and Broadcast.
type Receiver interface {
	// Receive takes a message. Slices in it (Deliver.To, Rejoin.Sessions,
	// Announce.Events, Hand.Data, Heads.Owned …) are valid only during the call;
	// the events that it refers to are shared and immutable.
	Receive(from Peer, m Message)
	// Lost says that at least one message from that peer did not arrive. What
	// comes from then on is contiguous again, until the next Lost.
	Lost(from Peer)
}

// Clock is the node's hybrid logical clock.
type Clock interface {
	Now() feedengine.Tick
	Observe(feedengine.Tick)
}

// Bus is what links need of a bus; see bus.Bus.
type Bus interface {
	Publish(topic string, msg []byte) bool
	Subscribe(topic string, h func(msg []byte)) (cancel func())
}

// Options say what a node's links are made of.
type Options struct {
	Self     Peer
	Bus      Bus
	Prefix   string // of the topics: Prefix:node:<node>, Prefix:all, Prefix:log
	Clock    Clock
	Receiver Receiver
	// Announces says that this node hears announces (and keeps their events for Lookup).
	Announces bool
	// Heads are the shards that this node serves, for its heartbeats; nil: none.
	Heads func() []OwnedHead
	// Lookup finds an event that was announced, nil when it is not (or no longer) known.
	Lookup  func(shard feedengine.ShardID, epoch, seq uint64) *feedengine.Event
	Metrics *metrics.Set
	Log     *slog.Logger
	Every   time.Duration // between heartbeats; 0: 500 ms
}

// Links are one node's ways to all others.
type Links struct{}

// New subscribes to the node's topics and begins with the heartbeats.
func New(opts Options) *Links { panic("not yet") }

// Send writes m into the envelope for a node, whatever incarnation of it lives. m
// and its slices may be used again when it returns. It never waits. False: too
// much is pending for that node (or m is too large to travel); m was dropped, and
// the receiver will notice.
func (l *Links) Send(to string, m Message) bool { panic("not yet") }

// Broadcast sends an Announce to all nodes that hear announces, another message
// to all nodes. It never waits.
func (l *Links) Broadcast(m Message) { panic("not yet") }

// Forget drops what is known of a peer that is gone, and everything that it may still send.
func (l *Links) Forget(p Peer) { panic("not yet") }

// Stop sends what is pending, ends the heartbeats and the subscriptions, and
// waits for the Receiver to return. The bus is the caller's.
func (l *Links) Stop() { panic("not yet") }
