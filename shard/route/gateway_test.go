package route

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// fakeGateway checks what its sessions are sent: each the events of its stream,
// one after the other.
type fakeGateway struct {
	w    *world
	node *node

	mu       sync.Mutex
	sessions map[feedengine.SessionID]*client
	lastID   feedengine.SessionID
}

// client is one session.
type client struct {
	g    *fakeGateway
	id   feedengine.SessionID
	user string

	// Guarded by g.mu.
	attached, ended bool
	background      bool // granted, and no return asked for
	returning       int  // returns asked for
	refused         bool // a SetState was: it may have been carried out or not
	asking          int  // session asks under way
	stream          feedengine.StreamID
	n, v            uint64
	resets          int
	events          int
}

func (g *fakeGateway) client(id feedengine.SessionID) *client { return g.sessions[id] }

func (g *fakeGateway) fault(format string, args ...any) {
	g.w.fault(g.node.peer.Node+": "+format, args...)
}

func (g *fakeGateway) Deliver(d feedengine.Delivery) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, to := range d.To {
		c := g.client(to.Session)
		switch {
		case c == nil || c.ended:
			continue
		case !c.attached:
			g.fault("session %d was delivered to before it was attached", to.Session)
			continue
		case d.Event == nil:
			if to.Counts.V < c.v {
				g.fault("session %d: counters went back from %d to %d", to.Session, c.v, to.Counts.V)
			}
			c.v = to.Counts.V
			continue
		case c.background:
			g.fault("session %d in the background was sent an event", to.Session)
		}
		if to.N != c.n+1 {
			g.fault("session %d was sent %d after %d", to.Session, to.N, c.n)
		}
		g.w.mu.Lock()
		is := g.w.streams[c.stream][to.N]
		g.w.mu.Unlock()
		if is == nil || is.ID != d.Event.ID {
			g.fault("session %d, stream %d: event %d is not %v", to.Session, c.stream, to.N, d.Event.ID)
		}
		c.n, c.v = to.N, max(c.v, to.Counts.V)
		c.events++
	}
}

func (g *fakeGateway) Reset(r feedengine.Reset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.client(r.Session)
	switch {
	case c == nil || c.ended:
		return
	case !c.attached:
		g.fault("session %d was reset before it was attached", r.Session)
	case r.Reason == feedengine.Rejoined:
		g.fault("session %d was told that nothing was skipped", r.Session)
	case r.Stream == c.stream && r.N == c.n:
		g.fault("session %d was reset to where it was", r.Session)
	}
	c.stream, c.n, c.v = r.Stream, r.N, r.Counts.V
	c.resets++
}

// submit asks for something and checks that it is answered once.
func (g *fakeGateway) submit(user string, do feedengine.Action, done func(feedengine.Result)) {
	began := time.Now()
	answers := 0
	req := feedengine.Request{User: user, Deadline: began.Add(10 * time.Second), Do: do}
	if _, ok := do.(feedengine.Detach); ok {
		req.Deadline = time.Time{}
	}
	open := &g.w.open
	open.Add(1)
	req.Done = func(res feedengine.Result) {
		g.mu.Lock()
		answers++
		if answers > 1 {
			g.fault("%T of %s was answered %d times", do, user, answers)
		} else {
			open.Add(-1)
		}
		if res.Err == feedengine.ErrElsewhere {
			g.fault("%T was answered with ErrElsewhere", do)
		}
		g.mu.Unlock()
		done(res)
	}
	g.node.router.Submit(req)
}

func (g *fakeGateway) attach(user string, resume *feedengine.Resume) *client {
	g.mu.Lock()
	g.lastID++
	c := &client{g: g, id: g.lastID, user: user, asking: 1}
	g.sessions[c.id] = c
	g.mu.Unlock()
	g.submit(user, feedengine.Attach{Session: c.id, Resume: resume}, func(res feedengine.Result) {
		g.mu.Lock()
		defer g.mu.Unlock()
		c.asking--
		if res.Err != nil {
			c.ended = true
			return
		}
		if c.ended {
			return
		}
		c.attached, c.stream, c.n, c.v = true, res.Stream, res.N, res.Counts.V
		if res.Resumed {
			c.n = resume.N
		}
	})
	return c
}

func (c *client) detach() {
	c.g.mu.Lock()
	was := c.ended
	c.ended = true
	c.g.mu.Unlock()
	if !was {
		c.g.submit(c.user, feedengine.Detach{Session: c.id}, func(feedengine.Result) {})
	}
}

