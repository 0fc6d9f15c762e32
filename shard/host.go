package shard

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Store is all that a host's parts need of storage.
type Store interface {
	Log
	LogReader
	Views
	Checks
	Trim
	Logs
	Shards() int
}

// Outlet takes what the sessions of one gateway are to be sent, and from where it
// comes. Its methods are called on the shards' goroutines and must not hold them up.
type Outlet interface {
	Deliver(at feedengine.Place, to feedengine.GatewayID, d feedengine.Delivery)
	Reset(at feedengine.Place, to feedengine.GatewayID, r feedengine.Reset)
}

// Options are what a host is made of. A zero value means the default that a
// comment gives.
type Options struct {
	Node    string // the node's name, unique in the cluster
	Store   Store
	Outlet  Outlet
	Metrics *metrics.Set
	Log     *slog.Logger

	Now        func() time.Time // time.Now
	Tick       time.Duration    // how often shards look after what is idle; 1 s
	Residency  time.Duration    // how long a view stays after its last session; 10 min
	ViewBudget int64            // bytes of all views beyond which idle ones go early; 0: none
	OverBudget func() bool      // whether the process holds too much, so that they go as well; nil: never
	Ring       int              // events that the ring keeps, a power of two; 65,536
	AuditEvery time.Duration    // how often somebody's counters are recounted; 500 ms, negative: never
	Retention  time.Duration    // how long logs and keys are kept; 24 h
	Confirm    time.Duration    // how often the node makes sure that its shards are still its own; 3 s
	LikeWindow time.Duration    // how long after its first like a notification gathers others; 1 h

	// Cluster: other nodes own shards of this store too. The host then claims
	// nothing, serves what it is told to Open, and only while its lease holds.
	Cluster bool
	// Announce tells of a contiguous piece of a log of this node that has become
	// durable, before its writes are answered. First is the seq with which the
	// epoch begins. Called on the writer's goroutine; the slice is valid during
	// the call only. Nil: nobody is told.
	Announce func(shard feedengine.ShardID, epoch, first uint64, events []*feedengine.Event)
	// OnLost tells, with Cluster, of shards that are another's: they are served
	// here no longer. It must not wait.
	OnLost func(shards []feedengine.ShardID, err error)
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tick == 0 {
		o.Tick = time.Second
	}
	if o.Residency == 0 {
		o.Residency = 10 * time.Minute
	}
	if o.Ring == 0 {
		o.Ring = 1 << 16
	}
	if o.AuditEvery == 0 {
		o.AuditEvery = 500 * time.Millisecond
	}
	if o.Confirm == 0 {
		o.Confirm = 3 * time.Second
	}
	if o.LikeWindow == 0 {
		o.LikeWindow = time.Hour
	}
	if o.Retention == 0 {
		o.Retention = 24 * time.Hour
	}
}

var (
	errStopped = feedengine.Refuse(feedengine.Unavailable, "the node is stopping")
	errBusy    = feedengine.Refuse(feedengine.Overloaded, "the shard has too much to do")
)

// Host runs the shards of a node: all there are, or, in a cluster, those that it
// is told to open.
type Host struct {
	// Set at construction.
	opts    Options
	log     *slog.Logger
	clock   *Clock
	ring    *Ring
	recent  *recent
	writer  *Writer
	loader  *Loader
	checks  *Pool
	trimmer *Trimmer
	learner *learner
	lease   *lease
	actors  []atomic.Pointer[actor] // by ShardID; nil: not served here
	metrics hostMetrics
	stop    chan struct{}   // closed to end what runs beside the actors
	ctx     context.Context // ends then
	cancel  context.CancelFunc
	running sync.WaitGroup // actors, auditor, confirm and learner
	lost    chan error     // 1: the first reason

	mu       sync.Mutex // guards that a shard is opened once
	stopping atomic.Bool
}

