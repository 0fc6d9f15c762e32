package feedengine

import "time"

// Member is what a node says of itself to the others, in the store's table of nodes.
type Member struct {
	Node        string // unique in the cluster, 1 to 64 bytes
	Incarnation uint64 // random, for each start of the process
	Beat        uint64 // raised by each beat; the store counts it
	Gateway     bool   // holds sockets
	Shard       bool   // owns shards
	State       MemberState
	Admin       string // address of the node's admin listener, for people and feedctl
	Version     string // of the program
	Started     time.Time
}

// MemberState is how far a node's life has come. The values are stored.
type MemberState uint8

const (
	MemberStarting MemberState = 1 // takes no shards yet
	MemberServing  MemberState = 2
	MemberDraining MemberState = 3 // gives its shards away and takes none
)

// Owner says who claimed a shard last.
type Owner struct {
	Shard ShardID
	Node  string // "" when nobody ever did
	Epoch uint64
}

// Roll is what a beat brings back.
type Roll struct {
	Now     time.Time // the store's clock
	Members []Member  // in order of Node
	Owners  []Owner   // of all shards, in order
}

// Claimed is the outcome of a conditional claim of one shard.
type Claimed struct {
	Shard ShardID
	Won   bool // the epoch was the expected one, and has been raised
	Head  Head // of the log as it stands now; final under the new epoch when Won
}

// Position names the events of one log above Seq.
type Position struct {
	Shard ShardID
	Seq   uint64
}

// Place is where something that a shard sends comes from: its epoch orders the
// owners that the shard has had.
type Place struct {
	Shard ShardID
	Epoch uint64
}
