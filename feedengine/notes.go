package feedengine

import "slices"

// derive is an event of a stream that is made of one of a log: it keeps its place
// and its ID.
func (e *Event) derive(kind EventKind) *Event {
	return &Event{Shard: e.Shard, Epoch: e.Epoch, Seq: e.Seq, ID: e.ID, Kind: kind, Actor: e.Actor, Name: e.Name}
}

// note is the event that shows a notification.
func (e *Event) note(n Note) *Event {
	d := e.derive(KindNote)
	d.Actor, d.Name, d.Fact = n.Actor, n.Name, &n
	return d
}

// notify gives users a new notification, whose ID is the event's.
func (e *Engine) notify(ev *Event, n Note, users ...string) {
	var told *Event
	for _, user := range users {
		v, c := e.partOf(user)
		if v == nil || v.hides().hidden(ev.Actor) {
			continue
		}
		if told == nil {
			n.ID, n.Actor, n.Name, n.Count = ev.ID, ev.Actor, ev.Name, 1
			told = ev.note(n)
		}
		c.more().notes.add(ev.ID, nobody, e.opts.KeepUnread)
		e.give(v, told, true)
	}
	if told != nil {
		e.flush(told)
	}
}

// notifyOfPost tells those who are mentioned in a post, and those who wait for such a job.
func (e *Engine) notifyOfPost(ev *Event) {
	e.notify(ev, Note{Kind: NoteMention, Post: ev.ID}, ev.Users...)
	if alerts := ev.Post.alerts(); len(alerts) > 0 {
		e.notify(ev, Note{Kind: NoteJob, Post: ev.ID}, others(alerts, ev.Users...)...)
	}
}

// notifyOfComment tells the post's author, and those who are mentioned.
func (e *Engine) notifyOfComment(ev *Event) {
	c, ok := ev.Fact.(*Comment)
	if !ok {
		return
	}
	if ev.Actor != c.Owner {
		e.notify(ev, Note{Kind: NoteComment, Post: c.Post, Comment: ev.ID}, c.Owner)
	}
	e.notify(ev, Note{Kind: NoteMention, Post: c.Post, Comment: ev.ID}, others(ev.Users, c.Owner)...)
}

// others are the users that are not among some.
func others(users []string, some ...string) []string {
	if !slices.ContainsFunc(users, func(u string) bool { return slices.Contains(some, u) }) {
		return users
	}
	return slices.DeleteFunc(slices.Clone(users), func(u string) bool { return slices.Contains(some, u) })
}

// like lets a like begin its post's notification, or adds to it. It counts once,
// when the first comes whose actor is not hidden.
func (e *Engine) like(ev *Event) {
	like, ok := ev.Fact.(*Like)
	if !ok || like.Note == 0 {
		return
	}
	v, c := e.partOf(like.Owner)
	if v == nil || v.hides().hidden(ev.Actor) {
		return
	}
	switch notes := &c.more().notes; {
	case like.Edge:
		notes.add(like.Note, nobody, e.opts.KeepUnread)
	case len(v.hides()) > 0: // the others may be hidden
		notes.ensure(like.Note, e.opts.KeepUnread)
	}
	e.giveLikes(v, ev, like, ev.Actor, ev.Name, v.visible(like.Others))
}

// unlike takes a like back, and with the last one the notification.
func (e *Engine) unlike(ev *Event) {
	like, ok := ev.Fact.(*Like)
	if !ok || like.Note == 0 {
		return
	}
	v, c := e.partOf(like.Owner)
	if v == nil || v.hides().hidden(ev.Actor) {
		return
	}
	switch left := v.visible(like.Others); {
	case like.Edge, len(left) == 0 && like.Count <= len(like.Others): // all that are left are hidden
		e.dropNote(ev, v, c, like.Note, true)
	case len(left) > 0:
		e.giveLikes(v, ev, like, left[0], "", left)
	default: // whether all are hidden cannot be told
		c.more().notes.doubtUnread()
		e.recountIfStale(v)
	}
}

