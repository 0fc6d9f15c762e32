package socket

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	tick       = 100 * time.Millisecond
	wheelSlots = 512 // one turn is about 51 s; what lies further is passed over until its turn
)

// wheel is a hashed timing wheel: the one timer of all sockets, and their clock.
// Moments are ticks since the wheel was made.
type wheel struct {
	base time.Time
	now  atomic.Int64 // the current tick, at most 100 ms behind while run runs

	mu    sync.Mutex
	slots [wheelSlots]*Socket // heads of doubly linked lists
	last  int64               // the last tick whose slot was served
}

// wheelNode is a socket's place in the wheel, guarded by wheel.mu.
type wheelNode struct {
	prev, next *Socket
	at         int64 // 0: not in the wheel
}

func newWheel() *wheel { return &wheel{base: time.Now()} }

// ticks is the tick at or after t, and never 0.
func (w *wheel) ticks(t time.Time) int64 {
	return max(1, int64((t.Sub(w.base)+tick-1)/tick))
}

// in is the tick d from now, by the coarse clock: up to two ticks late.
func (w *wheel) in(d time.Duration) int64 { return w.now.Load() + int64((d+tick-1)/tick) + 1 }

// add makes sure that s is looked at no later than the tick at. A socket that is
// due earlier stays where it is: it is looked at then, and added again.
func (w *wheel) add(s *Socket, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.node.at != 0 {
		if s.node.at <= at {
			return
		}
		w.unlink(s)
	}
	at = max(at, w.last+1)
	head := &w.slots[at%wheelSlots]
	s.node = wheelNode{next: *head, at: at}
	if *head != nil {
		(*head).node.prev = s
	}
	*head = s
}

func (w *wheel) remove(s *Socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.node.at != 0 {
		w.unlink(s)
	}
}

func (w *wheel) unlink(s *Socket) {
	n := s.node
	if n.next != nil {
		n.next.node.prev = n.prev
	}
	if n.prev != nil {
		n.prev.node.next = n.next
	} else {
		w.slots[n.at%wheelSlots] = n.next
	}
	s.node = wheelNode{}
}

// advance takes the sockets due up to the tick now out of the wheel, appended to due.
func (w *wheel) advance(now int64, due []*Socket) []*Socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.Store(now)
	// After a stall of more than a turn each slot needs one visit, not several.
	for w.last = max(w.last, now-wheelSlots); w.last < now; w.last++ {
		for s := w.slots[(w.last+1)%wheelSlots]; s != nil; {
			next := s.node.next
			if s.node.at <= now {
				w.unlink(s)
				due = append(due, s)
			}
			s = next
		}
	}
	return due
}

// run serves the wheel until stop is closed.
func (w *wheel) run(stop <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	var due []*Socket
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		now := time.Now()
		due = w.advance(int64(now.Sub(w.base)/tick), due[:0])
		for i, s := range due {
			s.expire(now)
			due[i] = nil
		}
	}
}
