package feedengine

import (
	"cmp"
	"slices"
)

// What shards decide before they write an event, by the facts alone.

// likeOf is one row of likes.
type likeOf struct {
	user     string
	id, note ID
}

// likes are those of a post that stand, oldest first.
func (f *facts) likes(post ID) []likeOf {
	var likes []likeOf
	for _, ev := range f.logs[post.Shard()] {
		like, ok := ev.Fact.(*Like)
		switch {
		case !ok || like.Post != post:
		case ev.Kind == KindLike:
			likes = append(likes, likeOf{ev.Actor, ev.ID, like.Note})
		default:
			likes = slices.DeleteFunc(likes, func(l likeOf) bool { return l.user == ev.Actor })
		}
	}
	return likes
}

// decideLike makes the event a like of the post, or its end if the actor likes it
// already. window: a notification that stands takes it in.
func (f *facts) decideLike(ev *Event, post ID, owner string, window bool) {
	like := &Like{Post: post, Owner: owner}
	ev.Kind, ev.Shard, ev.Fact = KindLike, post.Shard(), like
	likes := f.likes(post)
	if i := slices.IndexFunc(likes, func(l likeOf) bool { return l.user == ev.Actor }); i >= 0 {
		ev.Kind, like.Note = KindUnlike, likes[i].note
		likes = slices.Delete(likes, i, i+1)
	} else {
		if ev.Actor != owner {
			like.Note = ev.ID
			for _, l := range likes {
				if window && l.note > 0 {
					like.Note = l.note
				}
			}
			like.Edge = like.Note == ev.ID
		}
		likes = append(likes, likeOf{ev.Actor, ev.ID, like.Note})
	}
	like.Likes = len(likes)
	if like.Note == 0 {
		return
	}
	for _, l := range slices.Backward(likes) {
		if l.note == like.Note {
			if like.Count++; like.Count <= 3 {
				like.Others = append(like.Others, l.user)
			}
		}
	}
	like.Edge = like.Edge || like.Count == 0
}

// decideDelete names those who are to be told of a deletion.
func (f *facts) decideDelete(ev *Event, users []string) {
	heads := f.heads()
	for _, user := range users {
		if user != ev.Actor && slices.ContainsFunc(f.rows(user, heads), func(n row) bool { return n.Post == ev.Target }) {
			ev.Users = append(ev.Users, user)
		}
	}
}

// decideUnfollow leaves those who are followed, and adds since when.
func (f *facts) decideUnfollow(ev *Event) {
	following := &Following{}
	edges := f.follows(ev.Actor, f.heads())
	ev.Users = slices.DeleteFunc(ev.Users, func(user string) bool {
		i := slices.IndexFunc(edges, func(e Edge) bool { return e.Author == user })
		if i >= 0 {
			following.Since = append(following.Since, edges[i].Since)
		}
		return i < 0
	})
	ev.Fact = following
}

// decideMessage finds the members' conversation, or opens it.
func (f *facts) decideMessage(ev *Event, to []string) {
	m := &Message{From: ev.Actor, ID: ev.ID, Conversation: ev.ID, Opens: true}
	ev.Kind, ev.Fact, ev.Users = KindMessage, m, ConversationMembers(ev.Actor, to)
	for _, old := range f.logs[ev.Shard] {
		if o, ok := old.Fact.(*Message); ok && o.Opens && slices.Equal(old.Users, ev.Users) {
			m.Conversation, m.Opens = o.Conversation, false
		}
	}
}

// messages are those that a user has been sent or has sent, by log.
func (f *facts) messages(user string, heads []Head) []*Event {
	var events []*Event
	for shard, log := range f.logs {
		for _, ev := range log[:heads[shard].Seq] {
			if ev.Kind == KindMessage && slices.Contains(ev.Users, user) {
				events = append(events, ev)
			}
		}
	}
	return events
}

// hiddenFrom are those whose posts and notifications, and those whose messages, are
// hidden from a user.
func (f *facts) hiddenFrom(user string, heads []Head) (posts, messages map[string]bool) {
	posts, messages = map[string]bool{}, map[string]bool{}
	for _, h := range f.hides(user, heads) {
		posts[h.Other] = true
		if h.Kind != HideMute {
			messages[h.Other] = true
		}
	}
	return posts, messages
}

// hides are a user's, in order.
func (f *facts) hides(user string, heads []Head) []Hide {
	set := map[Hide]bool{}
	for shard, log := range f.logs {
		for _, ev := range log[:heads[shard].Seq] {
			switch {
			case ev.Kind < KindBlock || ev.Kind > KindUnmute:
			case ev.Actor == user && ev.Kind <= KindUnblock:
				set[Hide{ev.Users[0], HideBlock}] = ev.Kind == KindBlock
			case ev.Actor == user:
				set[Hide{ev.Users[0], HideMute}] = ev.Kind == KindMute
			case ev.Users[0] == user && ev.Kind <= KindUnblock:
				set[Hide{ev.Actor, HideBlockedBy}] = ev.Kind == KindBlock
			}
		}
	}
	var hides []Hide
	for h, on := range set {
		if on {
			hides = append(hides, h)
		}
	}
	slices.SortFunc(hides, func(a, b Hide) int { return cmp.Or(cmp.Compare(a.Other, b.Other), cmp.Compare(a.Kind, b.Kind)) })
	return hides
}

