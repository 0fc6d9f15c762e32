package route

import "github.com/feedgate/feedgate/feedengine"

// state is how a session stands between its gateway and its shard.
type state uint8

const (
	attaching state = iota // its attach is under way
	whole                  // the last event forwarded is the one before the next that comes
	lacking                // not so, perhaps: its owner has to confirm its place
	leaving                // its detach is under way
)

var stateNames = [...]string{attaching: "attaching", whole: "whole", lacking: "lacking", leaving: "leaving"}

// session is one attached session: what a Rejoin says of it. There may be 100,000.
type session struct {
	user   string
	stream feedengine.StreamID
	n      uint64 // the last event forwarded
	v      uint64 // version of the last counters forwarded
	at     uint32 // when n was forwarded, in steps
	asked  uint32 // lacking: when it was part of a Rejoin last, in steps
	tries  uint8  // lacking: how many Rejoins it was part of
	state  state
	// background is as of the last SetState that was sent, answered or not: a
	// Rejoin after it must not undo it.
	background bool
}

// step is the unit of the times in a session: 32 bits last for 1.3 years.
const step = 10 * 1e6 // ns

func steps(now int64) uint32 { return uint32(now / step) }

// lack marks a session as one that may miss something.
func (t *table) lack(s *session, now int64) {
	if s.state != whole {
		return
	}
	s.state, s.tries = lacking, 0
	t.lacking++
	t.router.metrics.lacks.Inc()
	t.scheduleRejoin(now)
}

// heal marks a lacking session as whole, and sends what waited for that.
func (t *table) heal(id feedengine.SessionID, s *session, now int64) {
	if s.state != lacking {
		return
	}
	s.state = whole
	t.lacking--
	if waiting := t.lanes[lane{session: id}]; len(waiting) > 0 && waiting[0].held {
		t.send(waiting[0], now)
	}
}

// add enters a session that is about to attach.
func (t *table) add(id feedengine.SessionID, user string) {
	t.sessions[id] = &session{user: user}
	t.router.metrics.sessions.Add(1)
}

// drop forgets a session.
func (t *table) drop(id feedengine.SessionID) {
	s := t.sessions[id]
	if s == nil {
		return
	}
	t.setLeaving(s)
	delete(t.sessions, id)
	t.router.metrics.sessions.Add(-1)
}

func (t *table) setLeaving(s *session) {
	if s.state == lacking {
		t.lacking--
	}
	s.state = leaving
}
