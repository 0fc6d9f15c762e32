package cluster

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

// Node is one node of a cluster.
type Node struct {
	opts Options
}

// New starts a node: from its first beat on it belongs to the cluster. It
// returns once the node has been seen by the others and has heard who owns what;
// a node with the role shard gets its shards after that (see Ready).
func New(ctx context.Context, opts Options) (*Node, error) { return &Node{opts: opts}, nil }

// Submit hands a request to the shard that it concerns, wherever that is
// (gateway.Shards). Done is called exactly once, perhaps before Submit returns.
func (n *Node) Submit(r feedengine.Request) { panic("not yet") }

// State gathers what all nodes know; those that do not answer are named in it.
func (n *Node) State(ctx context.Context) State { panic("not yet") }

// Check verifies the invariants of this node's shards.
func (n *Node) Check(ctx context.Context) error { panic("not yet") }

// Kick has all gateways close the user's sockets.
func (n *Node) Kick(user string) { panic("not yet") }

// Query asks a node (itself too) one of "state", "check", "explain", "drain",
// "move" or what Options.Answer knows, with args that are JSON or nil, and
// returns its JSON.
func (n *Node) Query(ctx context.Context, node, what string, args []byte) ([]byte, error) {
	panic("not yet")
}

// Gather asks all live nodes the same.
func (n *Node) Gather(ctx context.Context, what string, args []byte) []Told { panic("not yet") }

// Told is one node's answer.
type Told struct {
	Node string
	Data []byte // JSON
	Err  error
}

// Move has the shard's owner hand it to the named node, where it stays until
// that node goes, and waits until it is served there.
func (n *Node) Move(ctx context.Context, shard feedengine.ShardID, node string) error {
	panic("not yet")
}

// DrainAsked is closed when an operator has asked this node to go ("drain"):
// then do as on SIGTERM.
func (n *Node) DrainAsked() <-chan struct{} { panic("not yet") }

// Drain hands all shards to other nodes. It returns when none is left, when no
// other node could take them, or with ctx's error.
func (n *Node) Drain(ctx context.Context) error { panic("not yet") }

// Lost tells, once, that this node must stop: another process has taken its name.
func (n *Node) Lost() <-chan error { panic("not yet") }

// Ping reports whether the bus can be reached.
func (n *Node) Ping(ctx context.Context) error { panic("not yet") }

// Stop ends the node: what was taken is finished, bounded by ctx, and the node
// leaves the roll. A context that has ended already makes it end as a crash
// does: nothing is written any more. Call Drain before it, and close the gateway.
func (n *Node) Stop(ctx context.Context) error { panic("not yet") }
