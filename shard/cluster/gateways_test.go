package cluster

import (
	"context"
	"testing"
)

// Those who take clients are the others that hold sockets and stay.
func TestGateways(t *testing.T) {
	inRig(t, []string{"a", "b"}, func(r *rig) {
		r.start("c", Roles{Shard: true})
		r.eventually("a counts b", func() bool { return r.nodes["a"].Gateways() == 1 })
		r.start("d", Roles{Gateway: true})
		r.eventually("a counts d", func() bool { return r.nodes["a"].Gateways() == 2 })
		if err := r.nodes["b"].Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.eventually("a does not count b", func() bool { return r.nodes["a"].Gateways() == 1 })
		if n := r.nodes["b"].Gateways(); n != 2 {
			t.Errorf("b counts %d gateways that take its clients, want 2", n)
		}
		r.crash("d")
		r.eventually("a does not count d", func() bool { return r.nodes["a"].Gateways() == 0 })
	})
}
