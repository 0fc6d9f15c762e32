package socket

// The wake states. Whoever moves a socket to queued has its link call flush;
// nobody else does, so there is one flush at a time and one queue entry.
const (
	idle    = iota
	queued  // flush will come
	running // flush is on its way through
	again   // running, and woken since
	blocked // the peer takes no more: only the link's writable leads on
)

// Wake says that something is pending: Fill is called soon. It is cheap and
// coalesces, and may be called with the handler's locks held.
func (s *Socket) Wake() { s.rouse(false) }

// writable is the link's word that the peer takes more again.
func (s *Socket) writable() {
	if st := s.waking.Load(); st == blocked || st == running {
		s.rouse(true)
	}
}

// rouse moves the socket to queued, or has the flush under way run once more. A
// blocked one has nothing to gain from it, unless it is to close.
func (s *Socket) rouse(blockedToo bool) {
	for {
		st, to := s.waking.Load(), uint32(queued)
		switch st {
		case queued, again:
			return
		case running:
			to = again
		case blocked:
			if !blockedToo {
				return
			}
		}
		if !s.waking.CompareAndSwap(st, to) {
			continue
		}
		if to == queued {
			s.link.wake()
		}
		return
	}
}

// settle ends a flush in the state to, or queues the next one if the socket was
// woken meanwhile.
func (s *Socket) settle(to uint32) outcome {
	if s.waking.CompareAndSwap(running, to) {
		return flushed
	}
	s.waking.Store(queued)
	return more
}
