package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/bus"
)

// crowd is users who all follow one author, on all nodes of a rig.
type crowd struct {
	r       *rig
	author  string
	screens map[*screen]*testNode
	sent    int
}

func newCrowd(r *rig, size int) *crowd {
	c := &crowd{r: r, author: "author", screens: map[*screen]*testNode{}}
	names := r.names()
	for i, user := range users(size) {
		n := r.nodes[names[i%len(names)]]
		r.must(n, user, feedengine.Follow{Users: []string{c.author}})
		c.screens[r.attach(n, user)] = n
	}
	return c
}

// publish posts once, through some node.
func (c *crowd) publish() {
	c.r.t.Helper()
	names := c.r.names()
	c.r.must(c.r.nodes[names[c.sent%len(names)]], c.author, feedengine.Publish{Text: fmt.Sprint("post ", c.sent), Kind: "post"})
	c.sent++
}

// whole waits until everybody has what was published from the post on, exactly
// once, and the right count. Those with a reset may lack what came before it.
func (c *crowd) whole(resets bool) {
	c.r.t.Helper()
	c.r.eventually("all have all posts", func() bool {
		for s, n := range c.screens {
			if got := n.desk.look(s); int(got.feed) != c.sent || got.resets == 0 && len(got.posts) != c.sent {
				return false
			}
		}
		return true
	})
	for s, n := range c.screens {
		got := n.desk.look(s)
		for text, times := range got.posts {
			if times != 1 {
				c.r.t.Errorf("%s was sent %q %d times", s.user, text, times)
			}
		}
		if got.resets > 0 && !resets {
			c.r.t.Errorf("%s was reset %d times", s.user, got.resets)
		}
	}
	for name, n := range c.r.nodes {
		if err := n.Check(c.r.t.Context()); err != nil {
			c.r.t.Errorf("%s: %v", name, err)
		}
	}
}

// leave forgets the sessions at a node, whose sockets are gone.
func (c *crowd) leave(n *testNode) {
	for s, at := range c.screens {
		if at == n {
			delete(c.screens, s)
		}
	}
}

func TestNodesShareTheShards(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		r.placed("a", "b", "c")
		for _, n := range r.nodes {
			if got := n.counter(`feedgate_shard_moves_total{outcome="moved"}`); got != 0 {
				t.Errorf("nodes that started together moved %d shards", got)
			}
		}
		c := newCrowd(r, 30)
		for range 10 {
			c.publish()
		}
		c.whole(false)
	})
}

// A node that is added gets its shards live: nobody is reset, nothing is lost.
func TestNodeAdded(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		before := r.owners()
		c.publish()
		r.start("d", Roles{Gateway: true, Shard: true})
		for range 200 {
			c.publish()
			r.pass(20 * time.Millisecond)
		}
		r.placed("a", "b", "c", "d")
		for s, owner := range r.owners() {
			if owner != before[s] && owner != "d" {
				t.Errorf("shard %d moved from %s to %s", s, before[s], owner)
			}
		}
		c.publish()
		c.whole(false)
		if in := r.nodes["d"].counter("feedgate_shard_moves_received_total"); in == 0 {
			t.Error("no shard was handed over")
		}
	})
}

// A node that is drained gives everything away first: nobody is reset.
func TestNodeDrained(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		b := r.nodes["b"]
		if err := b.Drain(r.t.Context()); err != nil {
			t.Fatal(err)
		}
		r.placed("a", "c")
		c.publish()
		c.whole(false)
		c.leave(b)
		delete(r.nodes, "b")
		b.stop(r.t)
		c.publish()
		c.whole(false)
	})
}

// A node that crashes is found dead within some seconds; the others take its
// shards, and the sessions of theirs are served on.
func TestNodeCrashes(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		c.leave(r.nodes["b"])
		r.crash("b")
		began := time.Now()
		r.placed("a", "c")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		c.publish()
		c.whole(true)
		synctest.Wait()
	})
}

