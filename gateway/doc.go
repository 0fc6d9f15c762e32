// Package gateway holds the users' sockets and answers HTTP: it authenticates,
// limits, validates and routes what clients ask, and brings each of them its
// numbered stream.
//
//	client ──frame──▶ session.Frame ─▶ wire decode ─▶ limit ─▶ operation ─┬─▶ Shards.Submit ──▶ the user's shard
//	client ──HTTP───▶ serveCall ─────▶ wire decode ─▶ limit ─▶ operation ─┤        │ Done(Result)
//	                                                                      └─▶ readPool ──▶ Reads (storage)
//	shard ──Deliver, Reset──▶ session ─▶ outbox ─Wake▶ socket ─Fill▶ one write
//
// operations.go is the one table of what can be asked, put together from groups that
// stand beside what carries them out: a row says how the
// request's fields become an action or a read, how the result is shown, and by
// which routes it can be had over HTTP. WebSocket and HTTP both run on it.
//
// Who owns what. A session's state and outbox are guarded by its mutex, which is
// never held while the socket is called: sessions are filled by the socket's
// writers, fed by shard goroutines and read from by one goroutine at a time. The
// table of sessions is read without a lock. A user's entry (limits, sockets) is
// guarded by its part of the registry. Nothing here waits for a client.
//
// An event has one body for each codec, and a second one with names for those who
// connected with expand. Bodies of what stands in a log are remembered by its place;
// what is made for one user of a log's event is not. An event that hides somebody,
// or deletes a post, also voids what waits of them in outboxes.
//
// The outbox is bounded: counters coalesce in one latest-value slot; when events
// exceed the bound they are replaced by one reset; when that cannot leave for long
// either, the socket is closed with 4102.
//
// It deliberately does not: keep users' state (feeds, counters, streams belong
// to shards), read or write the connection (gateway/socket does), verify tokens
// (gateway/auth does), or know where a shard is.
package gateway