// NewHost claims all shards of the store and starts to serve them. From then on
// no other process can write to them; one that did so before is fenced. With
// Options.Cluster it claims nothing and serves nothing yet.
func NewHost(ctx context.Context, opts Options) (*Host, error) {
	opts.setDefaults()
	heads, owned, err := firstHeads(ctx, opts)
	if err != nil {
		return nil, err
	}
	h := &Host{
		opts:   opts,
		log:    opts.Log,
		clock:  NewClock(opts.Now),
		ring:   NewRing(opts.Ring, len(heads)),
		recent: new(recent),
		lease:  newLease(),
		actors: make([]atomic.Pointer[actor], len(heads)),
		stop:   make(chan struct{}),
		lost:   make(chan error, 1), // full: the first reason is enough
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.ring.SetHeads(heads)
	for _, head := range heads {
		h.clock.Observe(head.ID.Tick())
	}
	h.metrics.register(h, opts.Metrics)
	h.learner = newLearner(h)
	h.checks = NewPool(16, 4096)
	h.writer = NewWriter(WriterOptions{
		Node: opts.Node, Log: opts.Store, Reader: opts.Store, Heads: owned,
		OnCommit: h.committed, OnRaised: h.raised, OnLost: h.lose,
		Metrics: opts.Metrics, Logger: opts.Log,
	})
	h.loader = NewLoader(LoaderOptions{
		Views: opts.Store, Ring: h.ring, Keep: feedengine.DefaultKeepUnread, Deliver: h.deliverLoad,
		Metrics: opts.Metrics, Logger: opts.Log,
	})
	h.trimmer = NewTrimmer(TrimmerOptions{Store: opts.Store, Retention: opts.Retention, Metrics: opts.Metrics, Logger: opts.Log})
	for s, head := range owned {
		if head.Epoch > 0 {
			h.start(newActor(h, feedengine.ShardID(s), head.Epoch, h.newEngine(feedengine.ShardID(s), heads), h.ring.Head()))
		}
	}
	h.running.Go(h.learner.run)
	h.running.Go(h.confirm)
	if opts.AuditEvery > 0 {
		h.running.Go(h.runAuditor)
	}
	return h, nil
}

// firstHeads is where the logs stand, and those of them that are this host's.
func firstHeads(ctx context.Context, opts Options) (heads, owned []feedengine.Head, err error) {
	shards := opts.Store.Shards()
	if opts.Cluster {
		if heads, err = opts.Store.Heads(ctx); err == nil && len(heads) != shards {
			err = fmt.Errorf("%d heads of %d shards", len(heads), shards)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the heads of the logs: %w", err)
		}
		return heads, make([]feedengine.Head, shards), nil
	}
	if heads, err = claimAll(ctx, opts.Store, opts.Node, shards); err != nil {
		return nil, nil, fmt.Errorf("claim %d shards: %w", shards, err)
	}
	return heads, heads, nil
}

// start has an actor run and be found.
func (h *Host) start(a *actor) {
	h.ring.Subscribe(a.wake, a.wants)
	h.running.Go(a.run)
	h.actors[a.shard].Store(a)
}

// drop ends an actor, which is not found any more.
func (h *Host) drop(a *actor) {
	h.actors[a.shard].CompareAndSwap(a, nil)
	h.ring.Unsubscribe(a.wake)
	a.end()
}

// served lists the actors there are, in order of shard, parked ones too.
func (h *Host) served() []*actor {
	actors := make([]*actor, 0, len(h.actors))
	for s := range h.actors {
		if a := h.actors[s].Load(); a != nil {
			actors = append(actors, a)
		}
	}
	return actors
}

func (h *Host) newEngine(s feedengine.ShardID, heads []feedengine.Head) *feedengine.Engine {
	return feedengine.New(h.engineOptions(s, heads))
}

func (h *Host) engineOptions(s feedengine.ShardID, heads []feedengine.Head) feedengine.Options {
	// Streams count up from a random 64-bit number: two lives of a shard
	// overlap with a chance of one in 2^31 or less, if each gave out 2^32.
	var first [8]byte
	rand.Read(first[:])
	return feedengine.Options{
		Shard:       s,
		ShardOf:     h.shardOf,
		Heads:       heads,
		FirstStream: feedengine.StreamID(binary.LittleEndian.Uint64(first[:])),
	}
}

func (h *Host) shardOf(user string) feedengine.ShardID { return Of(user, len(h.actors)) }

// errNowhere is the refusal of what concerns an ID of a shard that there is not.
func errNowhere(do feedengine.Action) *feedengine.Error {
	if _, ok := do.(feedengine.Send); ok {
		return errNoTalk
	}
	return errNoPost
}

// Submit hands a request of this process's gateway to the shard that it
// concerns. Done is called with the outcome, always, and for a refusal perhaps
// before Submit returns.
func (h *Host) Submit(r feedengine.Request) { h.SubmitFrom(0, "", r) }

// SubmitFrom is Submit for a session of another gateway. The key is an internal
// idempotency key for a write that has none of its own, or "": with it, the same
// write may be asked for again, here or at the shard's next owner. Of a shard
// that is not served here the outcome is feedengine.ErrElsewhere: nothing was run.
func (h *Host) SubmitFrom(g feedengine.GatewayID, key string, r feedengine.Request) {
	if h.stopping.Load() {
		r.Done(feedengine.Result{Err: h.gone()})
		return
	}
	shard := feedengine.HomeOf(r.User, r.Do, h.shardOf)
	if int(shard) >= len(h.actors) {
		r.Done(feedengine.Result{Err: errNowhere(r.Do)})
		return
	}
	a := h.actors[shard].Load()
	if a == nil || a.away.Load() {
		h.metrics.elsewhere.Inc()
		r.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		return
	}
	m := asked{Request: r, gateway: g, key: key}
	if a.offer(m) {
		return
	}
	if _, ok := r.Do.(feedengine.Detach); ok {
		a.press(m)
		return
	}
	h.metrics.refused.Inc()
	r.Done(feedengine.Result{Err: errBusy})
}

// gone is the refusal of what an actor that ends can no longer carry out. In a
// cluster, its shard goes on elsewhere.
func (h *Host) gone() *feedengine.Error {
	if h.opts.Cluster {
		return feedengine.ErrElsewhere
	}
	return errStopped
}

// mayServe reports whether requests may be answered now.
func (h *Host) mayServe() bool { return !h.opts.Cluster || h.lease.holds() }

// Lost tells, once, that another process has claimed shards of this node, which
// is not of a cluster. Nothing can be written to them any more: the node must stop.
func (h *Host) Lost() <-chan error { return h.lost }

func (h *Host) lose(shards []feedengine.ShardID, err error) {
	h.metrics.lost.Add(len(shards))
	h.log.Error("shards were claimed by another process", "shards", len(shards), "first", shards[0], "error", err)
	if h.opts.Cluster {
		h.giveUp(shards, err)
		return
	}
	select {
	case h.lost <- fmt.Errorf("%d shards were claimed by another process: %w", len(shards), err):
	default:
	}
}

// confirm makes sure, now and then, that the shards are still this node's: one
// that has nothing to write would else go on serving what another has taken.
// What it finds out comes as a loss.
func (h *Host) confirm() {
	ticks := time.NewTicker(h.opts.Confirm)
	defer ticks.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-ticks.C:
		}
		if h.opts.Cluster {
			h.compareHeads()
			continue
		}
		for _, a := range h.served() {
			// Refused when the node is too busy, which says as much.
			_ = h.writer.Submit(Pending{Write: feedengine.Write{Shard: a.shard}, Done: func(Outcome) {}})
		}
	}
}

