package storefake

import (
	"cmp"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// note is a row of somebody's notifications.
type note struct {
	kind          feedengine.NoteKind
	actor         string
	post, comment feedengine.ID
}

// like is a user's like of a post.
type like struct{ id, note feedengine.ID }

// liker is a like and whose it is.
type liker struct {
	user string
	id   feedengine.ID
}

// note adds a notification, unless the user has one of that id.
func (f *facts) note(user string, id feedengine.ID, n note) {
	if f.notes[user] == nil {
		f.notes[user] = map[feedengine.ID]note{}
	}
	if _, ok := f.notes[user][id]; !ok {
		f.notes[user][id] = n
	}
}

// dropNotes withdraws what is about a post.
func (f *facts) dropNotes(post feedengine.ID) {
	for _, notes := range f.notes {
		for id, n := range notes {
			if n.post == post {
				delete(notes, id)
			}
		}
	}
}

func (f *facts) applyLike(e *feedengine.Event, l *feedengine.Like) {
	if f.likes[l.Post] == nil {
		f.likes[l.Post] = map[string]like{}
	}
	begins := e.Kind == feedengine.KindLike
	if begins {
		f.likes[l.Post][e.Actor] = like{e.ID, l.Note}
	} else {
		delete(f.likes[l.Post], e.Actor)
	}
	f.change(l.Post, func(p *feedengine.Post) { p.Likes = l.Likes })
	switch {
	case !l.Edge || l.Note == 0:
	case begins:
		f.note(l.Owner, l.Note, note{kind: feedengine.NoteLike, actor: e.Actor, post: l.Post})
	default:
		delete(f.notes[l.Owner], l.Note)
	}
}

func (f *facts) applyComment(e *feedengine.Event, c *feedengine.Comment) {
	own := *c
	own.ID, own.Author = e.ID, e.Actor
	f.comments[c.Post] = append(f.comments[c.Post], &own)
	f.change(c.Post, func(p *feedengine.Post) { p.Comments++ })
	if c.Owner != e.Actor {
		f.note(c.Owner, e.ID, note{kind: feedengine.NoteComment, actor: e.Actor, post: c.Post, comment: e.ID})
	}
	for _, u := range e.Users {
		f.note(u, e.ID, note{kind: feedengine.NoteMention, actor: e.Actor, post: c.Post, comment: e.ID})
	}
}

// likers are those whose likes a notification stands for and that which accepts,
// newest first.
func (f *facts) likers(post, note feedengine.ID, which func(user string) bool) (all []liker) {
	for user, l := range f.likes[post] {
		if l.note == note && note != 0 && which(user) {
			all = append(all, liker{user, l.id})
		}
	}
	slices.SortFunc(all, func(a, b liker) int { return cmp.Compare(b.id, a.id) })
	return all
}

// names are the users of the newest likes, at most three.
func names(all []liker) (users []string) {
	for _, l := range all[:min(3, len(all))] {
		users = append(users, l.user)
	}
	return users
}

// shows is the notification as the user is shown it, nil when all of it is hidden.
func (f *facts) shows(user string, id feedengine.ID, n note) *feedengine.Note {
	shown := &feedengine.Note{ID: id, Kind: n.kind, Actor: n.actor, Count: 1, Post: n.post, Comment: n.comment}
	if n.kind == feedengine.NoteLike {
		all := f.likers(n.post, id, func(who string) bool { return !f.hidden(user, who, anyHide) })
		if len(all) == 0 {
			return nil
		}
		shown.Actor, shown.Others, shown.Count = all[0].user, names(all), len(all)
	} else if f.hidden(user, n.actor, anyHide) {
		return nil
	}
	shown.Name = f.profiles[shown.Actor].Name
	return shown
}

// notesOf are what the user is shown, newest first.
func (f *facts) notesOf(user string) (all []*feedengine.Note) {
	for id, n := range f.notes[user] {
		if shown := f.shows(user, id, n); shown != nil {
			all = append(all, shown)
		}
	}
	slices.SortFunc(all, func(a, b *feedengine.Note) int { return cmp.Compare(b.ID, a.ID) })
	return all
}

func (f *facts) loadNotes(u *feedengine.LoadedUser, keep int) {
	u.Notes.Mark = f.marks[markName{u.User, feedengine.ListNotifications}]
	var ids []feedengine.UnreadID
	for _, n := range slices.Backward(f.notesOf(u.User)) {
		if n.ID > u.Notes.Mark {
			ids = append(ids, feedengine.UnreadID{ID: n.ID})
		}
	}
	u.Notes.Total = min(len(ids), feedengine.MaxUnread)
	u.Notes.Unread = ids[max(0, len(ids)-keep):]
}
