package feedengine

// concern lets all whom an event concerns take it.
func (e *Engine) concern(ev *Event) {
	switch ev.Kind {
	case KindPost:
		e.fanOut(ev, (*Engine).takePost)
		e.notifyOfPost(ev)
	case KindPostEdited:
		e.fanOut(ev, (*Engine).takeEdit)
	case KindPostDeleted:
		e.fanOut(ev, (*Engine).takeDeletion)
		e.forgetPost(ev)
	case KindFollow:
		e.notifyOfFollow(ev)
	case KindUnfollow:
		e.withdrawFollow(ev)
	case KindLike:
		e.like(ev)
	case KindUnlike:
		e.unlike(ev)
	case KindComment:
		e.notifyOfComment(ev)
	case KindMessage:
		e.deliverMessage(ev)
	case KindSeen:
		e.takeSeen(ev)
	case KindProfile:
		e.takeProfile(ev)
	}
}

// concernsNobody reports whether no view of this shard has anything to do with
// an event of another shard's log.
func (e *Engine) concernsNobody(ev *Event) bool {
	switch ev.Kind {
	case KindPost, KindPostDeleted, KindPostEdited:
		if e.authors.live > 0 {
			if _, ok := e.authors.find(ev.Actor); ok {
				return false
			}
		}
		if len(ev.Users) == 0 && (ev.Post == nil || ev.Post.More == nil) {
			return true // as most do
		}
	}
	for user := range ev.about {
		if _, ok := e.users[user]; ok {
			return false
		}
	}
	return true
}

// part is a view that takes part in what is being stepped, and the counters that
// it goes to: all live views, or when a load is being stepped in, those that
// join. Else the view is nil.
func (e *Engine) part(s slot) (*view, *counters) {
	v := e.at(s)
	switch {
	case v.phase != phaseLive:
	case !e.replaying, v.joins == joinsNew:
		return v, &v.counters
	case v.joins == joinsCount:
		return v, &v.pending.recount
	}
	return nil, nil
}

func (e *Engine) partOf(user string) (*view, *counters) {
	s, ok := e.users[user]
	if !ok {
		return nil, nil
	}
	return e.part(s)
}

// give makes the event the next one of the view's stream, and puts the sessions
// among those who are told of it. A view that joins anew has its stream filled and
// tells nobody; one that is recounted has the event already.
func (e *Engine) give(v *view, ev *Event, counted bool) {
	switch {
	case !e.replaying:
		v.push(ev, e.opts.KeepTail)
		if counted {
			v.v++
		}
		e.tell(v, counted)
	case v.joins == joinsNew:
		v.push(ev, e.opts.KeepTail)
	case ev.onPages():
		v.pending.first = min(v.pending.first, v.number(ev))
	}
}

// onPages reports whether the event changes a page of the feed.
func (e *Event) onPages() bool {
	return e.Kind == KindPost || e.Kind == KindPostDeleted || e.Kind == KindPostEdited
}

// takeProfile notes the user's new name.
func (e *Engine) takeProfile(ev *Event) {
	p, ok := ev.Fact.(*Profile)
	if v, c := e.partOf(ev.Actor); ok && v != nil && (p.Name != "" || c.social != nil) {
		c.more().name = p.Name
	}
}

// Name is a user's display name, if the user's view is here to tell.
func (e *Engine) Name(user string) (name string, resident bool) {
	s, ok := e.users[user]
	if !ok || e.at(s).phase != phaseLive {
		return "", false
	}
	if m := e.at(s).social; m != nil {
		name = m.name
	}
	return name, true
}
