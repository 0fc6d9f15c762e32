package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
)

// State is the whole cluster as one node could gather it.
type State struct {
	Node    string       `json:"node"` // who gathered it
	At      time.Time    `json:"at"`
	Nodes   []NodeState  `json:"nodes"`   // in order of name
	Shards  []ShardState `json:"shards"`  // all, in order
	Moves   []MoveState  `json:"moves"`   // under way
	Missing []string     `json:"missing"` // nodes that did not answer
}

// NodeState is one node.
type NodeState struct {
	Node        string    `json:"node"`
	Incarnation uint64    `json:"incarnation,string"`
	Gateway     bool      `json:"gateway"`
	Shard       bool      `json:"shard"`
	State       string    `json:"state"` // starting, serving, draining, dead
	Admin       string    `json:"admin"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	BeatAge     float64   `json:"beat_age"` // seconds since the gatherer saw it beat
	Owned       int       `json:"owned"`    // shards that it serves
	Answered    bool      `json:"answered"` // what follows is known
	Figures
	Links []LinkState `json:"links"`
}

// ShardState is a shard, with who serves it: Owner is "" when nobody that
// answered does.
type ShardState struct {
	shard.ShardState
	Claimed string `json:"claimed"` // whom the store's roll names
	Pinned  bool   `json:"pinned"`  // an operator has moved it there
}

// MoveState is a shard on its way.
type MoveState struct {
	Shard feedengine.ShardID `json:"shard"`
	From  string             `json:"from"`
	To    string             `json:"to"`
	Since float64            `json:"since"` // seconds
}

// LinkState is what one node hears of another.
type LinkState struct {
	Peer  string  `json:"peer"`
	Heard float64 `json:"heard"` // seconds since the last message
	Lost  uint64  `json:"lost"`  // how often messages on it were found lost
}

// report is what a node says of itself in a State.
type report struct {
	Shards []shard.ShardState `json:"shards"` // those that it serves
	Pinned []int              `json:"pinned"`
	Moves  []MoveState        `json:"moves"`
	Links  []LinkState        `json:"links"`
	Figures
}

// report answers "state".
func (n *Node) report() report {
	r := report{}
	if n.host != nil {
		r.Shards = n.host.State().Shards
	}
	if n.opts.Figures != nil {
		r.Figures = n.opts.Figures()
	}
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	r.Shards = slices.DeleteFunc(r.Shards, func(s shard.ShardState) bool {
		p := n.shards[s.Shard].phase
		return p != serving && p != leaving
	})
	for s := range n.shards {
		if h := &n.shards[s]; h.phase == leaving {
			r.Moves = append(r.Moves, MoveState{feedengine.ShardID(s), n.opts.Node, h.to, now.Sub(h.since).Seconds()})
		}
		if n.pins[feedengine.ShardID(s)] == n.opts.Node {
			r.Pinned = append(r.Pinned, s)
		}
	}
	for _, node := range sortedKeys(n.heard) {
		h := n.heard[node]
		r.Links = append(r.Links, LinkState{node, now.Sub(h.at).Seconds(), h.lost})
	}
	return r
}

// State gathers what all nodes know; those that do not answer by ctx's end are
// named in it.
func (n *Node) State(ctx context.Context) State {
	answers := n.Gather(ctx, "state", nil)
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	s := State{Node: n.opts.Node, At: n.opts.Now(), Shards: make([]ShardState, len(n.shards))}
	for i := range s.Shards {
		s.Shards[i].Shard = i
		if i < len(n.owners) {
			s.Shards[i].Claimed, s.Shards[i].Epoch = n.owners[i].Node, n.owners[i].Epoch
		}
	}
	for _, node := range sortedKeys(n.watch.seen) {
		s.Nodes = append(s.Nodes, n.nodeState(n.watch.seen[node], now))
	}
	for _, a := range answers {
		var r report
		err := a.Err
		if err == nil {
			err = json.Unmarshal(a.Data, &r)
		}
		if err != nil {
			s.Missing = append(s.Missing, a.Node)
			continue
		}
		s.add(a.Node, r)
	}
	return s
}

// nodeState is what the watch says of a node. Called with mu held.
func (n *Node) nodeState(m *sighting, now time.Time) NodeState {
	state := map[feedengine.MemberState]string{
		feedengine.MemberStarting: "starting", feedengine.MemberServing: "serving", feedengine.MemberDraining: "draining",
	}[m.State]
	if m.dead {
		state = "dead"
	}
	return NodeState{
		Node: m.Node, Incarnation: m.Incarnation, Gateway: m.Gateway, Shard: m.Shard, State: state,
		Admin: m.Admin, Version: m.Version, Started: m.Started, BeatAge: now.Sub(m.changed).Seconds(),
	}
}

// add takes in what a node has told.
func (s *State) add(node string, r report) {
	for i := range s.Nodes {
		if o := &s.Nodes[i]; o.Node == node {
			o.Answered, o.Figures, o.Links, o.Owned = true, r.Figures, r.Links, len(r.Shards)
		}
	}
	s.Moves = append(s.Moves, r.Moves...)
	for _, mine := range r.Shards {
		if mine.Shard < 0 || mine.Shard >= len(s.Shards) {
			continue
		}
		// Of two that think they serve it, the one with the higher epoch does.
		if o := &s.Shards[mine.Shard]; o.Owner == "" || mine.Epoch > o.Epoch {
			o.ShardState = mine
			o.Owner = node
			o.Pinned = slices.Contains(r.Pinned, mine.Shard)
		}
	}
}
