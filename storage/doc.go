// Package storage is the contract between a node and its database.
//
// # The log is the truth
//
// Every durable event has a place in the log of one shard: (shard, seq), without
// holes, in commit order. The tables that queries read (posts, follows, marks,
// keys) change in the same commit as the log, so whoever has a snapshot with the
// heads of the logs knows exactly which events are in it.
//
//	log writer ── Claim ──→ epoch, heads
//	           ── Append ─→ fences + log rows + tables, one commit
//	loader     ── Load ───→ users' facts + heads of all logs, one snapshot
//	shard      ── ReadLog → the events between a snapshot and its own position
//	request    ── Feed, Post, Following, Followers
//
// # Who owns what
//
// Seqs, ids and epochs are given out by the log writer, from the heads that Claim
// returned; the store checks the epochs of every commit under a lock of the
// shards' rows, which makes the order of seqs the order of commits. A writer whose
// epoch is no longer the latest has been fenced and writes nothing more.
//
// When the outcome of an Append is unknown, it is settled by claiming its shards
// again: that waits for a commit still under way, keeps out one still to come, and
// returns heads that tell whether it happened.
//
// # What it does not do
//
// The package holds types alone. Implementations do not know one another, keep no
// cache and retry nothing: storage/postgres, and storage/sqlite which needs no
// server. storage/storagetest holds both to this contract.
package storage
