package feedengine

// idleList holds the live views without a session, the longest idle first.
type idleList struct {
	oldest, newest slot
	n              int
}

func (l *idleList) add(e *Engine, s slot) {
	l.remove(e, s)
	v := e.at(s)
	v.idle, v.idleSince = true, e.now
	v.older, v.newer = l.newest, 0
	if l.newest != 0 {
		e.at(l.newest).newer = s
	} else {
		l.oldest = s
	}
	l.newest = s
	l.n++
}

func (l *idleList) remove(e *Engine, s slot) {
	v := e.at(s)
	if !v.idle {
		return
	}
	if v.older != 0 {
		e.at(v.older).newer = v.newer
	} else {
		l.oldest = v.newer
	}
	if v.newer != 0 {
		e.at(v.newer).older = v.older
	} else {
		l.newest = v.older
	}
	v.idle, v.older, v.newer = false, 0, 0
	l.n--
}

// evict removes idle views, the longest idle first. It is called every second or
// so, and does what else has to be done now and then. A view with a load under
// way stays until that has come: it must not be taken for the load of the same
// user's next view, as it may lack a mark that this one had.
func (e *Engine) evict(in EvictInput) {
	e.age()
	e.askAgain()
	e.giveUp(func(l *load) bool { return l.since < e.now-patience })
	for s := e.idle.oldest; s != 0 && (e.at(s).idleSince < in.Before || in.Extra > 0); {
		v, next := e.at(s), e.at(s).newer
		if v.pending == nil {
			if v.idleSince >= in.Before {
				in.Extra--
			}
			e.drop(s)
		}
		s = next
	}
}

// audit asks for a recount of the next live view in slot order that owes nothing.
func (e *Engine) audit() {
	for range e.used {
		e.audited++
		if e.audited >= e.used {
			e.audited = 1
		}
		if e.audited >= e.used {
			return // no view yet
		}
		v := e.at(e.audited)
		if v.phase != phaseLive || v.pending != nil {
			continue
		}
		v.waits().audit = true
		e.askLoad(v, 0)
		return
	}
}

// rebuildAll loads again whatever is needed and forgets the rest.
func (e *Engine) rebuildAll(in RebuildInput) {
	waiting := e.loads
	if in.Heads != nil {
		copy(e.heads, in.Heads)
		e.loads = nil
	}
	for s := slot(1); s < e.used; s++ {
		switch v := e.at(s); {
		case v.phase == phaseLive:
			e.rebuild(s, in.Reason)
		case v.phase == phaseLoading && in.Heads != nil:
			v.pending.again = v.pending.asked
		}
	}
	if in.Heads == nil {
		return
	}
	// What waited for events that will not come has to be asked again.
	for _, l := range waiting {
		e.askAnew(l.Users)
	}
}

// rebuild throws a view's contents away. If it has sessions or owes an answer it
// is loaded again, as a new stream.
func (e *Engine) rebuild(s slot, reason ResetReason) {
	v := e.at(s)
	if len(v.sessions) == 0 && v.pending == nil {
		e.drop(s)
		return
	}
	e.idle.remove(e, s)
	e.unfollowAll(s)
	v.phase = phaseLoading
	v.counters, v.tail = counters{}, nil
	p := v.waits()
	if len(v.sessions) > 0 {
		p.reset = reason
	}
	// A load that is under way may lack a mark that this view had, and that is
	// in no log; or be of a history that was lost.
	p.again = p.asked
	e.askLoad(v, 0)
}
