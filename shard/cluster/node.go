package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/link"
	"github.com/feedgate/feedgate/shard/route"
)

// Node is one node of a cluster. All methods may be called from many goroutines.
type Node struct {
	// Set at construction.
	opts    Options
	log     *slog.Logger
	self    link.Peer
	started time.Time // by the wall clock
	began   time.Time
	metrics nodeMetrics
	links   *link.Links
	router  *route.Router // nil without the role gateway
	host    *shard.Host   // nil without the role shard, and so is server
	server  *route.Server
	ctx     context.Context // ends with the node
	end     context.CancelFunc
	running sync.WaitGroup // beats, claims, moves, takings, questions

	ready      chan struct{} // closed when all of the above is set
	beatNow    chan struct{} // 1: a second wish adds nothing
	claimNow   chan struct{} // 1: the claimer takes all that is wanted
	lost       chan error    // 1: the first reason is enough
	drainAsked chan struct{} // closed once
	drainOnce  sync.Once
	epochs     []atomic.Uint64 // of the shards served here, else 0

	// Owned by the goroutine that beats, and New before it.
	unconfirmed bool // the lease has ended, and the shards were not confirmed since

	// Owned by the goroutine on which links hand over messages.
	intakes intakes

	mu       sync.Mutex // guards the rest; nothing is called with it held that may wait
	stopping bool       // nothing is begun any more
	state    feedengine.MemberState
	watch    watch
	owners   []feedengine.Owner
	skew     time.Duration // the store's clock ahead of this node's
	skewed   bool          // too much
	shards   []holding
	wanted   []feedengine.Fence // to be claimed; replaced by each plan
	pins     map[feedengine.ShardID]string
	lastMove uint64
	movesBy  map[uint64]feedengine.ShardID // moves of this node that are under way
	shy      map[string]shyness            // by the node that a move failed to
	silent   map[string]link.Peer          // dead by their beats, and perhaps still heard
	heard    map[string]hearing
	asks     asks
}

// New makes a node and has it beat: from then on it belongs to the cluster. Its
// shards come to it some time after that (see Ready). An error wraps
// feedengine.ErrFenced when another process runs under the node's name, and
// ErrUnavailable when the store does not answer: try again then.
func New(ctx context.Context, opts Options) (*Node, error) {
	opts.setDefaults()
	shards := opts.Store.Shards()
	n := &Node{
		opts: opts, log: opts.Log, self: link.Peer{Node: opts.Node, Incarnation: opts.Incarnation},
		started: opts.Now(), began: time.Now(),
		ready: make(chan struct{}), beatNow: make(chan struct{}, 1), claimNow: make(chan struct{}, 1),
		lost: make(chan error, 1), drainAsked: make(chan struct{}),
		epochs: make([]atomic.Uint64, shards), shards: make([]holding, shards),
		state:   feedengine.MemberStarting,
		intakes: intakes{all: map[intakeKey]*intake{}},
		pins:    map[feedengine.ShardID]string{}, movesBy: map[uint64]feedengine.ShardID{},
		shy:    map[string]shyness{},
		silent: map[string]link.Peer{}, heard: map[string]hearing{}, asks: newAsks(),
	}
	n.ctx, n.end = context.WithCancel(context.WithoutCancel(ctx))
	registered := opts.Metrics.ListMetricNames()
	n.metrics.register(n, opts.Metrics)
	if err := n.assemble(ctx); err != nil {
		n.end()
		forget(opts.Metrics, registered)
		return nil, fmt.Errorf("cluster: %w", err)
	}
	close(n.ready)
	if err := n.beat(); err != nil {
		dead, cancel := context.WithCancel(context.Background())
		cancel()
		n.Stop(dead) // nothing was begun that could fail
		forget(opts.Metrics, registered)
		return nil, fmt.Errorf("cluster: first beat: %w", err)
	}
	n.running.Go(n.beats)
	if n.host != nil {
		n.running.Go(n.claims)
	}
	return n, nil
}

// forget unregisters all metrics but these, for another New with the same set.
func forget(set *metrics.Set, but []string) {
	for _, name := range set.ListMetricNames() {
		if !slices.Contains(but, name) {
			set.UnregisterMetric(name)
		}
	}
}

