package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const drainLook = 20 * time.Millisecond

// Ready waits until the node takes part: it serves what it claimed, and all
// shards have owners that are alive; or returns ctx's error.
func (n *Node) Ready(ctx context.Context) error {
	return n.until(ctx, "get ready", func() bool {
		if n.state == feedengine.MemberStarting || len(n.owners) == 0 || len(n.wanted) > 0 || count(n.shards, claiming) > 0 {
			return false
		}
		for _, o := range n.owners {
			served := n.shards[o.Shard].phase != absent
			elsewhere := o.Node != "" && o.Node != n.opts.Node && !n.watch.dead(o.Node)
			if !served && !elsewhere {
				return false
			}
		}
		return true
	})
}

// Drain hands all shards to other nodes. It returns when none is left, when no
// other node could take them, or with ctx's error.
func (n *Node) Drain(ctx context.Context) error {
	n.mu.Lock()
	n.state = feedengine.MemberDraining
	n.wanted = nil
	n.startMoves()
	n.mu.Unlock()
	n.hurry() // the others are to know
	if n.host == nil {
		return nil
	}
	return n.until(ctx, "drain", func() bool {
		alone := len(n.takers()) == 0
		return count(n.shards, serving) == 0 && count(n.shards, leaving) == 0 && count(n.shards, claiming) == 0 ||
			alone && count(n.shards, leaving) == 0
	})
}

// until looks, with mu held, whether something is true, again and again.
func (n *Node) until(ctx context.Context, what string, is func() bool) error {
	for {
		n.mu.Lock()
		ok := is()
		n.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster: %s: %w", what, ctx.Err())
		case <-n.ctx.Done():
			return fmt.Errorf("cluster: %s: %w", what, n.ctx.Err())
		case <-time.After(drainLook):
		}
	}
}
