package cluster

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
)

// State is the whole cluster as one node could gather it.
type State struct {
	Node    string       `json:"node"` // who gathered it
	At      time.Time    `json:"at"`
	Nodes   []NodeState  `json:"nodes"`  // in order of name
	Shards  []ShardState `json:"shards"` // all, in order
	Moves   []MoveState  `json:"moves"`  // under way
	Missing []string     `json:"missing"`
}

// NodeState is one node.
type NodeState struct {
	Node        string    `json:"node"`
	Incarnation uint64    `json:"incarnation"`
	Gateway     bool      `json:"gateway"`
	Shard       bool      `json:"shard"`
	State       string    `json:"state"` // starting, serving, draining, dead
	Admin       string    `json:"admin"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	BeatAge     float64   `json:"beat_age"` // seconds since the gatherer saw it beat
	Owned       int       `json:"owned"`    // shards that it serves
	Answered    bool      `json:"answered"`
	Figures
	Links []LinkState `json:"links"`
}

// ShardState is a shard, with who serves it: Owner is "" when nobody that
// answered does.
type ShardState struct {
	shard.ShardState
	Claimed string `json:"claimed"` // whom the store's roll names
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
