package console

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Cluster is what the console shows, and whom it asks. Functions that are nil
// are for nobody here: a node alone can neither be drained nor give shards away.
type Cluster struct {
	// State gathers the cluster's state. Its JSON is what /cluster shows.
	State func(ctx context.Context) State
	// Check has all nodes verify their invariants, in order of node.
	Check func(ctx context.Context) []Checked
	// Drain asks a node to stop as on SIGTERM.
	Drain func(ctx context.Context, node string) error
	// Move has a shard handed to a node, and waits until it is served there.
	Move func(ctx context.Context, shard feedengine.ShardID, node string) error
	// Post reads a post from storage; an error wraps feedengine.ErrNotFound when there is none.
	Post func(ctx context.Context, id feedengine.ID) (*feedengine.Post, error)
	// Trails asks all nodes what they know of a post on its way to a user.
	Trails func(ctx context.Context, user string, post feedengine.ID) []Trail
	// Wait bounds each of these; 3 s, and 15 s for a move.
	Wait time.Duration
}

// State is a cluster's state, which the console samples. What JSON it becomes
// is its maker's: see the fields that page/live.js reads.
type State interface {
	Sample() Sample
}

// Sample is what of a state is remembered for the charts.
type Sample struct {
	At          time.Time `json:"at"`
	Nodes       int       `json:"nodes"`       // alive
	Connections int       `json:"connections"` // of all
	Deliveries  float64   `json:"deliveries"`  // per second, of all
	P50         float64   `json:"p50"`         // from accepting a post to the socket's write, ms, of the slowest node
	P99         float64   `json:"p99"`
	Lag         uint64    `json:"lag"`      // events that the shard furthest behind has yet to apply
	Moves       int       `json:"moves"`    // under way
	Homeless    int       `json:"homeless"` // shards that nobody serves
	// Each holds the figures of single nodes.
	Each map[string]NodeSample `json:"each"`
}

// NodeSample is one node's part of a Sample.
type NodeSample struct {
	Connections int     `json:"connections"`
	Deliveries  float64 `json:"deliveries"`
	Shards      int     `json:"shards"`
}

// Checked is what one node says of its invariants, and of its counters.
type Checked struct {
	Node   string `json:"node"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	Audits uint64 `json:"audits"` // users whose counters were recounted since the node's start
	Drift  uint64 `json:"drift"`  // of whom they were not what the facts say
}

// Judge makes a node that has miscounted, or that did not say, one that is not well.
func (c Checked) Judge(answered bool) Checked {
	switch {
	case c.OK && !answered:
		c.OK, c.Error = false, "the node did not say what became of its audits"
	case c.OK && c.Drift > 0:
		c.OK, c.Error = false, "counters were not what the facts say"
	}
	return c
}
