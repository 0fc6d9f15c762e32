package route

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

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

// Host is the shards of this node; *shard.Host is one. Its methods are called with
// a shard's table locked, and on a shard's own goroutine: none may wait for a shard.
type Host interface {
	// SubmitFrom calls Done exactly once. ErrElsewhere: the shard is not served
	// here, and nothing was run.
	SubmitFrom(g feedengine.GatewayID, key string, r feedengine.Request)
	// Rejoin says false when the sessions were not taken. It keeps in.Sessions.
	Rejoin(g feedengine.GatewayID, shard feedengine.ShardID, in feedengine.RejoinInput) bool
	GatewayGone(g feedengine.GatewayID)
}

// Sender carries numbered messages to other nodes; *link.Links is one.
type Sender interface {
	// Send never waits, and keeps nothing of m. False: it was dropped.
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
type Router struct {
	// Set at construction.
	opts    RouterOptions
	keys    keys
	tables  []*table // by ShardID
	recent  recent
	metrics routerMetrics
	start   time.Time
	stop    chan struct{} // closed by Stop
	running sync.WaitGroup

	lastAsk  atomic.Uint64
	answers  atomic.Int64 // how long another node takes to answer, smoothed, ns
	lossAt   atomic.Int64 // as of now, when messages were last found to be lost
	stopping atomic.Bool

	// The agenda: when its goroutine looks at the tables next.
	next atomic.Int64  // as of Router.now
	wake chan struct{} // holds a word, at most one, when a table is due before that
}

// NewRouter makes a Router that knows no owner yet: what is submitted waits.
func NewRouter(o RouterOptions) *Router {
	r := &Router{opts: o, keys: newKeys(), start: time.Now(), stop: make(chan struct{}), wake: make(chan struct{}, 1)}
	r.next.Store(math.MaxInt64)
	for s := range o.Shards {
		r.tables = append(r.tables, newTable(r, feedengine.ShardID(s)))
	}
	r.metrics.register(o.Metrics)
	r.running.Go(r.runAgenda)
	return r
}

// now is the time since the start, in ns: the clock of everything here that is due
// at some time.
func (r *Router) now() int64 { return int64(time.Since(r.start)) }

// Submit brings a request to the shard's owner (gateway.Shards). It never waits.
func (r *Router) Submit(req feedengine.Request) {
	t := r.table(feedengine.HomeOf(req.User, req.Do, r.opts.ShardOf))
	if t == nil {
		what := "post"
		if _, ok := req.Do.(feedengine.Send); ok {
			what = "conversation"
		}
		req.Done(feedengine.Result{Err: feedengine.Refuse(feedengine.NotFound, "there is no such "+what)})
		return
	}
	t.post(posted{ask: r.newAsk(req)})
}

// table is the shard's, nil when there is no such shard.
func (r *Router) table(shard feedengine.ShardID) *table {
	if int(shard) >= len(r.tables) {
		return nil
	}
	return r.tables[shard]
}

// Deliver brings what a shard of this node sends to this node's sessions.
func (r *Router) Deliver(at feedengine.Place, d feedengine.Delivery) {
	r.table(at.Shard).deliver(r.opts.Self, at, d, false)
}

// Reset is Deliver for a reset.
func (r *Router) Reset(at feedengine.Place, m feedengine.Reset) {
	r.table(at.Shard).reset(r.opts.Self, at, m)
}

// Receive takes a message of another node: Answer, Deliver and Reset; Serving
// and Heads, which tell of owners. Others are none of its business.
func (r *Router) Receive(from link.Peer, m link.Message) {
	switch m := m.(type) {
	case link.Answer:
		if t := r.table(m.Place.Shard); t != nil {
			t.answered(from.Node, m)
		}
	case link.Deliver:
		if t := r.table(m.Place.Shard); t != nil {
			t.deliver(from.Node, m.Place, m.Delivery, m.Bare)
		}
	case link.Reset:
		if t := r.table(m.Place.Shard); t != nil {
			t.reset(from.Node, m.Place, m.Reset)
		}
	case link.Serving:
		for _, p := range m.Places {
			r.Serving(from.Node, p)
		}
	case link.Heads:
		for _, o := range m.Owned {
			r.alive(from.Node, feedengine.Place{Shard: o.Shard, Epoch: o.Head.Epoch})
		}
	}
}

// Stop refuses what waits and what comes, and waits for the Router's goroutine.
func (r *Router) Stop() {
	if r.stopping.Swap(true) {
		return
	}
	close(r.stop)
	r.running.Wait()
	for _, t := range r.tables {
		t.lock()
		t.refuseAll()
		t.unlock()
	}
}
