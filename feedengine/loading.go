package feedengine

import (
	"slices"
	"strings"
)

// load is a snapshot that has arrived. It is stepped in once the engine has
// applied its heads.
type load struct {
	LoadedInput
	behind int   // logs of which the engine has applied less than Heads
	since  int64 // when it came
}

// patience is for how many milliseconds a load waits for the events up to its
// heads. They come within moments, unless the snapshot was of a history that
// was lost and whose log is quiet since.
const patience = 5000

// askLoad asks for the user's facts, unless that is under way already.
func (e *Engine) askLoad(v *view, page int) {
	p := v.waits()
	if p.asked {
		return
	}
	p.asked, p.page = true, page
	e.emit(Load{LoadUser{User: v.user, Page: page}})
}

// ask lets a request wait for the user's counters, and for the view if need be.
func (e *Engine) ask(user string, w waiter) {
	s, ok := e.users[user]
	if !ok {
		s, _ = e.newView(user)
	}
	v := e.at(s)
	e.idle.remove(e, s)
	if v.phase == phaseLive && e.answer(s, v, w, nil) {
		e.leave(s)
		return
	}
	v.waits().waiters = append(v.waits().waiters, w)
	page := 0
	if w.attach != nil {
		page = w.attach.Page
	}
	e.askLoad(v, page)
}

// recountIfStale asks for a load when a counter can no longer be told.
func (e *Engine) recountIfStale(v *view) {
	if v.stale() && !e.replaying {
		e.askLoad(v, 0)
	}
}

// loaded takes an answer to Loads.
func (e *Engine) loaded(in LoadedInput) {
	if in.Err != nil {
		for i := range in.Users {
			e.loadFailed(in.Users[i].User, in.Err)
		}
		return
	}
	if fromLost(in.Heads, e.heads) {
		e.askAnew(in.Users)
		return
	}
	l := &load{LoadedInput: in, since: e.now}
	for i := range in.Heads {
		if in.Heads[i].Seq > e.heads[i].Seq {
			l.behind++
		}
	}
	if l.behind > 0 {
		l.Missed = slices.Clone(l.Missed) // grows from here on
		e.loads = append(e.loads, l)
		return
	}
	e.stepIn(l)
}

// askAnew puts loads that came aside, as if they had not.
func (e *Engine) askAnew(users []LoadedUser) {
	for i := range users {
		if p := e.owed(users[i].User); p != nil && p.asked {
			p.asked, p.again = false, false
			e.askLoad(e.at(e.users[users[i].User]), p.page)
		}
	}
}

// owed is what a user's view owes, nil when that is nothing.
func (e *Engine) owed(user string) *pending {
	s, ok := e.users[user]
	if !ok {
		return nil
	}
	return e.at(s).pending
}

// fromLost reports whether a snapshot is of a history that was lost: it goes
// further in an epoch than that was to last.
func fromLost(snapshot, heads []Head) bool {
	for i, h := range snapshot {
		if h.Epoch < heads[i].Epoch && h.Seq >= heads[i].First {
			return true
		}
	}
	return false
}

// giveUp asks anew for loads that wait for events which will not come, or not soon.
func (e *Engine) giveUp(which func(*load) bool) {
	var users []LoadedUser
	e.loads = slices.DeleteFunc(e.loads, func(l *load) bool {
		if !which(l) {
			return false
		}
		users = append(users, l.Users...)
		return true
	})
	e.askAnew(users)
}

// advanceLoads lets the waiting loads see an event that has just been applied.
func (e *Engine) advanceLoads(ev *Event) {
	if len(e.loads) == 0 {
		return
	}
	ready := false
	for _, l := range e.loads {
		switch h := l.Heads[ev.Shard].Seq; {
		case ev.Seq > h:
			l.Missed = append(l.Missed, ev)
		case ev.Seq == h:
			l.behind--
			ready = ready || l.behind == 0
		}
	}
	if !ready {
		return
	}
	waiting := e.loads
	e.loads = nil
	for _, l := range waiting {
		if l.behind == 0 {
			e.stepIn(l)
		} else {
			e.loads = append(e.loads, l)
		}
	}
}

// loadFailed refuses what waits for a load that brought nothing.
func (e *Engine) loadFailed(user string, err *Error) {
	s, ok := e.users[user]
	if !ok {
		return
	}
	v := e.at(s)
	p := v.pending
	if p == nil || !p.asked {
		return
	}
	p.asked, p.again, p.audit = false, false, false
	waiters := p.waiters
	p.waiters = nil
	for _, w := range waiters {
		e.refuse(w.token, err)
	}
	if p.reset != "" || v.stale() {
		e.retry = append(e.retry, s)
	}
	e.leave(s)
}