func (h *Host) deliverLoad(s feedengine.ShardID, l *Loaded) {
	if a := h.actors[s].Load(); a != nil {
		a.post(arrived{l})
	}
}

// millis is the engines' time.
func (h *Host) millis() int64 { return h.opts.Now().Sub(feedengine.IDEpoch).Milliseconds() }

func (h *Host) overBudget() bool {
	if h.opts.OverBudget != nil && h.opts.OverBudget() {
		return true
	}
	return h.opts.ViewBudget > 0 && h.sum(func(a *actor) int64 { return a.bytes.Load() }) > h.opts.ViewBudget
}

func (h *Host) sum(of func(*actor) int64) int64 {
	n := int64(0)
	for s := range h.actors {
		if a := h.actors[s].Load(); a != nil {
			n += of(a)
		}
	}
	return n
}

// Stop ends the host: requests are refused from now on, writes that were taken
// are finished. When ctx ends first, they are given up, and Stop returns its error.
func (h *Host) Stop(ctx context.Context) error {
	h.stopping.Store(true)
	err := h.writer.Stop(ctx)
	h.trimmer.Stop()
	h.loader.Stop()
	h.checks.Stop()
	close(h.stop)
	h.cancel()
	h.mu.Lock() // nothing is opened any more
	for _, a := range h.served() {
		a.end()
	}
	h.mu.Unlock()
	h.running.Wait()
	return err
}

// inspect runs look on every actor's goroutine, one after the other.
func (h *Host) inspect(look func(*actor)) {
	for _, a := range h.served() {
		done := make(chan struct{})
		a.post(inspect{look, done})
		select {
		case <-done:
		case <-a.done:
		}
	}
}

// Check verifies the invariants of all shards and returns what is broken, or nil.
func (h *Host) Check() error {
	var errs []error
	h.inspect(func(a *actor) {
		if err := a.engine.Check(); err != nil {
			errs = append(errs, fmt.Errorf("shard %d: %w", a.shard, err))
		}
	})
	return errors.Join(errs...)
}
