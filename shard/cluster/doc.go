// Package cluster puts the parts of one node of a cluster together and decides
// which shards it owns.
//
//	           Submit                    Ask, Rejoin
//	gateway ──────────▶ route.Router ──▶ link.Links ══ bus ══▶ link.Links ──▶ route.Server ──▶ shard.Host
//	   ▲                  │   ▲   └────── own shards ─────────────────────────────────────────────▲
//	   └─ Deliver, Reset ─┘   └───────── Answer, Deliver, Reset ◀── (the same way back)
//
//	Members.Beat ──▶ watch (who lives) ──▶ plan ─┬─▶ claim ─▶ Host.Open ─▶ Serving to all
//	   every second                              └─▶ move: Host.HandOver ─▶ Hand … Taken ─▶ Host.Shut
//
// Who lives: each node judges the others by the beats that it saw change, on its
// own monotonic clock (watch), and the more patiently the later beats have come of
// late (lateness). Who should own what: rendezvous hashing over those
// (place), or an operator's pin. Who does own it: the store, by a claim on
// condition of the epoch that was seen. So what nodes think of each other may
// differ and be wrong; the worst that comes of it is a claim that is lost.
//
// A claim is for shards without an owner: nobody's, a dead node's, or this
// node's own from an earlier life. A shard that somebody serves changes hands
// only by a move, which its old owner begins. When a move fails on the way,
// both sides find out by a claim whose it is.
//
// Goroutines: one beats, looks at the roll and plans; one claims; one for each
// move, each taking over and each question of another node, all bounded. What
// links bring is handed to its part on the links' goroutine, which never waits.
// Node.mu guards what they share, and is not held over anything that may wait.
//
// What the package does not do: it knows no views, sessions or sockets, and holds
// nothing durable. A node that starts knows only what the store's roll says.
package cluster
