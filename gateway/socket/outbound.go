package socket

import (
	"errors"
	"os"
)

// outcome is what a flush leaves to do.
type outcome int

const (
	flushed outcome = iota // nothing: a wake or the peer leads on
	more                   // flush must be called again, after others had their turn
	ended                  // the socket was killed: flush is not called again. Comes exactly once
)

// flush writes what is pending: the rest of the last batch, a pong, what Fill
// gives and, when the socket closes, the close frame after the last of it. One
// call at a time; the caller holds a reference, and adds b.sent to the metrics when
// it has served whom it had to.
func (s *Socket) flush(b *Batch) outcome {
	s.waking.Store(running)
	b.sent.flushes++
	if s.killed() {
		return ended // and the state stays running: nothing queues it again
	}
	if len(s.rest) > 0 {
		n, err := s.link.write(s.rest)
		if !s.wrote(b, s.rest, n, err) {
			return s.stalled(err)
		}
	}
	if s.end.framed {
		return s.settleClosed()
	}
	b.reset()
	b.deflate = s.deflate
	s.collect(b)
	if b.Len() > 0 {
		n, err := s.link.write(b.buf)
		b.sent.frames += b.frames
		b.sent.deflated += b.deflated
		if !s.wrote(b, b.buf, n, err) {
			return s.stalled(err)
		}
	}
	if s.end.framed {
		return s.settleClosed()
	}
	if b.Full() {
		s.waking.CompareAndSwap(running, again) // there may be more
	}
	return s.settle(idle)
}

// collect puts into b what is to be sent next.
func (s *Socket) collect(b *Batch) {
	s.mu.Lock()
	b.buf = append(b.buf, s.pong...)
	s.pong = nil
	s.mu.Unlock()
	closing := s.end.begun.Load() // looked at before Fill: what was queued before Close still goes
	if !s.end.byPeer.Load() {
		s.handler.Fill(b)
	}
	if closing && !b.Full() {
		b.buf = append(b.buf, s.closeFrame()...)
		s.end.framed = true
	}
}

// wrote takes the outcome of one write of p. It says whether all of it is on its way.
func (s *Socket) wrote(b *Batch, p []byte, n int, err error) bool {
	b.sent.writes++
	b.sent.bytes += n
	if n == len(p) {
		s.rest = nil
		s.disarm(dueWrite)
		return true
	}
	if errors.Is(err, errAgain) {
		b.sent.again++
		if n > 0 || s.due[dueWrite].Load() == 0 {
			s.arm(dueWrite, s.srv.wheel.in(s.srv.opts.WriteTimeout))
		}
		// At most one batch, or one frame larger than that; a copy, since p
		// belongs to the writer that serves others next.
		if len(s.rest) == 0 {
			s.rest = append([]byte(nil), p[n:]...)
		} else {
			s.rest = p[n:]
		}
	}
	return false
}

// stalled ends a flush that could not write all.
func (s *Socket) stalled(err error) outcome {
	if errors.Is(err, errAgain) {
		return s.settle(blocked)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.kill(CloseWriteTimeout)
	} else {
		s.kill(s.endWhy(CloseGone))
	}
	return s.settle(idle)
}

// settleClosed ends the flush that wrote the close frame.
func (s *Socket) settleClosed() outcome {
	s.end.done.Store(true)
	s.checkEnd()
	return s.settle(idle)
}
