package route

import "github.com/feedgate/feedgate/feedengine"

// admit says whether something that was sent from a place is the owner's. A higher
// epoch than the known one makes its sender the owner.
func (t *table) admit(from string, epoch uint64, now int64) bool {
	if epoch > t.epoch {
		t.setOwner(from, epoch, now)
	}
	return epoch == t.epoch && from == t.owner
}

// deliver forwards a delivery to those sessions whose next event it is.
func (t *table) deliver(from string, at feedengine.Place, d feedengine.Delivery, bare bool) {
	t.lock()
	defer t.unlock()
	now := t.router.now()
	if !t.admit(from, at.Epoch, now) {
		t.router.metrics.drop(dropStale, len(d.To))
		return
	}
	n := 0
	for n < len(d.To) && t.take(&d.To[n], d.Event != nil, bare, now) {
		n++
	}
	if n < len(d.To) { // d.To is the engine's: those who get it are copied
		t.some = append(t.some[:0], d.To[:n]...)
		for i := n + 1; i < len(d.To); i++ {
			if t.take(&d.To[i], d.Event != nil, bare, now) {
				t.some = append(t.some, d.To[i])
			}
		}
		d.To = t.some
	}
	if len(d.To) == 0 {
		return
	}
	t.router.metrics.forwarded.Add(len(d.To))
	t.router.opts.Gateway.Deliver(d)
	if d.Event != nil {
		t.router.recent.note(d.Event.ID, now, len(d.To))
	}
}

// take says whether a recipient gets what it was sent, and keeps account of it.
func (t *table) take(to *feedengine.Recipient, event, bare bool, now int64) bool {
	s := t.sessions[to.Session]
	m := &t.router.metrics
	switch {
	case s == nil:
		m.drop(dropUnknown, 1)
		t.wantWhole(now)
		return false
	case s.state != whole:
		m.drop(dropOf[s.state], 1)
		return false
	case !event:
		if to.Counts.V < s.v {
			m.drop(dropOldCounts, 1)
			return false
		}
		s.v = to.Counts.V
		return true
	case to.N <= s.n:
		m.drop(dropDuplicate, 1)
		return false
	case to.N > s.n+1:
		m.drop(dropGap, 1)
		t.lack(s, now)
		return false
	case bare: // the event's body is not known here
		m.drop(dropBare, 1)
		t.lack(s, now)
		return false
	}
	s.n, s.at = to.N, steps(now)
	s.v = max(s.v, to.Counts.V)
	return true
}

// reset forwards a reset, or takes a rejoined session's place as confirmed.
func (t *table) reset(from string, at feedengine.Place, r feedengine.Reset) {
	t.lock()
	defer t.unlock()
	now := t.router.now()
	m := &t.router.metrics
	if !t.admit(from, at.Epoch, now) {
		m.drop(dropStale, 1)
		return
	}
	s := t.sessions[r.Session]
	switch {
	case s == nil:
		m.drop(dropUnknown, 1)
		t.wantWhole(now)
	case s.state == attaching || s.state == leaving:
		m.drop(dropOf[s.state], 1)
	case r.Reason == feedengine.Rejoined:
		t.confirm(s, r, now)
	case r.Stream == s.stream && r.N == s.n: // the answer to a Rejoin that crossed what it asked for
		m.drop(dropDuplicate, 1)
		t.heal(r.Session, s, now)
		t.counts(s, r)
	default:
		s.stream, s.n, s.v, s.at = r.Stream, r.N, r.Counts.V, steps(now)
		t.heal(r.Session, s, now)
		m.resets.Inc()
		t.router.opts.Gateway.Reset(r)
	}
}

// confirm takes the owner's word that it has the session's stream and sends what
// follows r.N. Whatever was lost before this was sent, the owner knew of it: so
// the session is whole if it has got as far as that.
func (t *table) confirm(s *session, r feedengine.Reset, now int64) {
	switch {
	case r.Stream != s.stream: // asked before a reset came; another answer is on its way
		t.router.metrics.drop(dropOutdated, 1)
	case r.N > s.n && s.state == lacking: // asked before a sync took it back
		t.router.metrics.drop(dropOutdated, 1)
		s.tries = 0
		t.scheduleRejoin(now)
	default:
		if s.state == lacking {
			t.router.metrics.confirmed.Inc()
			t.heal(r.Session, s, now)
		}
		t.counts(s, r)
	}
}

// counts forwards the counters that came with r, if they are news.
func (t *table) counts(s *session, r feedengine.Reset) {
	if r.Counts.V <= s.v {
		return
	}
	s.v = r.Counts.V
	t.one[0] = feedengine.Recipient{Session: r.Session, Counts: r.Counts}
	t.router.metrics.forwarded.Inc()
	t.router.opts.Gateway.Deliver(feedengine.Delivery{To: t.one[:]})
}