// assemble makes the parts of the node.
func (n *Node) assemble(ctx context.Context) (err error) {
	opts, late := &n.opts, late{n}
	clock := shard.NewClock(opts.Now)
	var announces bool
	var local route.Host
	if opts.Roles.Shard {
		o := opts.Host
		o.Node, o.Store, o.Metrics, o.Log, o.Now = opts.Node, opts.Store, opts.Metrics, opts.Log, opts.Now
		o.Cluster, o.Outlet, o.Announce, o.OnLost = true, late, n.announce, n.onLost
		if n.host, err = shard.NewHost(ctx, o); err != nil {
			return err
		}
		local, clock, announces = n.host, n.host.Clock(), true
	}
	if opts.Roles.Gateway {
		n.router = route.NewRouter(route.RouterOptions{
			Self: opts.Node, Shards: len(n.shards),
			ShardOf: func(user string) feedengine.ShardID { return shard.Of(user, len(n.shards)) },
			Host:    local, Links: late, Gateway: opts.Outlet, Metrics: opts.Metrics, Log: opts.Log,
		})
	}
	if n.host != nil {
		n.server = route.NewServer(route.ServerOptions{
			Host: n.host, Router: n.router, Links: late,
			Epoch: func(s feedengine.ShardID) uint64 { return n.epochs[s].Load() }, Served: n.places,
			Metrics: opts.Metrics, Log: opts.Log,
		})
	}
	o := link.Options{
		Self: n.self, Bus: opts.Bus, Prefix: opts.Prefix, Clock: clock, Receiver: receiver{n},
		Announces: announces, Metrics: opts.Metrics, Log: opts.Log,
	}
	if n.host != nil {
		o.Heads, o.Lookup = n.heads, n.host.Recent
	}
	n.links = link.New(o)
	return nil
}

// late reaches parts that are made after those that are given it.
type late struct{ n *Node }

func (l late) Send(to string, m link.Message) bool { return l.n.links.Send(to, m) }

func (l late) Deliver(at feedengine.Place, to feedengine.GatewayID, d feedengine.Delivery) {
	l.n.server.Deliver(at, to, d)
}

func (l late) Reset(at feedengine.Place, to feedengine.GatewayID, r feedengine.Reset) {
	l.n.server.Reset(at, to, r)
}

// spawn runs f on a goroutine that Stop waits for, unless the node is stopping.
// Called with mu held.
func (n *Node) spawn(f func()) bool {
	if !n.stopping {
		n.running.Go(f)
	}
	return !n.stopping
}

// Submit hands a request to the shard that it concerns, wherever that is
// (gateway.Shards). Done is called exactly once, perhaps before Submit returns.
func (n *Node) Submit(r feedengine.Request) { n.router.Submit(r) }

// Owner is the node that owns the user's shard, as far as this one knows; "" when
// there is none alive. It never waits. The node must have the role gateway.
func (n *Node) Owner(user string) string { return n.router.Owner(user) }

// Check verifies the invariants of this node's shards.
func (n *Node) Check(context.Context) error {
	if n.host == nil {
		return nil
	}
	return n.host.Check()
}

// Kick has all gateways close the user's sockets.
func (n *Node) Kick(user string) {
	if n.opts.Kicked != nil {
		n.opts.Kicked(user)
	}
	n.links.Broadcast(link.Kick{User: user})
}

// Lost tells, once, that this node must stop: another process has taken its name.
func (n *Node) Lost() <-chan error { return n.lost }

// Ping reports whether the bus can be reached.
func (n *Node) Ping(ctx context.Context) error { return n.opts.Bus.Ping(ctx) }

// Stop ends the node: what was taken is finished, bounded by ctx, and the node
// leaves the roll. A context that has ended already makes it end as a crash
// does: nothing is written any more. Call Drain before it, and close the gateway.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	n.stopping = true
	n.mu.Unlock()
	n.end()
	n.running.Wait()
	if n.router != nil {
		n.router.Stop()
	}
	var errs []error
	if n.host != nil {
		if err := n.host.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("cluster: writes were given up: %w", err))
		}
	}
	n.links.Stop()
	if ctx.Err() == nil {
		if err := n.opts.Members.Leave(ctx, n.opts.Node, n.opts.Incarnation); err != nil {
			errs = append(errs, fmt.Errorf("cluster: leave: %w", err))
		}
	}
	return errors.Join(errs...)
}