// row is a row of notes: its likes with it, oldest first.
type row struct {
	Note
	likes []string
	at    *Event // that made it what it is
}

// rows are a user's notifications, hidden ones too.
func (f *facts) rows(user string, heads []Head) []row {
	var all []row
	for shard, log := range f.logs {
		var rows []row
		add := func(ev *Event, n Note) {
			n.ID, n.Actor, n.Count = ev.ID, ev.Actor, 1
			if !slices.ContainsFunc(rows, func(r row) bool { return r.ID == n.ID }) {
				rows = append(rows, row{Note: n, at: ev})
			}
		}
		drop := func(match func(row) bool) { rows = slices.DeleteFunc(rows, match) }
		for _, ev := range log[:heads[shard].Seq] {
			mentioned := slices.Contains(ev.Users, user)
			switch ev.Kind {
			case KindPost:
				if mentioned {
					add(ev, Note{Kind: NoteMention, Post: ev.ID})
				}
				if ev.Post.More != nil && slices.Contains(ev.Post.More.Alerts, user) {
					add(ev, Note{Kind: NoteJob, Post: ev.ID})
				}
			case KindPostDeleted:
				drop(func(r row) bool { return r.Post == ev.Target })
			case KindFollow:
				if mentioned && ev.Fact != nil && ev.Fact.(*Following).Notify {
					add(ev, Note{Kind: NoteFollow})
				}
			case KindUnfollow:
				for i, followed := range ev.Users {
					if followed == user && ev.Fact != nil {
						drop(func(r row) bool { return r.ID == ev.Fact.(*Following).Since[i] })
					}
				}
			case KindComment:
				c := ev.Fact.(*Comment)
				switch {
				case c.Owner == user && ev.Actor != user:
					add(ev, Note{Kind: NoteComment, Post: c.Post, Comment: ev.ID})
				case mentioned && c.Owner != user:
					add(ev, Note{Kind: NoteMention, Post: c.Post, Comment: ev.ID})
				}
			case KindLike, KindUnlike:
				like := ev.Fact.(*Like)
				if like.Owner != user || like.Note == 0 {
					break
				}
				if like.Edge && ev.Kind == KindLike {
					add(ev, Note{Kind: NoteLike, Post: like.Post})
				}
				for i := range rows {
					if r := &rows[i]; r.ID == like.Note {
						r.at = ev
						r.likes = slices.DeleteFunc(r.likes, func(u string) bool { return u == ev.Actor })
						if ev.Kind == KindLike {
							r.likes = append(r.likes, ev.Actor)
						}
						r.Count = len(r.likes)
					}
				}
				drop(func(r row) bool { return r.Kind == NoteLike && len(r.likes) == 0 })
			}
		}
		all = append(all, rows...)
	}
	return all
}

// notes are a user's notifications above the mark by those who are not hidden,
// ascending.
func (f *facts) notes(user string, heads []Head, mark ID) []row {
	hidden, _ := f.hiddenFrom(user, heads)
	notes := slices.DeleteFunc(f.rows(user, heads), func(r row) bool {
		if r.Kind == NoteLike {
			return r.ID <= mark || !slices.ContainsFunc(r.likes, func(u string) bool { return !hidden[u] })
		}
		return r.ID <= mark || hidden[r.Actor]
	})
	slices.SortFunc(notes, func(a, b row) int { return cmp.Compare(a.ID, b.ID) })
	return notes
}

// reads are a user's read marks of conversations.
func (f *facts) reads(user string, heads []Head) map[ID]ID {
	marks := map[ID]ID{}
	for _, ev := range f.log(user, heads) {
		if seen, ok := ev.Fact.(*Seen); ok && seen.Read && ev.Actor == user {
			marks[seen.Conversation] = max(marks[seen.Conversation], seen.Upto)
		}
	}
	return marks
}

// chats are a user's conversations with something unread.
func (f *facts) chats(user string, heads []Head) map[ID][]ID {
	marks := f.reads(user, heads)
	_, blocked := f.hiddenFrom(user, heads)
	unread := map[ID][]ID{}
	for _, ev := range f.messages(user, heads) {
		c := ev.Fact.(*Message).Conversation
		if ev.Actor != user && !blocked[ev.Actor] && ev.ID > marks[c] {
			unread[c] = append(unread[c], ev.ID)
		}
	}
	return unread
}

// displayName is a user's.
func (f *facts) displayName(user string, heads []Head) string {
	name := ""
	for _, ev := range f.log(user, heads) {
		if p, ok := ev.Fact.(*Profile); ok && ev.Actor == user {
			name = p.Name
		}
	}
	return name
}

// counts are a user's counters as of the heads, with the marks given.
func (f *facts) counts(user string, heads []Head, feed, notes ID) Counts {
	c := Counts{Feed: uint32(len(f.unread(user, heads, feed))), Notifications: uint32(len(f.notes(user, heads, notes)))}
	for _, ids := range f.chats(user, heads) {
		c.Messages += uint32(len(ids))
	}
	return c
}
