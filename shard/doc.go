// Package shard runs a node's shards: one goroutine each, around one
// feedengine.Engine that nobody else touches.
//
//	         Request                                    Pending
//	gateway ─────────▶ Host.Submit ─▶ mailbox ─▶ actor ─────────▶ Writer ─▶ storage
//	   ▲                                 ▲       │  ▲               │ OnCommit
//	   │     Deliver, Reset, Done        │       │  └──── Ring ◀────┘
//	   └─────────────────────────────────┼───────┤
//	                                     │       ├─ Load ──▶ Loader ─▶ storage
//	                                     └───────┴─ check ─▶ Pool ───▶ storage
//
// An actor never waits: not for a query, a commit, a socket or another shard.
// Slow work leaves it as a message and comes back through its mailbox. Mailboxes
// are bounded; a full one refuses requests, while the loader and the writer wait
// for room (they are what an actor never waits for).
//
// Events reach the actors through the Ring: the writer appends a commit's events
// and wakes everybody, and each actor reads on from its own cursor before it
// handles its next message. So whoever was told that a post is durable finds it in
// every feed. An actor that fell further behind than the ring reaches back
// rebuilds its views.
//
// What the package does not do: it decides nothing about sockets and tokens, and
// it knows storage only through the methods that it declares.
package shard
