package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

type nodesCmd struct{}

// Run shows the nodes.
func (nodesCmd) Run(ctx context.Context, s *session) error {
	st, raw, err := s.state(ctx)
	if err != nil {
		return err
	}
	if s.json {
		return s.print(raw)
	}
	t := newTable("NODE", "ROLES", "STATE", ">SHARDS", ">CONNECTIONS", ">DELIVERIES/S", ">P50", ">P99", ">LOSSES", ">UP", "ADMIN")
	for _, n := range st.Nodes {
		t.add(n.cells(st.At)...)
	}
	if err := t.print(s.out); err != nil {
		return err
	}
	for _, node := range st.Missing {
		fmt.Fprintf(s.out, "%s does not answer\n", node)
	}
	for _, m := range st.Moves {
		fmt.Fprintf(s.out, "shard %d is moving from %s to %s, for %.2fs\n", m.Shard, m.From, m.To, m.Since)
	}
	return nil
}

func (n *nodeState) cells(now time.Time) []any {
	var roles []string
	if n.Gateway {
		roles = append(roles, "gateway")
	}
	if n.Shard {
		roles = append(roles, "shard")
	}
	cells := []any{n.Node, strings.Join(roles, ","), n.State}
	if n.State == "dead" {
		cells[2] = fmt.Sprintf("dead for %s", age(time.Duration(n.BeatAge*float64(time.Second))))
	}
	if !n.Answered {
		cells = append(cells, "-", "-", "-", "-", "-", "-")
	} else {
		lost := uint64(0)
		for _, l := range n.Links {
			lost += l.Lost
		}
		shards, connections, deliveries := any("-"), any("-"), any("-")
		if n.Shard {
			shards = n.Owned
		}
		if n.Gateway {
			connections, deliveries = n.Connections, fmt.Sprintf("%.1f", n.Deliveries)
		}
		cells = append(cells, shards, connections, deliveries, latency(n.P50), latency(n.P99), lost)
	}
	return append(cells, age(now.Sub(n.Started)), n.Admin)
}
