// Package feedengine is the pure core of one shard: who follows whom among the
// shard's resident users, who is hidden from whom, their streams, unread counters
// and read marks.
//
// It does no I/O, reads no clock, starts no goroutine and takes no lock. Its
// caller, a shard's goroutine, steps it with inputs and carries out the effects:
//
//	for in := range mailbox {
//		for _, effect := range engine.Step(now, in) {
//			switch e := effect.(type) {
//			case feedengine.Deliver:  // to the gateway
//			case feedengine.Reply:    // to whoever asked
//			case feedengine.Load:     // query; comes back as LoadedInput
//			case feedengine.SaveMark: // commit; comes back as MarkSavedInput
//			…
//			}
//		}
//	}
//
// Two runs over the same inputs give the same effects. Check states the
// invariants; tests call it after every step.
//
// # Exactness
//
// An engine applies the events of all logs, each log's in the order of their
// seq, and knows the position it has come to in each (its heads). A view is
// loaded from a database snapshot that knows its own heads. The engine lets a
// load wait until it has applied those heads itself, then steps the loaded views
// through the events between, and from there on they take part in every event.
// So nothing is counted twice and nothing missed, whatever happened while the
// query ran; a snapshot from a lagging replica is one at older heads.
//
// What an event does is the same for a view that is live and for one that a load
// brings: concern says whom it concerns, part which of these take part just now and
// which counters it goes to, give what their streams make of it. Hides are filters:
// whatever is shown or counted is held against those that stand. A counter that
// cannot be told from what a view keeps is stale, and a recount, which is a load
// like any other, is asked for; it is lost when what is kept is wrong itself.
//
// # What it does not do
//
// It does not check who may do what, does not make anything durable, knows no
// socket and no other shard. Fan-out of a post is a walk over the author's local
// followers; nothing is ever written per follower.
package feedengine