// A node that restarts at once under its name has its shards again.
func TestNodeRestarts(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		c.leave(r.nodes["b"])
		r.crash("b")
		r.pass(100 * time.Millisecond)
		r.start("b", Roles{Gateway: true, Shard: true})
		r.placed("a", "b", "c")
		for _, name := range []string{"a", "c"} {
			if got := r.nodes[name].counter(`feedgate_shard_moves_total{outcome="moved"}`); got != 0 {
				t.Errorf("%s moved %d shards", name, got)
			}
		}
		c.publish()
		c.whole(true)
	})
}

// freeze stops all that a node says and hears, as SIGSTOP does from outside.
func (r *rig) freeze(name string) (thaw func()) {
	n := r.nodes[name]
	n.bus.SetCut(true)
	goOn := n.store.hang()
	return func() {
		n.bus.SetCut(false)
		goOn()
	}
}

// A node that was frozen for longer than its lease finds its shards gone and its
// sessions known to nobody; afterwards everything is as before, on the same sockets.
func TestNodeFrozen(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		c.whole(false)
		thaw := r.freeze("b")
		r.eventually("the others have all", func() bool {
			return len(r.nodes["a"].host.Served())+len(r.nodes["c"].host.Served()) == rigShards
		})
		for range 5 {
			r.must(r.nodes["a"], c.author, feedengine.Publish{Text: fmt.Sprint("post ", c.sent), Kind: "post"})
			c.sent++
		}
		r.pass(5 * time.Second)
		thaw()
		r.placed("a", "b", "c")
		c.publish()
		c.whole(true)
	})
}

// The only node with shards is frozen, and nobody can take them: when it goes on,
// so does everything, on the same streams.
func TestOnlyOwnerFrozen(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		r.start("s", Roles{Shard: true})
		g := r.start("g", Roles{Gateway: true})
		r.ready()
		c := &crowd{r: r, author: "author", screens: map[*screen]*testNode{}}
		for _, user := range users(20) {
			r.must(g, user, feedengine.Follow{Users: []string{c.author}})
			c.screens[r.attach(g, user)] = g
		}
		publish := func() {
			r.must(g, c.author, feedengine.Publish{Text: fmt.Sprint("post ", c.sent), Kind: "post"})
			c.sent++
		}
		publish()
		thaw := r.freeze("s")
		r.pass(20 * time.Second)
		thaw()
		publish()
		c.whole(false)
		// The same for the gateway: its sessions were taken for gone.
		thaw = r.freeze("g")
		r.pass(20 * time.Second)
		thaw()
		publish()
		c.whole(false)
	})
}

// A store that is away is nobody's death.
func TestStoreAway(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		before := r.owners()
		for _, n := range r.nodes {
			n.store.away(true)
		}
		r.pass(20 * time.Second)
		for _, n := range r.nodes {
			n.store.away(false)
		}
		c.publish()
		c.whole(false)
		r.pass(5 * time.Second)
		for s, owner := range r.owners() {
			if owner != before[s] {
				t.Errorf("shard %d went from %q to %q", s, before[s], owner)
			}
		}
	})
}

// A bus that is away delays what crosses nodes: nobody is reset, no shard moves.
func TestBusAway(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		before := r.owners()
		own := r.nodes[before[shard.Of(c.author, rigShards)]]
		r.hub.SetDown(true)
		for range 100 {
			r.must(own, c.author, feedengine.Publish{Text: fmt.Sprint("post ", c.sent), Kind: "post"})
			c.sent++
			r.pass(50 * time.Millisecond)
		}
		r.hub.SetDown(false)
		back := time.Now()
		c.whole(false)
		if took := time.Since(back); took > 2*time.Second {
			t.Errorf("whole again after %v", took)
		}
		for s, owner := range r.owners() {
			if owner != before[s] {
				t.Errorf("shard %d went from %q to %q", s, before[s], owner)
			}
		}
	})
}

