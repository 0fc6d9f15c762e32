package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// A pin overrides where a shard belongs: it stays on the node that an operator
// has moved it to. The old owner has the pin to hand the shard over, the new one
// to keep it. A pin is nowhere durable: it holds as long as the node that it
// names goes on serving; after that, and after a move to where the shard belongs
// anyway, placement decides again.

// wish is the JSON of "pin" and "move".
type wish struct {
	Shard int    `json:"shard"`
	Node  string `json:"node"`
}

const moveLook = 20 * time.Millisecond // how often the end of a move is looked for

var (
	errNoShard  = errors.New("there is no such shard")
	errNotOwner = errors.New("this node does not serve the shard")
)

// Move has the shard's owner hand it to the named node, where it stays until
// that node goes, and waits until it is served there.
func (n *Node) Move(ctx context.Context, shard feedengine.ShardID, node string) error {
	if int(shard) >= len(n.shards) {
		return errNoShard
	}
	args, err := json.Marshal(wish{int(shard), node})
	if err != nil {
		return err
	}
	n.mu.Lock()
	s := n.watch.seen[node]
	ok := s != nil && !s.dead && s.Shard && s.State == feedengine.MemberServing
	n.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w, or it takes no shards: %q", ErrNoNode, node)
	}
	if _, err := n.Query(ctx, node, "pin", args); err != nil {
		return fmt.Errorf("move shard %d: %w", shard, err)
	}
	for {
		n.mu.Lock()
		owner := n.shards[shard].knownOf
		n.mu.Unlock()
		if owner == node {
			return nil
		}
		if _, err = n.Query(ctx, owner, "move", args); err == nil {
			return nil
		}
		// Perhaps it has just gone somewhere else: that comes to be known.
		select {
		case <-time.After(moveLook):
		case <-ctx.Done():
			return fmt.Errorf("move shard %d: %w", shard, err)
		}
		n.mu.Lock()
		moved := n.shards[shard].knownOf != owner
		n.mu.Unlock()
		if !moved {
			return fmt.Errorf("move shard %d: %w", shard, err)
		}
	}
}

// grant carries out a wish. A move waits until the shard has left.
func (n *Node) grant(ctx context.Context, what string, w wish) error {
	if n.host == nil || w.Shard < 0 || w.Shard >= len(n.shards) {
		return errNoShard
	}
	s := feedengine.ShardID(w.Shard)
	n.mu.Lock()
	if what == "move" && n.shards[s].phase != serving && n.shards[s].phase != leaving {
		n.mu.Unlock()
		return errNotOwner
	}
	if place(n.takers(), s) == w.Node {
		delete(n.pins, s)
	} else {
		n.pins[s] = w.Node
	}
	delete(n.shy, w.Node) // whatever failed before
	n.shards[s].notTo = ""
	if what == "move" {
		n.startMoves()
	}
	n.mu.Unlock()
	if what == "pin" {
		return nil
	}
	for {
		n.mu.Lock()
		h := n.shards[s]
		n.mu.Unlock()
		switch {
		case h.phase == absent:
			return nil
		case h.phase == serving && h.notTo == w.Node:
			return fmt.Errorf("%s did not take it", w.Node)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(moveLook):
		}
	}
}

// forgetPins drops those that have no effect any more. Called with mu held.
func (n *Node) forgetPins() {
	for s, node := range n.pins {
		own := n.watch.seen[node]
		gone := own == nil || own.dead || own.State != feedengine.MemberServing
		away := node != n.opts.Node && n.shards[s].phase == absent
		if gone && node != n.opts.Node || away || node == n.opts.Node && n.state != feedengine.MemberServing {
			delete(n.pins, s)
		}
	}
}