// askAgain asks for the loads that failed and that nobody's request will repeat.
func (e *Engine) askAgain() {
	for _, s := range e.retry {
		if v := e.at(s); v.phase == phaseLoading && len(v.sessions) > 0 || v.phase == phaseLive && v.stale() {
			e.askLoad(v, 0)
		}
	}
	e.retry = e.retry[:0]
}

// stepIn makes a load's users live as of what the engine has applied: their
// facts, and then the events between.
func (e *Engine) stepIn(l *load) {
	joined := make([]slot, len(l.Users)) // 0: not to be answered
	for i := range l.Users {
		joined[i] = e.join(&l.Users[i], l)
	}
	e.replaying = true
	for _, ev := range l.Missed {
		e.concern(ev)
	}
	e.replaying = false
	for i, s := range joined {
		if s != 0 {
			e.joined(s, &l.Users[i])
		}
	}
}

// join begins a view, or the recount of one, with what a load says of its user.
// It returns 0 when nobody waits for that.
func (e *Engine) join(u *LoadedUser, l *load) slot {
	s, ok := e.users[u.User]
	if !ok {
		return 0
	}
	v := e.at(s)
	if v.joins != joinsNot || v.pending == nil || !v.pending.asked {
		return 0 // twice in one batch, or not asked for any more
	}
	v.pending.asked = false
	if v.pending.again || slices.ContainsFunc(l.Missed, func(ev *Event) bool {
		return (ev.Kind == KindFollow || ev.Kind == KindUnfollow) && ev.Actor == u.User || ev.changesHides(u.User)
	}) {
		// The view was rebuilt, or whom its user follows or is hidden changed
		// under the load: rare, and simplest asked again.
		v.pending.again = false
		e.askLoad(v, v.pending.page)
		return 0
	}
	v.pending.loaded = u
	if v.phase == phaseLoading {
		v.joins, v.pending.first = joinsNew, 1
		v.phase = phaseLive
		e.streams++
		v.stream, v.n, v.v = e.streams, 0, 1
		e.connectAll(s, u.Follows)
		v.counters = e.countersOf(v, u)
		return s
	}
	v.joins, v.pending.first = joinsCount, v.n+1
	v.pending.recount = e.countersOf(v, u)
	return s
}

// since is the id from which on an author's posts are addressed to the user;
// MaxID when the user does not follow the author.
func (u *LoadedUser) since(author string) ID {
	i, ok := slices.BinarySearchFunc(u.Follows, author, func(f Edge, a string) int { return strings.Compare(f.Author, a) })
	if !ok {
		return MaxID
	}
	return u.Follows[i].Since
}

// joined ends what join began and answers who waited for it.
func (e *Engine) joined(s slot, u *LoadedUser) {
	v := e.at(s)
	if v.joins == joinsCount {
		e.adoptRecount(v)
	} else {
		for _, m := range v.pending.saved {
			v.moveTo(m.List, m.Upto)
		}
	}
	v.pending.saved = nil
	v.joins = joinsNot
	p := v.pending
	got := arrived{u.Page, p.page, p.first}
	p.loaded = nil
	if p.reset != "" {
		for i := range v.sessions {
			v.sessions[i].n = v.n
			e.sendReset(v, v.sessions[i], p.reset)
		}
		p.reset = ""
	}
	waiters := p.waiters
	p.waiters = nil
	again := 0
	for _, w := range waiters {
		if !e.answer(s, v, w, &got) {
			p.waiters = append(p.waiters, w)
			if w.attach != nil {
				again = max(again, w.attach.Page)
			}
		}
	}
	if len(p.waiters) > 0 {
		e.askLoad(v, again)
	}
	e.recountIfStale(v)
	e.leave(s)
}

// adoptRecount puts what a load counted in the place of what the view has, and
// tells the sessions when it differs.
func (e *Engine) adoptRecount(v *view) {
	p := v.pending
	shown := v.counts()
	// The snapshot may know marks whose MarkSaved is still on its way, and it
	// may be from before some that the view knows.
	var moved []List
	for _, list := range marked {
		if v.moveTo(list, p.recount.mark(list)) {
			moved = append(moved, list)
		}
		p.recount.moveTo(list, v.mark(list))
	}
	audit := p.audit && !v.stale() && !p.recount.stale()
	same, counted := v.counters.equal(&p.recount), v.counts()
	v.adopt(&p.recount)
	p.recount, p.audit = counters{}, false
	for _, list := range moved {
		e.pushRead(v, list)
	}
	if len(moved) == 0 && v.counts() != shown {
		e.pushCounts(v)
	}
	if audit {
		e.emit(Audited{User: v.user, Drift: !same, View: counted, Facts: v.counts()})
	}
}