// The answers to moves of one node are lost: it finds out that the shards were
// taken. The pieces of another's moves are lost: it takes the shards back, with
// their views.
func TestMovesThatLoseMessages(t *testing.T) {
	inRig(t, []string{"a", "b"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		c.whole(false)
		r.hub.SetFaults(func(p bus.Passage) bus.Fate {
			direct := strings.Contains(p.Topic, ":node:") // heartbeats go to all
			return bus.Fate{Drop: direct && (p.From == "d" && p.To == "a" || p.From == "b" && p.To == "d")}
		})
		r.start("d", Roles{Gateway: true, Shard: true})
		r.pass(20 * time.Second)
		r.hub.SetFaults(nil)
		c.publish()
		r.placed("a", "b", "d")
		c.publish()
		c.whole(false)
		for _, name := range []string{"a", "b"} {
			if got := r.nodes[name].counter(`feedgate_shard_moves_total{outcome="timeout"}`); got == 0 {
				t.Errorf("no move of %s timed out", name)
			}
		}
	})
}

// While the bus is away nothing is handed over: a shard would stand still for
// nobody. A node that joins meanwhile gets its shards when the bus is back.
func TestNodeAddedWhileTheBusIsAway(t *testing.T) {
	inRig(t, []string{"a", "b"}, func(r *rig) {
		before := r.owners()
		r.hub.SetDown(true)
		r.pass(5 * time.Second)
		r.start("d", Roles{Gateway: true, Shard: true})
		r.pass(20 * time.Second)
		for s, owner := range r.owners() {
			if owner != before[s] {
				t.Errorf("shard %d went from %q to %q", s, before[s], owner)
			}
		}
		for _, name := range []string{"a", "b"} {
			if got := r.nodes[name].counter(`feedgate_shard_moves_total{outcome="timeout"}`); got != 0 {
				t.Errorf("%d moves of %s timed out", got, name)
			}
		}
		r.hub.SetDown(false)
		r.placed("a", "b", "d")
	})
}

// A second process under the same name: the first one is told to stop.
func TestNameTaken(t *testing.T) {
	inRig(t, []string{"a", "b"}, func(r *rig) {
		first := r.nodes["b"]
		r.pass(time.Second)
		r.start("b", Roles{Gateway: true, Shard: true})
		select {
		case err := <-first.Lost():
			if !errors.Is(err, errNameTaken) {
				t.Errorf("lost with %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the first process was not told")
		}
		first.stop(r.t)
		r.placed("a", "b")
	})
}

// A node whose clock is off takes no shards.
func TestClockOff(t *testing.T) {
	inRig(t, []string{"a"}, func(r *rig) {
		r.offset = 1500 * time.Millisecond
		b := r.start("b", Roles{Gateway: true, Shard: true})
		r.pass(10 * time.Second)
		if got := len(b.host.Served()); got != 0 {
			t.Errorf("a node 1.5 s off serves %d shards", got)
		}
	})
}

// Gateways without shards, shards without a gateway.
func TestRoles(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		r.start("s1", Roles{Shard: true})
		r.start("s2", Roles{Shard: true})
		g1 := r.start("g1", Roles{Gateway: true})
		g2 := r.start("g2", Roles{Gateway: true})
		r.ready()
		r.placed("s1", "s2")
		c := &crowd{r: r, author: "author", screens: map[*screen]*testNode{}}
		for i, user := range users(20) {
			n := []*testNode{g1, g2}[i%2]
			r.must(n, user, feedengine.Follow{Users: []string{c.author}})
			c.screens[r.attach(n, user)] = n
		}
		for i := range 5 {
			r.must([]*testNode{g1, g2}[i%2], c.author, feedengine.Publish{Text: fmt.Sprint("post ", i), Kind: "post"})
			c.sent++
		}
		c.whole(false)
		c.leave(g2)
		r.crash("g2")
		r.pass(5 * time.Second)
		sessions := int64(0)
		for _, name := range []string{"s1", "s2"} {
			for _, s := range r.nodes[name].host.State().Shards {
				sessions += s.Sessions
			}
		}
		if sessions != 10 {
			t.Errorf("%d sessions after a gateway with 10 of 20 has gone", sessions)
		}
	})
}

