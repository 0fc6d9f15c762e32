package route

import (
	"log/slog"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// Gateway takes what this node's sessions are to be sent. Its methods are called
// with a shard's table locked: they may call Submit, and must not wait.
type Gateway interface {
	Deliver(feedengine.Delivery)
	Reset(feedengine.Reset)
}

// Host is the shards of this node; *shard.Host is one. None of its methods may
// wait for a shard.
type Host interface {
	// SubmitFrom answers ErrElsewhere, having run nothing, when the shard is not
	// served here.
	SubmitFrom(g feedengine.GatewayID, key string, r feedengine.Request)
	// Rejoin says false when the sessions were not taken.
	Rejoin(g feedengine.GatewayID, shard feedengine.ShardID, in feedengine.RejoinInput) bool
	GatewayGone(g feedengine.GatewayID)
}

// Sender carries numbered messages to other nodes; *link.Links is one.
type Sender interface {
	Send(to string, m link.Message) bool
}

// RouterOptions say what a Router is made of.
type RouterOptions struct {
	Self    string // this node's name
	Shards  int
	ShardOf func(user string) feedengine.ShardID
	Host    Host // nil: the node has no shards
	Links   Sender
	Gateway Gateway
	Metrics *metrics.Set
	Log     *slog.Logger
}

// Router is the gateway's side. Its methods may be called from any goroutine,
// Receive and Lost from one at a time.
type Router struct{}

// NewRouter makes a Router that knows no owner yet: what is submitted waits.
func NewRouter(o RouterOptions) *Router { panic("not yet") }

// Submit brings a request to the shard's owner (gateway.Shards). It never waits.
func (r *Router) Submit(req feedengine.Request) { panic("not yet") }

// Deliver and Reset bring what a shard of this node sends to this node's sessions.
func (r *Router) Deliver(at feedengine.Place, d feedengine.Delivery) { panic("not yet") }
func (r *Router) Reset(at feedengine.Place, m feedengine.Reset)      { panic("not yet") }

// Receive takes a message of another node: Answer, Deliver and Reset; Serving
// and Heads, which tell of owners. Others are none of its business.
func (r *Router) Receive(from link.Peer, m link.Message) { panic("not yet") }

// Lost says that messages of a node did not arrive.
func (r *Router) Lost(from link.Peer) { panic("not yet") }

// Owns says that by the store's word, or its own, node has claimed the shard
// under the epoch. Older epochs than the known one are ignored, so it may be told
// of everything that is known, again and again.
func (r *Router) Owns(node string, p feedengine.Place) { panic("not yet") }

// Serving says that node has begun to serve a shard, or serves it again: it knows
// none of this node's sessions.
func (r *Router) Serving(node string, p feedengine.Place) { panic("not yet") }

// NodeGone says that a node is taken for dead: what it has not answered waits for
// the next owner of its shards.
func (r *Router) NodeGone(node string) { panic("not yet") }

// Rejoin has all sessions tell their owners where they stand: this node was
// frozen or cut off, and may have been taken for dead.
func (r *Router) Rejoin() { panic("not yet") }

// Stop refuses what waits and what comes, and waits for the Router's goroutine.
func (r *Router) Stop() { panic("not yet") }
