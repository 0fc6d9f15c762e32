package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/storefake"
)

const rigShards = 32

// rig is a cluster in one process, in a synctest bubble.
type rig struct {
	t     *testing.T
	store *storefake.Store
	hub   *bus.Hub
	nodes map[string]*testNode
	log   *slog.Logger

	offset time.Duration // of the clocks of nodes that are started
}

type testNode struct {
	*Node
	store *flaky
	bus   *bus.Memory
	desk  *desk
	set   *metrics.Set
}

// inRig runs a test in a bubble, with a cluster of these nodes.
func inRig(t *testing.T, names []string, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(feedengine.IDEpoch.Add(24 * time.Hour))) // a bubble begins in the year 2000
		r := &rig{t: t, store: storefake.New(rigShards), hub: bus.NewHub(nil), nodes: map[string]*testNode{}, log: slog.New(slog.DiscardHandler)}
		if os.Getenv("CLUSTER_LOG") != "" {
			r.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		defer func() {
			for _, n := range r.nodes {
				n.stop(t)
			}
		}()
		for _, name := range names {
			r.start(name, Roles{Gateway: true, Shard: true})
		}
		r.ready()
		f(r)
	})
}

func (r *rig) start(name string, roles Roles) *testNode {
	r.t.Helper()
	n := &testNode{store: &flaky{Store: r.store.Connect()}, bus: r.hub.Join(name), desk: newDesk(r.t), set: metrics.NewSet()}
	offset := r.offset
	o := Options{
		Now: func() time.Time { return time.Now().Add(offset) }, Node: name, Version: "test", Admin: name + ":8081", Roles: roles,
		Store: n.store, Claims: n.store, Members: n.store, Bus: n.bus,
		Host:    shard.Options{AuditEvery: -1},
		Metrics: n.set, Log: r.log.With("node", name),
	}
	if roles.Gateway {
		o.Outlet = n.desk
	}
	// The store is away at first: New may be called again.
	n.store.away(true)
	if _, err := New(r.t.Context(), o); !errors.Is(err, feedengine.ErrUnavailable) {
		r.t.Fatalf("without a store: %v", err)
	}
	r.pass(time.Millisecond) // the next incarnation is a greater one
	n.store.SetFail(func(call string) storefake.Fault {
		if call == "beat" {
			return storefake.Unavailable
		}
		return storefake.Works
	})
	if _, err := New(r.t.Context(), o); !errors.Is(err, feedengine.ErrUnavailable) {
		r.t.Fatalf("without a first beat: %v", err)
	}
	r.pass(time.Millisecond)
	n.store.away(false)
	var err error
	if n.Node, err = New(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
	r.nodes[name] = n
	return n
}

// ready waits until all nodes are.
func (r *rig) ready() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	for _, n := range r.nodes {
		if err := n.Ready(ctx); err != nil {
			r.t.Fatal(err)
		}
	}
}

// stop ends a node in good order.
func (n *testNode) stop(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
	n.bus.Close()
}

// crash ends a node as kill -9 does: nothing of it reaches anybody any more.
func (r *rig) crash(name string) {
	n := r.nodes[name]
	delete(r.nodes, name)
	n.bus.SetCut(true)
	n.store.away(true)
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	n.Stop(dead) // it fails to write, as it is to
	n.bus.Close()
}

// owners is which node serves each shard, by the nodes' own word. A shard that
// two serve is an error, one that nobody serves is "".
func (r *rig) owners() []string {
	r.t.Helper()
	owners := make([]string, rigShards)
	for name, n := range r.nodes {
		if n.host == nil {
			continue
		}
		for _, s := range n.host.Served() {
			if owners[s.Shard] != "" {
				r.t.Errorf("shard %d is served by %s and %s", s.Shard, owners[s.Shard], name)
			}
			owners[s.Shard] = name
		}
	}
	return owners
}

// placed waits until all shards are served where they belong among these nodes.
func (r *rig) placed(nodes ...string) {
	r.t.Helper()
	r.eventually("shards are where they belong", func() bool {
		for s, owner := range r.owners() {
			if owner != place(nodes, feedengine.ShardID(s)) {
				return false
			}
		}
		return true
	})
}

// eventually waits, in the bubble's time, until something is so.
func (r *rig) eventually(what string, is func() bool) {
	r.t.Helper()
	for until := time.Now().Add(time.Minute); ; {
		synctest.Wait()
		if is() {
			return
		}
		if time.Now().After(until) {
			r.t.Fatalf("after a minute not yet: %s", what)
		}
		r.pass(10 * time.Millisecond)
	}
}

// pass lets the bubble's time go on.
func (r *rig) pass(d time.Duration) { <-time.After(d) }

