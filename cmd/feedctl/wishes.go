package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type drainCmd struct {
	Node string        `arg:"" help:"Name of the node."`
	Wait time.Duration `default:"5m" help:"How long to wait until it is gone; 0 not at all."`
}

// drainLook is how often is looked how far a drain has come.
const drainLook = 500 * time.Millisecond

// Run drains a node, and waits until it is gone.
func (c *drainCmd) Run(ctx context.Context, s *session) error {
	st, _, err := s.state(ctx)
	if err != nil {
		return fmt.Errorf("drain %s: %w", c.Node, err)
	}
	itself := st.Node == c.Node
	if err := s.post(ctx, "/cluster/drain", map[string]any{"node": c.Node}); err != nil {
		return fmt.Errorf("drain %s: %w", c.Node, err)
	}
	if c.Wait == 0 {
		return s.said(map[string]any{"node": c.Node, "asked": true}, c.Node+" was asked to drain")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	told := ""
	for tick := time.NewTicker(drainLook); ; {
		st, _, err := s.state(ctx)
		left, there := st.left(c.Node)
		switch {
		case itself && errors.Is(err, errAway) && ctx.Err() == nil:
			return s.said(map[string]any{"node": c.Node, "gone": true}, c.Node+" was the node that answered here, and is gone")
		case err == nil && !there:
			return s.said(map[string]any{"node": c.Node, "gone": true}, c.Node+" is gone")
		case err == nil && left != told && !s.json:
			fmt.Fprintln(s.out, left)
			told = left
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not gone yet (%s)", c.Node, told)
		}
	}
}

// left tells what a node still has.
func (st *state) left(node string) (what string, there bool) {
	for _, n := range st.Nodes {
		if n.Node == node && n.State != "dead" {
			return fmt.Sprintf("%s: %s, %d shards and %d connections left", node, n.State, n.Owned, n.Connections), true
		}
	}
	return "", false
}

type moveCmd struct {
	Shard int    `arg:"" help:"Number of the shard."`
	Node  string `arg:"" help:"Name of the node that is to serve it."`
}

// Run moves a shard.
func (c *moveCmd) Run(ctx context.Context, s *session) error {
	began := time.Now()
	if err := s.post(ctx, "/cluster/move", map[string]any{"shard": c.Shard, "node": c.Node}); err != nil {
		return fmt.Errorf("move shard %d to %s: %w", c.Shard, c.Node, err)
	}
	return s.said(map[string]any{"shard": c.Shard, "node": c.Node},
		fmt.Sprintf("shard %d is served by %s, %v later; it stays there until that node goes", c.Shard, c.Node, time.Since(began).Round(time.Millisecond)))
}
