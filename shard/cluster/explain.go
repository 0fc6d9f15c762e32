package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/route"
)

// question of "explain": what became of a post on its way to a user.
type explainArgs struct {
	User string        `json:"user"`
	Post feedengine.ID `json:"post,string"`
}

// Trail is what one node knows of it.
type Trail struct {
	Node    string             `json:"node"`
	Err     string             `json:"err,omitempty"`     // the node does not answer
	Host    *shard.Explanation `json:"host,omitempty"`    // with the role shard
	Route   *route.Trail       `json:"route,omitempty"`   // with the role gateway
	Sockets json.RawMessage    `json:"sockets,omitempty"` // likewise: what Options.Sockets says
}

// Trails asks all live nodes what became of a post on its way to a user. Those
// that do not answer are named with an Err.
func (n *Node) Trails(ctx context.Context, user string, post feedengine.ID) []Trail {
	args, err := json.Marshal(explainArgs{user, post})
	if err != nil {
		return []Trail{{Node: n.opts.Node, Err: err.Error()}}
	}
	var trails []Trail
	for _, t := range n.Gather(ctx, "explain", args) {
		trail := Trail{}
		err := t.Err
		if err == nil {
			err = json.Unmarshal(t.Data, &trail)
		}
		trail.Node = t.Node
		if err != nil {
			trail.Err = err.Error()
		}
		trails = append(trails, trail)
	}
	return trails
}

// explain answers "explain" for this node.
func (n *Node) explain(ctx context.Context, args []byte) (*Trail, error) {
	var q explainArgs
	if err := json.Unmarshal(args, &q); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	t := &Trail{Node: n.opts.Node}
	if n.host != nil {
		x, err := n.host.Explain(ctx, q.User, q.Post)
		if err != nil {
			return nil, err
		}
		t.Host = &x
	}
	if n.router != nil {
		x := n.router.Explain(q.User, q.Post)
		t.Route = &x
	}
	if n.opts.Sockets != nil {
		var err error
		if t.Sockets, err = json.Marshal(n.opts.Sockets(q.User)); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
	}
	return t, nil
}
