package gateway

import (
	"sync"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	// headBytes is what an event's head is counted as in an outbox.
	headBytes = 100
	// replyLimit bounds the replies that wait for one socket, in bytes: a client
	// that asks for pages and does not take them is slow. One reply of any size
	// always fits.
	replyLimit = 1 << 20
	// resetWait is how long a reset may wait, in ms, before further overflows
	// mean that the client is too slow, and not that a burst came at once.
	resetWait = 2_000
	// keepEntries is what an outbox holds beyond its one place of its own without
	// growing; such queues are pooled.
	keepEntries = 8
)

// outbox is what waits for one socket: replies and events in one queue, in
// order, and behind them the latest counters. It is guarded by its session's mu.
//
// Three rules bound it. Counters that an event or newer counters make stale are
// dropped (coalesced). Events above the limit are replaced by one reset. When the
// limit is reached again and a reset has been waiting for long, it is full.
type outbox struct {
	queue  []entry  // nil when nothing waits
	place  [1]entry // of the queue while it is that short, as it nearly always is
	head   int      // entries before it have left
	events int      // bytes of events in the queue
	reply  int      // bytes of replies in the queue

	held  bool   // nothing leaves: the first frame is not complete yet
	last  uint64 // n of the newest event taken in, or where the stream stands
	slot  wire.Counts
	dirty bool  // slot waits to be sent
	reset bool  // a reset waits in the queue
	since int64 // when it was put there, ms of uptime; negative: not by an overflow
}

// entry is a frame in an outbox: an event when body is set, else frame.
type entry struct {
	body   *body
	frame  *wire.Frame
	n      uint64      // the event's; where the stream stands after frame, if moves
	counts wire.Counts // the event's
	cost   uint32      // bytes
	moves  bool        // frame sets what the client last saw to n
}

// verdict is what became of an event or reply put into an outbox.
type verdict uint8

const (
	taken     verdict = iota
	coalesced         // taken, and older counters were dropped
	duplicate         // dropped: at or below an event that was taken
	over              // not taken: see overflow
	replaced          // it and all queued events became one reset
	full              // nothing more is taken: the client is too slow
)

// event takes in the event with number n.
func (o *outbox) event(b *body, n uint64, c wire.Counts, limit int) verdict {
	if n <= o.last {
		return duplicate
	}
	cost := len(b.bytes) + headBytes
	if o.events+cost > limit {
		return over
	}
	v := taken
	if o.dirty && !b.void {
		o.dirty, v = false, coalesced
	}
	o.last = n
	o.events += cost
	o.push(entry{body: b, n: n, counts: c, cost: uint32(cost)})
	return v
}

// overflow makes room by replacing the event n and all those queued by one reset.
// now is in ms of uptime.
func (o *outbox) overflow(n uint64, c wire.Counts, now int64) verdict {
	since := now
	if o.reset && o.since >= 0 {
		if since = o.since; now-since >= resetWait {
			return full
		}
	}
	o.putReset(wire.Reset{N: n, Reason: string(feedengine.ResetSlow)}, c)
	o.since = since
	return replaced
}

// withdraw has others take the place of those queued events that by, just taken
// in, withdraws. They keep their numbers; by's counters are newer than theirs. It
// returns how many there were.
func (o *outbox) withdraw(by *body, instead func(old *body) *body) int {
	count := 0
	for i := o.head; i < len(o.queue); i++ {
		e := &o.queue[i]
		if e.body == nil || !by.withdraws(e.body) {
			continue
		}
		e.body = instead(e.body)
		cost := len(e.body.bytes) + headBytes
		o.events += cost - int(e.cost)
		e.cost = uint32(cost)
		count++
	}
	return count
}

// passing takes in a frame without a number, if nothing else waits.
func (o *outbox) passing(f *wire.Frame) bool {
	if o.waits() || o.held {
		return false
	}
	o.push(entry{frame: f})
	return true
}