// giveLikes shows what a notification of likes has become.
func (e *Engine) giveLikes(v *view, ev *Event, like *Like, actor, name string, newest []string) {
	told := ev.note(Note{ID: like.Note, Kind: NoteLike, Actor: actor, Name: name, Others: newest, Count: like.Count, Post: like.Post})
	e.give(v, told, true)
	e.flush(told)
	e.recountIfStale(v)
}

// visible are the users that are not hidden from the view's.
func (v *view) visible(users []string) []string {
	hidden := v.hides().hidden
	if !slices.ContainsFunc(users, hidden) {
		return users
	}
	return slices.DeleteFunc(slices.Clone(users), hidden)
}

// notifyOfFollow tells the followed.
func (e *Engine) notifyOfFollow(ev *Event) {
	if f, ok := ev.Fact.(*Following); ok && f.Notify {
		e.notify(ev, Note{Kind: NoteFollow}, ev.Users...)
	}
}

// withdrawFollow takes the notifications of the follows back that have ended. Not
// every follow had one.
func (e *Engine) withdrawFollow(ev *Event) {
	f, ok := ev.Fact.(*Following)
	if !ok {
		return
	}
	for i, id := range f.Since[:min(len(f.Since), len(ev.Users))] {
		if v, c := e.partOf(ev.Users[i]); v != nil && !v.hides().hidden(ev.Actor) {
			e.dropNote(ev, v, c, id, false)
		}
	}
}

// dropNote withdraws a notification from stream and counter, and from the show
// unless it cannot have been there.
func (e *Engine) dropNote(ev *Event, v *view, c *counters, id ID, shown bool) {
	if c.social != nil {
		shown = shown || c.social.notes.mayHave(id)
		c.social.notes.remove(id)
	}
	stood := v.withdraw(func(old *Event) bool { return old.Kind == KindNote && old.Fact.(*Note).ID == id })
	if shown || stood {
		e.giveGone(ev, v, id)
	}
	e.recountIfStale(v)
}

// giveGone takes a notification off the show.
func (e *Engine) giveGone(ev *Event, v *view, id ID) {
	told := ev.derive(KindNoteGone)
	told.Actor, told.Name, told.Target = v.user, "", id
	e.give(v, told, true)
	e.flush(told)
}

// forgetPost takes the notifications about a deleted post from those who were told
// of it. Whether that was in the post or in comments on it is not said.
func (e *Engine) forgetPost(ev *Event) {
	for _, user := range ev.Users {
		v, c := e.partOf(user)
		if v == nil || user == ev.Actor {
			continue
		}
		gone := v.dropNotes(c, ev.Target)
		if !slices.Contains(gone, ev.Target) && !v.hides().hidden(ev.Actor) {
			gone = append(gone, ev.Target) // a mention from before the tail
		}
		for _, id := range gone {
			e.giveGone(ev, v, id)
		}
		e.recountIfStale(v)
	}
}

// dropNotes takes what is about a post out of the stream, and out of the counter
// when the stream tells of all that count what they are about. It returns what
// stood in the stream.
func (v *view) dropNotes(c *counters, post ID) (gone []ID) {
	if s := c.social; s != nil && s.notes.total() > 0 {
		v.dropCounted(&s.notes, post)
	}
	v.withdraw(func(old *Event) bool {
		n, ok := old.Fact.(*Note)
		if !ok || n.Post != post {
			return false
		}
		if !slices.Contains(gone, n.ID) {
			gone = append(gone, n.ID)
		}
		return true
	})
	return gone
}

func (v *view) dropCounted(notes *counter, post ID) {
	about := make(map[ID]ID, len(v.tail)) // of the notifications in the stream
	for _, ev := range v.tail {
		if n, ok := ev.Fact.(*Note); ok {
			about[n.ID] = n.Post
		}
	}
	if notes.below > 0 || slices.ContainsFunc(notes.kept, func(u unread) bool { _, known := about[u.id]; return !known }) {
		notes.doubt()
		return
	}
	notes.kept = slices.DeleteFunc(notes.kept, func(u unread) bool { return about[u.id] == post })
}
