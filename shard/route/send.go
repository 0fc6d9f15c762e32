package route

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// send sends an ask to the owner, for the first time or again, or holds it.
func (t *table) send(a *ask, now int64) {
	t.wakeAt(a.until)
	noOwner := t.owner == "" || t.gone
	switch do := a.Do.(type) {
	case feedengine.Detach:
		if noOwner { // the next one hears nothing of the session
			t.finish(a, feedengine.Result{}, true, now)
			return
		}
	case feedengine.Sync:
		switch s := t.sessions[do.Session]; {
		case s == nil:
		case s.stream != a.stream: // the reset that came meanwhile is the answer
			t.finish(a, feedengine.Result{}, true, now)
			return
		case s.state == lacking:
			t.hold(a, never) // until it is whole: the owner may not know it yet
			return
		}
	case feedengine.SetState:
		s := t.sessions[do.Session]
		if s != nil && s.state == lacking {
			t.hold(a, never)
			return
		}
		if s != nil && a.attempt == 0 {
			a.was, s.background = s.background, do.Background
		}
	}
	if noOwner {
		t.hold(a, never)
		return
	}
	a.held = false
	a.attempt++
	a.to, a.epoch, a.sent = t.owner, t.epoch, now
	if a.attempt == 1 {
		a.first = now
	}
	if a.to == t.router.opts.Self {
		t.sendHere(a)
		return
	}
	if a.key == "" {
		a.key = t.router.keys.keyFor(a.Do)
	}
	if a.attempt > 1 {
		t.router.metrics.resends.Inc()
	}
	t.router.opts.Links.Send(a.to, link.Ask{ // dropped: as if lost on the way
		ID: a.id, Shard: t.shard, User: a.User, Deadline: a.deadline(t.router.start), Do: a.Do, Key: a.key,
	})
	a.next = now + a.wait
	a.wait = t.router.again(a.wait)
	t.wakeAt(a.next)
}

// deadline is as of the wall clock; none for a detach.
func (a *ask) deadline(start time.Time) time.Time {
	switch {
	case !a.Deadline.IsZero():
		return a.Deadline
	case a.until == never:
		return time.Time{}
	}
	return start.Add(time.Duration(a.until))
}

// sendHere hands an ask to this node's host, which answers it once, whatever
// becomes of the shard. Until then it is sent nowhere else.
func (t *table) sendHere(a *ask) {
	a.next = never
	if t.router.opts.Host == nil {
		t.hold(a, t.router.now()+holdWait)
		return
	}
	attempt := a.attempt
	req := a.Request
	req.Deadline = a.deadline(t.router.start)
	req.Done = func(res feedengine.Result) { t.post(posted{a, attempt, &res}) }
	t.router.opts.Host.SubmitFrom(0, a.key, req)
}

// here says that this node's host has the ask.
func (t *table) here(a *ask) bool {
	return !a.held && a.attempt > 0 && a.to == t.router.opts.Self
}

// waits says that the ask is behind another one in its lane.
func (t *table) waits(a *ask) bool {
	return a.lane != (lane{}) && len(t.lanes[a.lane]) > 0 && t.lanes[a.lane][0] != a
}

// hold keeps an ask until then at most; another owner lets it go earlier.
func (t *table) hold(a *ask, until int64) {
	a.held, a.next = true, until
	t.wakeAt(until)
	t.router.metrics.holds.Inc()
}

// told takes the result of an ask from this node's host.
func (t *table) told(a *ask, attempt uint32, res feedengine.Result) {
	if t.asks[a.id] != a || a.attempt != attempt || a.held {
		t.router.metrics.late.Inc()
		return
	}
	now := t.router.now()
	current := t.owner == t.router.opts.Self && t.epoch == a.epoch
	t.result(a, res, res.Err == feedengine.ErrElsewhere, current, now)
}

// answered takes another node's answer.
func (t *table) answered(from string, m link.Answer) {
	t.lock()
	defer t.unlock()
	now := t.router.now()
	a := t.asks[m.ID]
	// A refusal counts only from whom the ask was sent to last: another one may
	// still be at it. What was granted, was.
	if a == nil || t.waits(a) || a.attempt == 0 || (m.Elsewhere || m.Result.Err != nil) && (a.held || a.to != from) {
		t.router.metrics.late.Inc()
		return
	}
	if !m.Elsewhere {
		t.router.took(a.first, now)
	}
	t.result(a, m.Result, m.Elsewhere, m.Place.Epoch >= t.epoch && from == t.owner, now)
	if m.Place.Epoch > t.epoch && !m.Elsewhere {
		t.setOwner(from, m.Place.Epoch, now)
	}
}

// result goes on with an ask that was answered.
func (t *table) result(a *ask, res feedengine.Result, elsewhere, current bool, now int64) {
	switch {
	case elsewhere: // also of a detach: who has the session may serve it again
		t.router.metrics.elsewhere.Inc()
		if t.owner != a.to || t.epoch != a.epoch { // it changed hands since
			t.send(a, now)
			return
		}
		t.hold(a, now+min(holdWait<<a.holds, lastHold))
		a.holds = min(a.holds+1, 8)
	case res.Err != nil && res.Err.Retryable() && t.insists(a, now):
		t.hold(a, now+a.wait)
		a.wait = t.router.again(a.wait)
	default:
		t.finish(a, res, current, now)
	}
}

// insists says that a refusal is not taken for the last word. A write that was
// sent more than once may have been carried out by another attempt than the one
// that was refused. A session that its owner does not know is brought to it first.
func (t *table) insists(a *ask, now int64) bool {
	if _, once := keyOf(a.Do); once {
		return a.attempt > 1
	}
	switch a.Do.(type) {
	case feedengine.Sync, feedengine.SetState:
		if s := t.sessions[a.lane.session]; s != nil {
			t.lack(s, now)
			return true
		}
	}
	return false
}
