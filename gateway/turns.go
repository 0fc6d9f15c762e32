package gateway

import (
	"sync/atomic"
	"time"
)

// Turns is whose turn it is among handshakes: from when on the next one is admitted, and
// when who is refused next has its turn. Both are moments that move on with each one by
// as much as the rate gives it (virtual scheduling, as in GCRA), so processes that
// share a rate have 16 bytes of memory in common and no lock. The zero Turns is that of a node to which
// nobody has come.
type Turns struct {
	next atomic.Int64 // ns since 1970
	back atomic.Int64 // likewise
}

// clockBack is by how much a clock may seem to go backwards, as when a process that is
// preempted comes with a time of before. By more it has been set, and what it said before means nothing.
const clockBack = 5 * time.Second

// take takes a turn: one is free each every, and those of atOnce are kept.
func (t *Turns) take(now time.Time, every, atOnce time.Duration) bool {
	at := now.UnixNano()
	for {
		old := t.next.Load()
		next := max(old, at)
		if next > at+int64(atOnce+clockBack) {
			next = at
		}
		if next += int64(every); next > at+int64(atOnce) {
			return false
		}
		if t.next.CompareAndSwap(old, next) {
			return true
		}
	}
}

// wait is how long one who is refused waits for its turn, where one is free each every:
// for as many as there are before it, at most for most.
func (t *Turns) wait(now time.Time, every, most time.Duration) time.Duration {
	at := now.UnixNano()
	for {
		old := t.back.Load()
		place := max(old, at)
		if place > at+int64(most+every+clockBack) {
			place = at
		}
		place = min(place, at+int64(most))
		if t.back.CompareAndSwap(old, place+int64(every)) {
			return time.Duration(place - at)
		}
	}
}
