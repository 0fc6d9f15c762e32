package link

import (
	"context"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Receiver takes what other nodes sent. Its methods are called one after the
// other and must not wait; they may call Send and Broadcast.
type Receiver interface {
	// Receive takes a message. Slices in it (Deliver.To, Rejoin.Sessions,
	// Announce.Events, Hand.Data, Query.Args …) are valid only during the call; the
	// events that it refers to are shared and immutable.
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

// pacer is a Bus that has one thing under way at a time. What is sent meanwhile
// would only wait there: it waits here, where more can join the same envelope.
type pacer interface {
	// Busy is closed when what is under way has ended; nil: nothing is.
	Busy() <-chan struct{}
}

// roster is a Bus that knows who is subscribed.
type roster interface {
	// Listeners is how many nodes are subscribed to each topic.
	Listeners(ctx context.Context, topics []string) ([]int, error)
}

// Options say what a node's links are made of.
type Options struct {
	Self     Peer
	Bus      Bus
	Prefix   string // of the topics: Prefix:node:<node>, Prefix:all, Prefix:log; "feedgate"
	Clock    Clock
	Receiver Receiver
	// Announces says that this node hears announces, and keeps their events for Lookup.
	Announces bool
	// Heads are the shards that this node serves, for its heartbeats; nil: none.
	Heads func() []OwnedHead
	// Lookup finds an event that was announced, nil when it is not (or no longer)
	// known; nil: none is.
	Lookup  func(shard feedengine.ShardID, epoch, seq uint64) *feedengine.Event
	Metrics *metrics.Set  // nil: nobody looks
	Log     *slog.Logger  // nil: nobody reads
	Every   time.Duration // between heartbeats; 500 ms
}

func (o *Options) fill() {
	if o.Prefix == "" {
		o.Prefix = "feedgate"
	}
	if o.Lookup == nil {
		o.Lookup = func(feedengine.ShardID, uint64, uint64) *feedengine.Event { return nil }
	}
	if o.Heads == nil {
		o.Heads = func() []OwnedHead { return nil }
	}
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = 500 * time.Millisecond
	}
}

func (o *Options) topicNode(node string) string { return o.Prefix + ":node:" + node }
func (o *Options) topicAll() string             { return o.Prefix + ":all" }
func (o *Options) topicLog() string             { return o.Prefix + ":log" }
