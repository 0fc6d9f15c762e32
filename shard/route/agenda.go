package route

import (
	"math"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// never is a time that does not come.
const never = math.MaxInt64

// wakeAt has the agenda look at the table at a time.
func (t *table) wakeAt(at int64) {
	if at >= t.due.Load() {
		return
	}
	t.due.Store(at)
	if at < t.router.next.Load() {
		select {
		case t.router.wake <- struct{}{}:
		default: // it is about to look anyway
		}
	}
}

// runAgenda does what is due in all tables, until Stop.
func (r *Router) runAgenda() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		r.next.Store(never) // from here on whoever has something due says so
		now := r.now()
		next := int64(never)
		for _, t := range r.tables {
			if t.due.Load() <= now {
				t.lock()
				t.work(now)
				t.unlock()
			}
			next = min(next, t.due.Load())
		}
		r.next.Store(next)
		timer.Reset(time.Duration(min(next, now+int64(time.Hour)) - now))
		select {
		case <-timer.C:
		case <-r.wake:
		case <-r.stop:
			return
		}
	}
}

// work does what is due, and finds out when that is the case next.
func (t *table) work(now int64) {
	t.due.Store(never)
	for _, id := range t.askIDs(func(a *ask) bool { return !t.here(a) && (a.until <= now || a.next <= now) }) {
		a := t.asks[id]
		switch {
		case a == nil: // ended with one before it
		case a.until <= now && a.attempt > 0 && !a.held && !a.over:
			// What was begun in time may be answered a little later.
			a.over, a.next = true, never
			a.until += grace
		case a.until <= now:
			t.giveUp(a, now)
		default:
			t.send(a, now)
		}
	}
	for _, a := range t.asks {
		if !t.here(a) {
			t.wakeAt(min(a.next, a.until))
		}
	}
	if t.rejoinAt != 0 && t.rejoinAt <= now {
		t.rejoin(now)
	}
	if t.rejoinAt != 0 {
		t.wakeAt(t.rejoinAt)
	}
}

// giveUp ends an ask whose time is over. If it was sent, it may have been, or still
// be, carried out.
func (t *table) giveUp(a *ask, now int64) {
	t.router.metrics.expired.Inc()
	err := errSilent
	if a.attempt == 0 {
		err = errNoOwner
	}
	t.finish(a, feedengine.Result{Err: err}, true, now)
}
