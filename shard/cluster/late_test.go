package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/shard/bus"
)

// figure is a metric of a node's.
func (n *testNode) figure(name string) string {
	var text strings.Builder
	n.set.WritePrometheus(&text)
	for line := range strings.Lines(text.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "no such metric"
}

// unmoved says what is not as it was: shards that changed hands, and work that was
// done only because somebody was late.
func (r *rig) unmoved(before []string, repairs ...string) {
	r.t.Helper()
	for s, owner := range r.owners() {
		if owner != before[s] {
			r.t.Errorf("shard %d went from %q to %q", s, before[s], owner)
		}
	}
	for name, n := range r.nodes {
		for _, metric := range repairs {
			if value := n.figure(metric); value != "0" {
				r.t.Errorf("%s: %s is %s", name, metric, value)
			}
		}
	}
}

// What takes four seconds from node to node is late, not lost: nothing is repaired,
// and nobody is taken for dead.
func TestBusLate(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		c.whole(false)
		before := r.owners()
		lacks := map[string]string{} // while the sessions attached, and shards moved
		reads := map[string]string{}
		for name, n := range r.nodes {
			lacks[name] = n.figure("feedgate_route_lacking_total")
			reads[name] = n.figure("feedgate_log_repairs_total")
		}
		r.hub.SetFaults(func(bus.Passage) bus.Fate { return bus.Fate{Delay: 4 * time.Second} })
		for range 40 {
			c.publish()
			r.pass(100 * time.Millisecond)
		}
		c.whole(false)
		r.unmoved(before, "feedgate_link_losses_total{found=\"gap\"}", "feedgate_link_losses_total{found=\"tail\"}")
		for name, n := range r.nodes {
			if lacking := n.figure("feedgate_route_lacking_total"); lacking != lacks[name] {
				t.Errorf("%s: sessions were rejoined: %s, before it was late %s", name, lacking, lacks[name])
			}
			if repairs := n.figure("feedgate_log_repairs_total"); repairs != reads[name] {
				t.Errorf("%s: logs were read: %s, before it was late %s", name, repairs, reads[name])
			}
		}
	})
}

// Nodes that are served later and later, as on a machine that has too much to do,
// keep their shards; who is killed among them is dead after three seconds all the same.
func TestNodesLate(t *testing.T) {
	inRig(t, []string{"a", "b", "c"}, func(r *rig) {
		c := newCrowd(r, 30)
		c.publish()
		c.whole(false)
		before := r.owners()
		for _, late := range []time.Duration{1900, 2300, 4000, 9000, 6000, 9000} {
			for _, name := range []string{"a", "b"} {
				goOn := r.nodes[name].store.hang()
				r.pass(late * time.Millisecond)
				goOn()
				r.pass(1500 * time.Millisecond)
			}
		}
		c.publish()
		c.whole(false)
		r.unmoved(before, "feedgate_node_peers_gone_total", "feedgate_shard_overtaken_total")

		c.leave(r.nodes["b"])
		r.crash("b")
		killed := time.Now()
		r.placed("a", "c")
		if took := time.Since(killed); took > 5*time.Second {
			t.Errorf("the shards of a node that was killed were served again after %v", took)
		}
	})
}