// ask carries out a request and returns its outcome.
func (r *rig) ask(n *testNode, user string, do feedengine.Action) feedengine.Result {
	done := make(chan feedengine.Result, 1)
	n.Submit(feedengine.Request{User: user, Deadline: time.Now().Add(10 * time.Second), Do: do, Done: func(res feedengine.Result) { done <- res }})
	return <-done
}

// must is ask for requests that have to succeed.
func (r *rig) must(n *testNode, user string, do feedengine.Action) feedengine.Result {
	r.t.Helper()
	res := r.ask(n, user, do)
	if res.Err != nil {
		r.t.Fatalf("%T of %s: %v", do, user, res.Err)
	}
	return res
}

// flaky is one node's way to the store.
type flaky struct {
	*storefake.Store
	mu    sync.Mutex
	stuck chan struct{} // closed when what is stuck goes on; nil: nothing is
}

// away has the store be out of the node's reach, or not.
func (f *flaky) away(is bool) {
	f.SetFail(func(string) storefake.Fault {
		if is {
			return storefake.Unavailable
		}
		return storefake.Works
	})
}

// hang has what writes wait until the function that it returns is called.
func (f *flaky) hang() (goOn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stuck := make(chan struct{})
	f.stuck = stuck
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		close(stuck)
		f.stuck = nil
	}
}

// hangs waits while the node hangs, whatever its caller's patience.
func (f *flaky) hangs() {
	f.mu.Lock()
	stuck := f.stuck
	f.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
}

func (f *flaky) Beat(ctx context.Context, m feedengine.Member) (feedengine.Roll, error) {
	f.hangs()
	return f.Store.Beat(ctx, m)
}

func (f *flaky) Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error) {
	f.hangs()
	return f.Store.Claim(ctx, node, expect)
}

func (f *flaky) Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error {
	f.hangs()
	return f.Store.Append(ctx, fences, writes)
}

// desk stands for a gateway: it checks what its sessions are sent.
type desk struct {
	t  *testing.T
	mu sync.Mutex
	of map[feedengine.SessionID]*screen
}

// screen is one session.
type screen struct {
	user   string
	stream feedengine.StreamID
	n      uint64
	feed   uint32
	v      uint64
	posts  map[string]int // by text
	resets int
}

var lastSession feedengine.SessionID // of all desks; only tests' own goroutines attach

func newDesk(t *testing.T) *desk { return &desk{t: t, of: map[feedengine.SessionID]*screen{}} }

// attach opens a session at a node.
func (r *rig) attach(n *testNode, user string) *screen {
	r.t.Helper()
	lastSession++
	id, s := lastSession, &screen{user: user, posts: map[string]int{}}
	done := make(chan *feedengine.Error, 1)
	n.Submit(feedengine.Request{User: user, Do: feedengine.Attach{Session: id}, Done: func(res feedengine.Result) {
		n.desk.mu.Lock()
		s.stream, s.n, s.feed, s.v = res.Stream, res.N, res.Counts.Feed, res.Counts.V
		n.desk.of[id] = s
		n.desk.mu.Unlock()
		done <- res.Err
	}})
	if err := <-done; err != nil {
		r.t.Fatalf("attach %s: %v", user, err)
	}
	return s
}

func (d *desk) Deliver(m feedengine.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, to := range m.To {
		s := d.of[to.Session]
		if s == nil {
			d.t.Errorf("a delivery to session %d, which there is not", to.Session)
			continue
		}
		if m.Event != nil {
			if to.N != s.n+1 {
				d.t.Errorf("%s: event %d after %d", s.user, to.N, s.n)
			}
			s.n = to.N
			if m.Event.Post != nil {
				s.posts[m.Event.Post.Text]++
			}
		}
		if to.Counts.V < s.v {
			d.t.Errorf("%s: counters of version %d after %d", s.user, to.Counts.V, s.v)
		}
		s.feed, s.v = to.Counts.Feed, to.Counts.V
	}
}

func (d *desk) Reset(m feedengine.Reset) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.of[m.Session]
	if s == nil {
		d.t.Errorf("a reset of session %d, which there is not", m.Session)
		return
	}
	s.stream, s.n, s.feed, s.v = m.Stream, m.N, m.Counts.Feed, m.Counts.V
	s.resets++
}

// look reads what a session has been sent.
func (d *desk) look(s *screen) screen {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := *s
	c.posts = map[string]int{}
	for k, v := range s.posts {
		c.posts[k] = v
	}
	return c
}

// counter reads a metric.
func (n *testNode) counter(name string) uint64 { return n.set.GetOrCreateCounter(name).Get() }

func users(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("user-", i))
	}
	return names
}

// names are the nodes of a rig, in order.
func (r *rig) names() []string {
	names := sortedKeys(r.nodes)
	slices.Sort(names)
	return names
}
