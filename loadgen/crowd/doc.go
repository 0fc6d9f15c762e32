// Package crowd is the clients of one process, and what drives them.
//
//	plan ──▶ driver ──▶ Client.Publish, Read, Lose …     at their time, whatever came of those before
//	Lost ──▶ agenda ──▶ dialer ──▶ lean.Pool.Dial
//	      publish's ok ──▶ accepted: the posts that there are
//	      no ok        ──▶ sent again with the same key, until it is known what became of it
//	truth ──▶ Settle, Verify ──▶ Verdict
//
// Five goroutines serve all clients, beside the pool's loops: the driver, the dialer,
// the clerk (what is due later), the janitor (what takes too long), and the meter of
// lag. Close waits for them.
package crowd
