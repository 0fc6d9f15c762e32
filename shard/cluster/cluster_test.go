package cluster

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
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