// unread takes in counters that came without an event.
func (o *outbox) unread(c wire.Counts) verdict {
	v := taken
	if o.dirty {
		v = coalesced
	}
	o.slot, o.dirty = c, true
	return v
}

// answer takes in a reply of about cost bytes.
func (o *outbox) answer(f *wire.Frame, cost int) verdict {
	if o.reply > 0 && o.reply+cost > replyLimit {
		return full
	}
	o.reply += cost
	o.push(entry{frame: f, cost: uint32(cost)})
	return taken
}

// begin takes in a reply after which the stream stands at n: events queued above
// n are dropped, for they will come again.
func (o *outbox) begin(f *wire.Frame, cost int, n uint64) {
	o.drop(func(e *entry) bool { return e.body != nil && e.n > n })
	o.last = n
	o.reply += cost
	o.push(entry{frame: f, cost: uint32(cost), n: n, moves: true})
}

// putReset replaces all queued events, and a reset among them, by r. The
// stream's name is filled in when it leaves.
func (o *outbox) putReset(r wire.Reset, c wire.Counts) {
	o.drop(func(e *entry) bool { return e.body != nil || e.frame.Kind == wire.ResetFrame })
	o.last, o.dirty, o.reset, o.since = r.N, false, true, -1
	o.push(entry{frame: &wire.Frame{Kind: wire.ResetFrame, Reset: r, Counts: c}, n: r.N, moves: true})
}

// goodbye makes f the last frame there is. With abandon, what waits is dropped.
func (o *outbox) goodbye(f *wire.Frame, abandon bool) {
	if abandon {
		o.drop(func(*entry) bool { return true })
	}
	o.dirty, o.held = false, false
	o.push(entry{frame: f})
}

// waits says whether anything does.
func (o *outbox) waits() bool { return o.head < len(o.queue) || o.dirty }

// pop removes the oldest entry.
func (o *outbox) pop() (e entry, ok bool) {
	if o.head == len(o.queue) {
		return e, false
	}
	e = o.queue[o.head]
	o.queue[o.head] = entry{}
	o.head++
	o.forget(&e)
	if o.head == len(o.queue) {
		o.release()
	}
	return e, true
}

// counters takes the waiting counters out.
func (o *outbox) counters() (c wire.Counts, ok bool) {
	c, ok = o.slot, o.dirty
	o.dirty = false
	return c, ok
}

func (o *outbox) forget(e *entry) {
	switch {
	case e.body != nil:
		o.events -= int(e.cost)
	case e.frame.Kind == wire.ResetFrame:
		o.reset = false
	default:
		o.reply -= int(e.cost)
	}
}

// drop removes the entries that gone names, and keeps the order of the others.
func (o *outbox) drop(gone func(*entry) bool) {
	kept := o.queue[:0]
	for i := o.head; i < len(o.queue); i++ {
		e := o.queue[i]
		if gone(&e) {
			o.forget(&e)
			continue
		}
		kept = append(kept, e)
	}
	clear(o.queue[len(kept):])
	o.queue, o.head = kept, 0
	if len(kept) == 0 {
		o.release()
	}
}

var entries = sync.Pool{New: func() any { return new([keepEntries]entry) }}

// push appends to the queue, whose bounds are the limits on events and replies.
func (o *outbox) push(e entry) {
	switch {
	case o.queue == nil:
		o.queue = o.place[:0]
	case len(o.queue) == len(o.place) && cap(o.queue) == len(o.place):
		longer := append(entries.Get().(*[keepEntries]entry)[:0], o.queue[o.head:]...)
		o.place, o.head = [1]entry{}, 0
		o.queue = longer
	case len(o.queue) == cap(o.queue) && o.head > len(o.queue)/2:
		o.drop(func(*entry) bool { return false }) // moves the rest to the front
	}
	o.queue = append(o.queue, e)
}

// release gives the empty queue's memory back.
func (o *outbox) release() {
	if cap(o.queue) == keepEntries {
		entries.Put((*[keepEntries]entry)(o.queue[:keepEntries])) // pop and drop cleared it
	}
	o.queue, o.head = nil, 0
}
