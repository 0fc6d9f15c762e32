package gateway

import (
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	firstFrame     = 10 * time.Second // for connect to come
	heartbeatAfter = 25 * time.Second // without a frame of the client
	heartbeatSpan  = 2500 * time.Millisecond
	silenceLimit   = 40 * time.Second // without a frame of the client: it is gone
	// answerWithin is the least time for the answer to a heartbeat: one that a busy
	// process has sent late is no reason to take the client for gone.
	answerWithin = silenceLimit - heartbeatAfter
)

// Timer does what is due: the socket's one timer is always set to the next such
// moment.
func (s *session) Timer(now time.Time) {
	heard := s.sock.Heard() // may end the socket: not under mu
	s.mu.Lock()
	bye, over := s.overdue(now, heard)
	var ended, woken bool
	var next time.Time
	if over {
		ended = s.endLocked(bye)
	} else if s.state < closing {
		woken = s.beatDue(now, heard)
		next = s.nextDue(now, heard)
	}
	s.mu.Unlock()
	switch {
	case ended:
		s.sock.Close(int(bye.Code), bye.Reason)
		return
	case woken:
		s.g.metrics.heartbeats.Inc()
		s.sock.Wake()
	}
	if !next.IsZero() {
		s.sock.SetTimer(next)
	}
}

// overdue says whether the socket is to be closed, and how. s.mu is held.
func (s *session) overdue(now, heard time.Time) (wire.Bye, bool) {
	switch s.state {
	case opening, awaiting:
		return wire.ByeFor(wire.CloseHeartbeat), now.UnixMilli() >= s.expires
	case connecting, live:
		if now.UnixMilli() >= s.expires {
			return wire.ByeFor(wire.CloseExpired), true
		}
		return wire.ByeFor(wire.CloseHeartbeat), (s.state == connecting || s.beaten(heard)) && !now.Before(s.goneAt(now, heard))
	}
	return wire.Bye{}, false
}

// beatDue queues a heartbeat when the client has been silent for long enough and
// has not been sent one since. s.mu is held.
func (s *session) beatDue(now, heard time.Time) bool {
	if s.state != live || s.beaten(heard) || now.Before(s.beatAt(heard)) {
		return false
	}
	s.hb, s.beat = true, s.g.uptime(now)
	return true
}

// beaten reports whether a heartbeat has been queued since heard. heard is coarse:
// an answer may seem to be a little older than its heartbeat; the silence that
// caused one was far longer.
func (s *session) beaten(heard time.Time) bool {
	return s.beat-s.g.uptime(heard) > (heartbeatAfter / 2).Milliseconds()
}

// goneAt is when a client last heard of then, and sent a heartbeat since if it is
// live, is taken for gone.
func (s *session) goneAt(now, heard time.Time) time.Time {
	at := heard.Add(silenceLimit)
	if s.state == live {
		beaten := now.Add(time.Duration(s.beat-s.g.uptime(now)) * time.Millisecond)
		if answered := beaten.Add(answerWithin); answered.After(at) {
			return answered
		}
	}
	return at
}

// beatAt is when a client last heard of then is to be asked for life: up to
// heartbeatSpan early, by a figure of the session's own, so that sockets opened
// together do not stay together.
func (s *session) beatAt(heard time.Time) time.Time {
	early := time.Duration(uint64(s.id)*0x9e3779b97f4a7c15>>24) % heartbeatSpan
	return heard.Add(heartbeatAfter - early)
}

// nextDue is the next moment at which Timer has something to do. s.mu is held.
func (s *session) nextDue(now, heard time.Time) time.Time {
	expires := now.Add(time.Duration(s.expires-now.UnixMilli()) * time.Millisecond)
	if s.state <= awaiting {
		return expires
	}
	next := s.goneAt(now, heard)
	if s.state == live && !s.beaten(heard) {
		next = s.beatAt(heard)
	}
	if expires.Before(next) {
		return expires
	}
	return next
}

// reschedule sets the timer anew after what it depends on changed.
func (s *session) reschedule() {
	heard := s.sock.Heard()
	s.mu.Lock()
	if s.state >= closing {
		s.mu.Unlock()
		return
	}
	next := s.nextDue(time.Now(), heard)
	s.mu.Unlock()
	s.sock.SetTimer(next)
}

// acked takes a heartbeat's answer: the n that the client has seen. A client
// below what the heartbeat told it has missed events and will ask for them.
func (s *session) acked(n uint64) {
	s.mu.Lock()
	behind := n < s.beatN
	s.beatN, s.ack = 0, n
	s.mu.Unlock()
	if behind {
		s.g.metrics.acksBehind.Inc()
	}
}