// An operator moves a shard, and it stays; what a node says of the cluster; a
// drain from afar.
func TestOperators(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		s := shard.Of(c.author, rigShards)
		from := r.owners()[s]
		to := map[string]string{"a": "b", "b": "c", "c": "a"}[from]
		third := map[string]string{"a": "c", "b": "a", "c": "b"}[from]
		if err := r.nodes[third].Move(r.t.Context(), s, to); err != nil {
			t.Fatal(err)
		}
		r.pass(10 * time.Second)
		if got := r.owners()[s]; got != to {
			t.Errorf("shard %d is with %s, want %s", s, got, to)
		}
		c.publish()
		c.whole(false)
		if err := r.nodes[third].Move(r.t.Context(), s, "nobody"); !errors.Is(err, ErrNoNode) {
			t.Errorf("move to nobody: %v", err)
		}

		state := r.nodes[third].State(r.t.Context())
		if len(state.Nodes) != 3 || len(state.Missing) != 0 || len(state.Shards) != rigShards {
			t.Fatalf("state: %+v", state)
		}
		residents := int64(0)
		for i, sh := range state.Shards {
			if sh.Owner != r.owners()[i] || sh.Claimed != sh.Owner || sh.Epoch == 0 {
				t.Errorf("shard %d: %+v", i, sh)
			}
			residents += sh.Residents
		}
		if residents != 30 {
			t.Errorf("%d residents, want 30", residents)
		}
		if sh := state.Shards[s]; sh.Owner != to || !sh.Pinned || sh.Head == 0 {
			t.Errorf("the shard that was moved: %+v", sh)
		}
		for _, n := range state.Nodes {
			if !n.Answered || n.State != "serving" || n.Owned == 0 || n.BeatAge > 2 {
				t.Errorf("node: %+v", n)
			}
		}
		if err := r.nodes[third].CheckAll(r.t.Context()); err != nil {
			t.Error(err)
		}

		// Back to where it belongs: the pin is gone.
		if err := r.nodes[third].Move(r.t.Context(), s, from); err != nil {
			t.Fatal(err)
		}
		r.placed("a", "b", "c")

		if _, err := r.nodes[third].Query(r.t.Context(), from, "drain", nil); err != nil {
			t.Fatal(err)
		}
		<-r.nodes[from].DrainAsked()
	})
}

// The database comes back without its last commits: what is told to clients
// afterwards is what there is, and they are told by a reset.
func TestHistoryLost(t *testing.T) {
	for i := range 4 {
		busy, beats := i%2 == 1, uint64(i/2*5)
		inRig(t, []string{"a", "b", "c"}, func(r *rig) {
			c := newCrowd(r, 30)
			for range 10 {
				c.publish()
				r.pass(100 * time.Millisecond)
			}
			c.whole(false)
			for _, n := range r.nodes {
				n.store.away(true)
			}
			r.pass(1500 * time.Millisecond)
			c.sent -= len(r.store.Lose(5, beats))
			for _, n := range r.nodes {
				n.store.away(false)
			}
			if busy { // before any node has had the time to look
				c.sent++
				r.eventually("a post is taken", func() bool {
					res := r.ask(r.nodes["a"], c.author, feedengine.Publish{Text: "new", Kind: "post"})
					if res.Err != nil && !res.Err.Retryable() {
						t.Errorf("refused with %v", res.Err)
					}
					return res.Err == nil
				})
			}
			r.pass(10 * time.Second)
			c.sent++
			r.must(r.nodes["a"], c.author, feedengine.Publish{Text: "newer", Kind: "post"})
			c.whole(true)
			for s, n := range c.screens {
				if got := n.desk.look(s); got.resets == 0 || got.posts["newer"] != 1 {
					t.Errorf("%s: %+v", s.user, got)
				}
			}
		})
	}
}
