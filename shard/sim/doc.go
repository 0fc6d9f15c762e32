// Package sim holds the simulation of a whole cluster in one process on virtual
// time. It has tests only.
//
// A seed makes a world: nodes (the real code of shard, shard/link, shard/route
// and shard/cluster), a bus that drops, delays, doubles and reorders, a store
// that fails, stalls and leaves open what became of a commit, gateways that are
// nothing but a way to their clients, and clients that keep to docs/protocol.md
// and believe nothing. For some virtual seconds they follow, publish, delete,
// read and reconnect while nodes crash, freeze, join, drain and hand over shards.
// Then everything heals, and is held against what the store has.
//
// What happens is decided by one source of randomness per decider, so that a seed
// replays: not to the last goroutine switch, but to the virtual microsecond at
// which everything is asked, lost and answered. See world_test.go.
package sim
