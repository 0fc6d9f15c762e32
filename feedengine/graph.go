package feedengine

import "slices"

// follow adds edges to the follower's view, if it is resident here. Applying a
// follow is a small load: what the new authors posted above the follow's id and
// was stepped already is taken in first.
func (e *Engine) follow(in LogInput) {
	s, ok := e.own(in.Event)
	if !ok || e.at(s).phase != phaseLive {
		return
	}
	if in.PassedLost {
		e.rebuild(s, ResetViewRebuilt)
		return
	}
	added := make(map[string]author, len(in.Event.Users))
	for _, user := range in.Event.Users {
		if a, ok := e.connect(s, user, in.Event.ID); ok {
			added[user] = a
		}
	}
	for _, ev := range in.Passed {
		a, ok := added[ev.Actor]
		if !ok || ev.ID <= in.Event.ID {
			continue
		}
		switch ev.Kind {
		case KindPost:
			e.takePost(ev, s, a)
		case KindPostEdited:
			e.takeEdit(ev, s, a)
		case KindPostDeleted:
			e.takeDeletion(ev, s, a)
		}
		e.flush(ev)
	}
}

// connect adds one edge, unless it is there already or leads to oneself.
func (e *Engine) connect(s slot, user string, since ID) (author, bool) {
	v := e.at(s)
	if user == v.user {
		return 0, false
	}
	if _, ok := e.followed(v, user); ok {
		return 0, false
	}
	return e.addEdge(s, v, user, since), true
}

// connectAll is connect for a new view and all whom its user follows: storage
// names nobody twice, so nothing is searched for.
func (e *Engine) connectAll(s slot, follows []Edge) {
	v := e.at(s)
	v.follows = make([]author, 0, len(follows))
	for _, f := range follows {
		if f.Author != v.user {
			e.addEdge(s, v, f.Author, f.Since)
		}
	}
}

// followed finds an author whom the view follows.
func (e *Engine) followed(v *view, user string) (author, bool) {
	a, ok := e.authors.find(user)
	return a, ok && slices.Contains(v.follows, a)
}

// addEdge makes the edge, which is not there.
func (e *Engine) addEdge(s slot, v *view, user string, since ID) author {
	a := e.authors.add(user, s)
	v.follows = append(v.follows, a)
	if since.Tick().millis() > e.now-youngFor && since > e.heads[e.opts.ShardOf(user)].ID {
		e.young[edge{s, a}] = since
	}
	return a
}

// youngFor is for how many milliseconds a post may be on its way into the log
// with an ID from before: longer than any commit can take. Until its author's
// log has passed the follow's ID, or for so long, an edge remembers it.
const youngFor = 10 * 60 * 1000

// age forgets the edges that are young no longer.
func (e *Engine) age() {
	for at, since := range e.young {
		if since.Tick().millis() <= e.now-youngFor {
			delete(e.young, at)
		}
	}
}

// unfollow removes edges and takes what they hide out of stream and counters.
func (e *Engine) unfollow(ev *Event) {
	s, ok := e.own(ev)
	if !ok || e.at(s).phase != phaseLive {
		return
	}
	v := e.at(s)
	changed := false
	for _, user := range ev.Users {
		a, ok := e.authors.find(user)
		if !ok {
			continue
		}
		i := slices.Index(v.follows, a)
		if i < 0 {
			continue
		}
		v.follows = slices.Delete(v.follows, i, i+1)
		delete(e.young, edge{s, a})
		changed = v.feed.removeAuthor(a) || changed
		v.withdraw(func(old *Event) bool {
			return (old.Kind == KindPost || old.Kind == KindPostEdited) && old.Actor == user
		})
		e.authors.remove(a, s)
	}
	if changed {
		e.pushCounts(v)
	}
	e.recountIfStale(v)
}
