package socket

import "time"

// The deadlines of one socket. All share its one place in the wheel.
const (
	dueTimer = iota // the handler's
	dueRead         // half a message is here since ReadTimeout
	dueWrite        // the peer has taken nothing since WriteTimeout
	dueClose        // closing takes longer than CloseTimeout
	dues
)

// SetTimer has Handler.Timer called at the moment at, in place of the one set
// before; the zero time sets none. It is cheap, and may be called from anywhere.
func (s *Socket) SetTimer(at time.Time) {
	if at.IsZero() {
		s.due[dueTimer].Store(0)
		return
	}
	s.arm(dueTimer, s.srv.wheel.ticks(at))
}

// arm sets one deadline. The store comes before the wheel is told, so that a
// look at the socket meanwhile sees it.
func (s *Socket) arm(which int, at int64) {
	if s.refs.Load() == 0 {
		return // the wheel would hold on to it until then
	}
	s.due[which].Store(at)
	s.srv.wheel.add(s, at)
}

func (s *Socket) disarm(which int) {
	if s.due[which].Load() != 0 {
		s.due[which].Store(0)
	}
}

// expire runs what is due and comes back to the wheel for the rest.
// Only the wheel's goroutine calls it.
func (s *Socket) expire(now time.Time) {
	if !s.enter() {
		return
	}
	defer s.exit()
	cur, next := int64(now.Sub(s.srv.wheel.base)/tick), int64(0)
	if !s.born.Load() { // who made the handler has set a timer already
		s.srv.wheel.add(s, cur+1)
		return
	}
	for i := range s.due {
		at := s.due[i].Load()
		if at != 0 && at <= cur && s.due[i].CompareAndSwap(at, 0) {
			s.overdue(i, now)
			at = 0 // if it was set again meanwhile, the wheel knows
		}
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if next != 0 {
		s.srv.wheel.add(s, next)
	}
}

func (s *Socket) overdue(which int, now time.Time) {
	switch which {
	case dueTimer:
		s.handler.Timer(now)
	case dueRead:
		s.violate(Fault{CodeFrameTimeout, "half a frame"})
	case dueWrite:
		s.kill(CloseWriteTimeout)
	case dueClose:
		if s.end.done.Load() {
			s.kill(s.endWhy(CloseTimeout)) // all was sent, only the answer is missing
		} else {
			s.kill(CloseTimeout)
		}
	}
}
