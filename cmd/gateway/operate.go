package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/console"
	"github.com/feedgate/feedgate/shard/cluster"
)

// admin is what the admin listener serves.
func (n *parts) admin(set *metrics.Set) http.Handler {
	c := console.Cluster{Post: n.store.Post, Wait: gatherWait}
	if n.node != nil {
		n.manyNodes(&c)
	} else {
		n.oneNode(&c, set)
	}
	return console.Handler(c, n.gateway.Admin())
}

func (n *parts) manyNodes(c *console.Cluster) {
	c.State = func(ctx context.Context) console.State { return clusterState{n.node.State(ctx)} }
	c.Check = n.checkAll
	c.Drain = func(ctx context.Context, node string) error {
		_, err := n.node.Query(ctx, node, "drain", nil)
		return err
	}
	c.Move = n.node.Move
	c.Trails = func(ctx context.Context, user string, post feedengine.ID) []console.Trail {
		return trailsOf(n.node.Trails(ctx, user, post))
	}
}

// audit is what a node answers to the question of that name.
type audit struct {
	Audits uint64 `json:"audits"`
	Drift  uint64 `json:"drift"`
}

func auditOf(set *metrics.Set) audit {
	return audit{
		Audits: set.GetOrCreateCounter("feedgate_counter_audits_total").Get(),
		Drift:  set.GetOrCreateCounter("feedgate_counter_drift_total").Get(),
	}
}

// answers are the questions of other nodes that are not about shards.
func answers(set *metrics.Set) func(context.Context, string, []byte) (any, error) {
	return func(_ context.Context, what string, _ []byte) (any, error) {
		if what != "audit" {
			return nil, fmt.Errorf("%q is no question that this node knows", what)
		}
		return auditOf(set), nil
	}
}

// checkAll asks all nodes for their invariants, and for what became of audits.
func (n *parts) checkAll(ctx context.Context) []console.Checked {
	audits := map[string]audit{}
	for _, t := range n.node.Gather(ctx, "audit", nil) {
		var a audit
		if t.Err == nil && json.Unmarshal(t.Data, &a) == nil {
			audits[t.Node] = a
		}
	}
	checked := []console.Checked{}
	for _, t := range n.node.Gather(ctx, "check", nil) {
		a, answered := audits[t.Node]
		c := console.Checked{Node: t.Node, OK: t.Err == nil, Audits: a.Audits, Drift: a.Drift}
		if t.Err != nil {
			c.Error = t.Err.Error()
		}
		checked = append(checked, c.Judge(answered))
	}
	return checked
}

// oneNode is a node that is no cluster's.
func (n *parts) oneNode(c *console.Cluster, set *metrics.Set) {
	started := time.Now()
	c.State = func(context.Context) console.State { return n.aloneState(started) }
	c.Check = func(context.Context) []console.Checked {
		a := auditOf(set)
		one := console.Checked{Node: n.cfg.NodeID, OK: true, Audits: a.Audits, Drift: a.Drift}
		if err := n.host.Check(); err != nil {
			one.OK, one.Error = false, err.Error()
		}
		return []console.Checked{one.Judge(true)}
	}
	c.Trails = func(ctx context.Context, user string, post feedengine.ID) []console.Trail {
		t := cluster.Trail{Node: n.cfg.NodeID}
		x, err := n.host.Explain(ctx, user, post)
		if err != nil {
			t.Err = err.Error()
		} else {
			t.Host = &x
			t.Sockets, _ = json.Marshal(n.gateway.Trails(user)) // strings, numbers and times always encode
		}
		return trailsOf([]cluster.Trail{t})
	}
}

// aloneState is the state of a node alone, in the words of a cluster's.
func (n *parts) aloneState(started time.Time) clusterState {
	s := cluster.State{Node: n.cfg.NodeID, At: time.Now(), Moves: []cluster.MoveState{}, Missing: []string{}}
	for _, one := range n.host.State().Shards {
		s.Shards = append(s.Shards, cluster.ShardState{ShardState: one, Claimed: one.Owner})
	}
	s.Nodes = []cluster.NodeState{{
		Node: n.cfg.NodeID, Gateway: true, Shard: true, State: "serving", Version: version(), Started: started,
		Owned: len(s.Shards), Answered: true, Figures: n.sockets.Figures(), Links: []cluster.LinkState{},
	}}
	return clusterState{s}
}

// trailsOf says what nodes know in the console's words, which are the same in JSON.
func trailsOf(known []cluster.Trail) []console.Trail {
	trails := make([]console.Trail, len(known))
	for i, t := range known {
		raw, err := json.Marshal(t)
		if err == nil {
			err = json.Unmarshal(raw, &trails[i])
		}
		if err != nil {
			trails[i] = console.Trail{Node: t.Node, Err: err.Error()}
		}
	}
	return trails
}

// clusterState lets the console sample a state.
type clusterState struct{ cluster.State }

// Sample is what the console's charts show.
func (s clusterState) Sample() console.Sample {
	out := console.Sample{Moves: len(s.Moves), Each: map[string]console.NodeSample{}}
	for _, n := range s.Nodes {
		if n.State == "dead" {
			continue
		}
		out.Nodes++
		out.Connections += n.Connections
		out.Deliveries += n.Deliveries
		out.P50 = max(out.P50, float64(n.P50)/float64(time.Millisecond))
		out.P99 = max(out.P99, float64(n.P99)/float64(time.Millisecond))
		out.Each[n.Node] = console.NodeSample{Connections: n.Connections, Deliveries: n.Deliveries, Shards: n.Owned}
	}
	for _, one := range s.Shards {
		out.Lag = max(out.Lag, one.Lag)
		if one.Owner == "" {
			out.Homeless++
		}
	}
	return out
}
