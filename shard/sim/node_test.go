package sim

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/cluster"
	"github.com/feedgate/feedgate/shard/storefake"
)

// node is a process: the real node, its ways to bus and store, and a gateway that
// is only a table of sessions.
type node struct {
	*cluster.Node
	w     *world
	name  string
	roles cluster.Roles
	gate  *gate
	bus   *busGate
	store *storefake.Store
	start int // which of the world's starts this was
	set   *metrics.Set

	draining bool // guarded by w.mu, as are sessions
	sessions map[feedengine.SessionID]*client
}

// start makes a node and has it join. nil: the store was away.
func (w *world) start(name string, roles cluster.Roles) *node {
	w.starts++
	n := &node{
		w: w, name: name, roles: roles, gate: &gate{}, store: w.db.Connect(),
		start: w.starts, set: metrics.NewSet(), sessions: map[feedengine.SessionID]*client{},
	}
	n.bus = &busGate{w.hub.Join(name), n.gate}
	n.store.Slow = n.slow
	n.store.SetFail(n.fail)
	l := n.lot("start", "")
	skew := time.Duration(l.intn(600)-300) * time.Millisecond
	o := cluster.Options{
		Node: name, Version: "sim", Roles: roles, Store: n.store, Claims: n.store, Members: n.store, Bus: n.bus,
		Host: shard.Options{
			AuditEvery: 200 * time.Millisecond, Residency: 3 * time.Second, Ring: w.ring, Retention: time.Hour,
		},
		Incarnation: uint64(w.starts)<<32 + uint64(l.intn(1<<30)),
		Now:         func() time.Time { return time.Now().Add(skew) },
		Metrics:     n.set, Log: slog.New(&logLines{w: w, name: name}),
	}
	if roles.Gateway {
		o.Outlet = n
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	made, err := cluster.New(ctx, o)
	if err != nil {
		w.note("%s does not start: %v", name, err)
		n.gate.kill()
		n.bus.Memory.Close()
		return nil
	}
	n.Node = made
	w.count("starts")
	w.note("%s starts, gateway %v, shard %v", name, roles.Gateway, roles.Shard)
	w.mu.Lock()
	w.nodes[name] = n
	w.mu.Unlock()
	return n
}

// slow is how long a call of the store takes; a stopped process makes none.
func (n *node) slow(call string) time.Duration {
	n.gate.wait()
	l := n.lot("slow", call)
	d := time.Duration(200+l.intn(2000)) * time.Microsecond
	if p := n.w.stalls.Load(); p > 0 && l.intn(100) < int(p) {
		d += time.Duration(l.intn(1500)) * time.Millisecond
	}
	return d
}

// lot decides about the node's next call of this name.
func (n *node) lot(what, call string) lot {
	return newLot(n.w.seed, n.name, n.start, what, call, n.store.Count(call))
}

func (n *node) fail(call string) storefake.Fault {
	if !n.gate.wait() || n.w.storeDown.Load() {
		return storefake.Unavailable
	}
	l := n.lot("fail", call)
	if p := n.w.fails.Load(); p > 0 && l.intn(100) < int(p) {
		faults := []storefake.Fault{storefake.Unavailable, storefake.Committed, storefake.NotCommitted, storefake.Ghost, storefake.Unavailable, storefake.Committed, storefake.Hangs}
		if f := faults[l.intn(len(faults))]; f != storefake.Ghost || call == "append" {
			n.w.count("store fails: " + f.String())
			return f
		}
	}
	return storefake.Works
}

// crash ends a node as kill -9 does.
func (w *world) crash(n *node) {
	w.note("%s crashes", n.name)
	w.count("crashes")
	w.mu.Lock()
	delete(w.nodes, n.name)
	w.mu.Unlock()
	n.gate.kill()
	n.bus.SetCut(true)
	n.dropClients()
	w.bury(n)
}

// bury ends what is left of a node that nothing reaches any more.
func (w *world) bury(n *node) {
	n.reckon()
	w.graves.Go(func() {
		dead, cancel := context.WithCancel(context.Background())
		cancel()
		n.Stop(dead) // it fails to write, as it is to
		n.bus.Memory.Close()
	})
}

// reckon adds the node's own figures to the tally.
func (n *node) reckon() {
	var b strings.Builder
	n.set.WritePrometheus(&b)
	for line := range strings.Lines(b.String()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if x, err := strconv.Atoi(value); ok && err == nil && x > 0 && strings.Contains(name, "_total") {
			n.w.tally.count(name, x)
		}
	}
}

// dropClients closes all sockets.
func (n *node) dropClients() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for _, c := range n.sessions {
		c.cutOff()
	}
	clear(n.sessions)
}

// drain takes a node out of the cluster in good order.
func (w *world) drain(n *node) {
	w.note("%s drains", n.name)
	w.mu.Lock()
	n.draining = true
	w.mu.Unlock()
	w.graves.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		err := n.Drain(ctx)
		cancel()
		w.note("%s is drained: %v", n.name, err)
		w.count("drains")
		w.mu.Lock()
		here := w.nodes[n.name] == n
		if here {
			delete(w.nodes, n.name)
		}
		w.mu.Unlock()
		if !here {
			return // it crashed meanwhile
		}
		n.dropClients()
		n.reckon()
		ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = n.Stop(ctx)
		w.note("%s is stopped: %v", n.name, err)
		n.gate.kill()
		n.bus.Memory.Close()
	})
}

// freeze is SIGSTOP, and SIGCONT after d.
func (w *world) freeze(n *node, d time.Duration) {
	w.note("%s freezes for %v", n.name, d)
	w.count("freezes")
	n.gate.close()
	w.graves.Go(func() {
		time.Sleep(d)
		w.note("%s goes on", n.name)
		n.gate.open()
	})
}

// Deliver is cluster.Outlet's.
func (n *node) Deliver(d feedengine.Delivery) {
	d.To = append([]feedengine.Recipient(nil), d.To...)
	n.gate.pass(&n.gate.out, func() {
		n.w.mu.Lock()
		defer n.w.mu.Unlock()
		for _, to := range d.To {
			if c := n.sessions[to.Session]; c != nil {
				c.delivered(d.Event, to)
			}
		}
	})
}

// Reset is cluster.Outlet's.
func (n *node) Reset(r feedengine.Reset) {
	n.gate.pass(&n.gate.out, func() {
		n.w.mu.Lock()
		defer n.w.mu.Unlock()
		if c := n.sessions[r.Session]; c != nil {
			c.reset(r)
		}
	})
}

// ask sends a request by way of this node, and done its outcome, unless the node
// dies before.
func (n *node) ask(user string, do feedengine.Action, done func(feedengine.Result)) {
	r := feedengine.Request{User: user, Deadline: time.Now().Add(10 * time.Second), Do: do}
	if _, ok := do.(feedengine.Detach); ok {
		r.Deadline = time.Time{}
	}
	r.Done = func(res feedengine.Result) {
		n.gate.pass(&n.gate.out, func() {
			n.w.mu.Lock()
			defer n.w.mu.Unlock()
			done(res)
		})
	}
	n.gate.pass(&n.gate.in, func() { n.Submit(r) })
}

// logLines collects what nodes log.
type logLines struct {
	w     *world
	name  string
	attrs string
}

func (l *logLines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool { b.WriteString(" " + a.String()); return true })
	l.w.note("%s: %s%s%s", l.name, r.Message, l.attrs, b.String())
	return nil
}

func (l *logLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *l
	for _, a := range attrs {
		c.attrs += " " + a.String()
	}
	return &c
}

func (l *logLines) WithGroup(string) slog.Handler { return l }