func (c *client) sync(n uint64) {
	c.g.mu.Lock()
	c.asking++
	of := c.stream
	c.g.mu.Unlock()
	c.g.submit(c.user, feedengine.Sync{Session: c.id, N: n}, func(res feedengine.Result) {
		c.g.mu.Lock()
		defer c.g.mu.Unlock()
		c.asking--
		if res.Err == nil && of == c.stream { // else it was reset meanwhile
			c.n = min(c.n, n)
		}
	})
}

func (c *client) setState(background bool) {
	c.g.mu.Lock()
	c.asking++
	if !background {
		c.background = false
		c.returning++
	}
	c.g.mu.Unlock()
	c.g.submit(c.user, feedengine.SetState{Session: c.id, Background: background}, func(res feedengine.Result) {
		c.g.mu.Lock()
		defer c.g.mu.Unlock()
		c.asking--
		if !background {
			c.returning--
		}
		c.refused = c.refused || res.Err != nil
		if res.Err == nil {
			c.background = background && c.returning == 0 && !c.refused
		}
	})
}

// clients are those that are there, in order.
func (g *fakeGateway) clients() []*client {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*client
	for _, c := range g.sessions {
		if !c.ended {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *client) int { return int(a.id) - int(b.id) })
	return all
}

// newNode makes a node and has it join.
func newNode(net *network, w *world, name string, incarnation uint64, gateway, shards bool) *node {
	n := &node{peer: link.Peer{Node: name, Incarnation: incarnation}, net: net, mail: make(chan func(), 4096), done: make(chan struct{})}
	if shards {
		n.host = newFakeHost(n, w)
	}
	set := metrics.NewSet()
	if gateway {
		n.gate = &fakeGateway{w: w, node: n, sessions: map[feedengine.SessionID]*client{}}
		n.gate.lastID = feedengine.SessionID(incarnation << 20) // see doc.go: numbers of two lives must not meet
		o := RouterOptions{
			Self: name, Shards: w.shards, ShardOf: w.shardOf, Links: n, Gateway: n.gate, Metrics: set, Log: quiet,
		}
		if shards {
			o.Host = n.host
		}
		n.router = NewRouter(o)
	}
	if shards {
		n.server = NewServer(ServerOptions{
			Host: n.host, Router: n.router, Links: n, Epoch: n.host.epoch, Served: n.host.served, Metrics: set, Log: quiet,
		})
	}
	net.join(n)
	go n.run()
	return n
}

func (n *node) alive() bool {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	return n.net.nodes[n.peer.Node] == n
}

// kill ends a node's life at once.
func (n *node) kill() {
	n.net.leave(n)
	if n.host != nil {
		for _, p := range n.host.served() {
			n.host.shut(p.Shard)
		}
	}
	if n.router != nil {
		n.router.Stop()
	}
	close(n.done)
}

// settled says what is not as it must be once everything works again.
func (g *fakeGateway) settled(owner func(feedengine.ShardID) *node) []string {
	var wrong []string
	for _, c := range g.clients() {
		s := g.w.shardOf(c.user)
		h := owner(s)
		out := make(chan string, 1)
		f := h.host.shard(s)
		f.offer(func() {
			v := f.views[c.user]
			g.mu.Lock()
			defer g.mu.Unlock()
			switch {
			case !c.attached:
				out <- fmt.Sprintf("session %d is not attached", c.id)
			case v == nil:
				out <- fmt.Sprintf("session %d: there is no view of %s", c.id, c.user)
			case v.stream != c.stream:
				out <- fmt.Sprintf("session %d is in stream %d, not %d", c.id, c.stream, v.stream)
			case !v.background(h, g.node.peer.Node, c.id) && v.n != c.n:
				out <- fmt.Sprintf("session %d has seen %d of %d", c.id, c.n, v.n)
			case !c.refused && c.background != v.background(h, g.node.peer.Node, c.id):
				out <- fmt.Sprintf("session %d is in the background: %v for its owner", c.id, !c.background)
			case v.v != c.v:
				out <- fmt.Sprintf("session %d knows counters %d, not %d", c.id, c.v, v.v)
			default:
				out <- ""
			}
		}, nil)
		if why := <-out; why != "" {
			wrong = append(wrong, g.node.peer.Node+": "+why+"; "+g.explain(c))
		}
	}
	return wrong
}

func (g *fakeGateway) explain(c *client) string {
	return fmt.Sprintf("%+v", g.node.router.Explain(c.user, 0))
}
