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
// and wakes whom they concern (interest: a superset, and a hint), and each actor reads
// on from its own cursor, to the end, before it handles its next message. So whoever
// was told that a post is durable finds it in every feed, and who is woken late is
// late, not wrong. An actor that fell further behind than the ring reaches back
// rebuilds its views.
//
// # In a cluster
//
// Of the logs that other nodes write, a host hears by Learn and LearnHead. The
// learner puts what is next into the Ring, keeps what came too early, and has
// what is lacking read from storage. A log that turns out to have lost events, or
// to have been trimmed beyond what is known, has the Ring jump: no reader gets by
// that, and each actor rebuilds its views.
//
// Actors come and go: Open begins one after a claim, HandOver has it finish what
// is in the writer's hands and give its state away, after which it stands still
// until Resume or Shut. What it cannot carry out any more it refuses with
// feedengine.ErrElsewhere: nothing was run. Requests are answered only while the
// lease holds; events are applied all the same. Who owns what is decided by the
// store alone: every commit is fenced by epochs, and a host that finds itself
// fenced drops the shard and says so.
//
// What the package does not do: it decides nothing about sockets and tokens, and
// it knows storage only through the methods that it declares.
package shard
