package storagetest

import (
	"cmp"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// social is the model's part of what an app needs beside feeds.
type social struct {
	names    map[string]string
	hides    map[string]map[feedengine.Hide]bool // by user
	likes    map[feedengine.ID]map[string]liked  // by post, user
	comments []*feedengine.Comment
	notes    map[string]map[feedengine.ID]feedengine.Note // by user, without what likes make of them
	talks    map[feedengine.ID]*talk
}

type liked struct{ id, note feedengine.ID }

type talk struct {
	members   []string
	messages  []*feedengine.Message
	got, read map[string]feedengine.ID
}

func newSocial() social {
	return social{
		names: map[string]string{}, hides: map[string]map[feedengine.Hide]bool{},
		likes: map[feedengine.ID]map[string]liked{}, notes: map[string]map[feedengine.ID]feedengine.Note{},
		talks: map[feedengine.ID]*talk{},
	}
}

// shown is a post as pages have it: whom it alerted stands in the log alone.
func shown(p *feedengine.Post) *feedengine.Post {
	of := *p
	if p.More != nil {
		more := *p.More
		more.Alerts = nil
		of.More = &more
	}
	return &of
}

func (m *model) applySocial(e *feedengine.Event) {
	switch e.Kind {
	case feedengine.KindPost:
		for _, u := range e.Users {
			m.note(u, feedengine.Note{ID: e.ID, Kind: feedengine.NoteMention, Actor: e.Actor, Post: e.ID})
		}
		if e.Post.More != nil {
			for _, u := range e.Post.More.Alerts {
				m.note(u, feedengine.Note{ID: e.ID, Kind: feedengine.NoteJob, Actor: e.Actor, Post: e.ID})
			}
		}
	case feedengine.KindPostEdited:
		if old := m.posts[e.Post.ID]; old != nil {
			p := shown(e.Post)
			p.Likes, p.Comments = old.Likes, old.Comments
			m.posts[p.ID] = p
		}
	case feedengine.KindPostDeleted:
		for _, of := range m.notes {
			for id, n := range of {
				if n.Post == e.Target {
					delete(of, id)
				}
			}
		}
	case feedengine.KindBlock:
		m.hide(e.Actor, feedengine.Hide{Other: e.Users[0], Kind: feedengine.HideBlock}, true)
		m.hide(e.Users[0], feedengine.Hide{Other: e.Actor, Kind: feedengine.HideBlockedBy}, true)
	case feedengine.KindUnblock:
		m.hide(e.Actor, feedengine.Hide{Other: e.Users[0], Kind: feedengine.HideBlock}, false)
		m.hide(e.Users[0], feedengine.Hide{Other: e.Actor, Kind: feedengine.HideBlockedBy}, false)
	case feedengine.KindMute, feedengine.KindUnmute:
		m.hide(e.Actor, feedengine.Hide{Other: e.Users[0], Kind: feedengine.HideMute}, e.Kind == feedengine.KindMute)
	}
	switch of := e.Fact.(type) {
	case *feedengine.Like:
		m.like(e, of)
	case *feedengine.Comment:
		m.comment(e, of)
	case *feedengine.Following:
		for i, u := range e.Users {
			if e.Kind == feedengine.KindUnfollow {
				delete(m.notes[u], of.Since[i])
			} else if of.Notify {
				m.note(u, feedengine.Note{ID: e.ID, Kind: feedengine.NoteFollow, Actor: e.Actor})
			}
		}
	case *feedengine.Message:
		m.message(e, of)
	case *feedengine.Seen:
		if t := m.talks[of.Conversation]; t != nil && slices.Contains(t.members, e.Actor) {
			t.got[e.Actor] = max(t.got[e.Actor], of.Upto)
			if of.Read {
				t.read[e.Actor] = max(t.read[e.Actor], of.Upto)
			}
		}
	case *feedengine.Profile:
		m.names[e.Actor] = of.Name
	}
}

// note adds a notification, unless that event made one for the user already.
func (m *model) note(user string, n feedengine.Note) {
	if m.notes[user] == nil {
		m.notes[user] = map[feedengine.ID]feedengine.Note{}
	}
	if _, already := m.notes[user][n.ID]; !already {
		n.Count = 1
		m.notes[user][n.ID] = n
	}
}

func (m *model) hide(user string, h feedengine.Hide, on bool) {
	if m.hides[user] == nil {
		m.hides[user] = map[feedengine.Hide]bool{}
	}
	if on {
		m.hides[user][h] = true
	} else {
		delete(m.hides[user], h)
	}
}

func (m *model) like(e *feedengine.Event, of *feedengine.Like) {
	if m.likes[of.Post] == nil {
		m.likes[of.Post] = map[string]liked{}
	}
	if p := m.posts[of.Post]; p != nil {
		now := *p
		now.Likes = of.Likes
		m.posts[of.Post] = &now
	}
	if e.Kind == feedengine.KindUnlike {
		delete(m.likes[of.Post], e.Actor)
		if of.Edge {
			delete(m.notes[of.Owner], of.Note)
		}
		return
	}
	m.likes[of.Post][e.Actor] = liked{e.ID, of.Note}
	if of.Edge {
		m.note(of.Owner, feedengine.Note{ID: of.Note, Kind: feedengine.NoteLike, Actor: e.Actor, Post: of.Post})
	}
}

func (m *model) comment(e *feedengine.Event, of *feedengine.Comment) {
	m.comments = append(m.comments, &feedengine.Comment{ID: e.ID, Post: of.Post, Owner: of.Owner, Author: e.Actor, Text: of.Text})
	if p := m.posts[of.Post]; p != nil {
		now := *p
		now.Comments++
		m.posts[of.Post] = &now
	}
	n := feedengine.Note{ID: e.ID, Kind: feedengine.NoteComment, Actor: e.Actor, Post: of.Post, Comment: e.ID}
	if of.Owner != e.Actor {
		m.note(of.Owner, n)
	}
	n.Kind = feedengine.NoteMention
	for _, u := range e.Users {
		if u != of.Owner {
			m.note(u, n)
		}
	}
}

func (m *model) message(e *feedengine.Event, of *feedengine.Message) {
	if of.Opens {
		m.talks[of.Conversation] = &talk{
			members: e.Users, got: map[string]feedengine.ID{}, read: map[string]feedengine.ID{},
		}
	}
	t := m.talks[of.Conversation]
	t.messages = append(t.messages, &feedengine.Message{
		ID: e.ID, Conversation: of.Conversation, From: e.Actor, Text: of.Text, Reply: of.Reply, Media: of.Media,
	})
}

func (m *model) hidesOf(user string) (list []feedengine.Hide) {
	for h := range m.hides[user] {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b feedengine.Hide) int {
		return cmp.Or(cmp.Compare(a.Other, b.Other), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// hidden reports whether the other is hidden from the user, blocked whether by a
// block from either side.
func (m *model) hidden(user, other string) bool {
	return m.blocked(user, other) || m.hides[user][feedengine.Hide{Other: other, Kind: feedengine.HideMute}]
}

func (m *model) blocked(user, other string) bool {
	return m.hides[user][feedengine.Hide{Other: other, Kind: feedengine.HideBlock}] ||
		m.hides[user][feedengine.Hide{Other: other, Kind: feedengine.HideBlockedBy}]
}

// likers are those of whose likes the notification is made, newest first, but for
// those whom drop takes out.
func (m *model) likers(post, note feedengine.ID, drop func(string) bool) []string {
	var users []string
	for u, l := range m.likes[post] {
		if l.note == note && note != 0 && !drop(u) {
			users = append(users, u)
		}
	}
	slices.SortFunc(users, func(a, b string) int { return cmp.Compare(m.likes[post][b].id, m.likes[post][a].id) })
	return users
}

// notesOf are the user's notifications as pages show them, newest first.
func (m *model) notesOf(user string) (list []*feedengine.Note) {
	for _, n := range m.notes[user] {
		if n.Kind == feedengine.NoteLike {
			likers := m.likers(n.Post, n.ID, func(u string) bool { return m.hidden(user, u) })
			if len(likers) == 0 {
				continue
			}
			n.Actor, n.Count, n.Others = likers[0], len(likers), likers[:min(3, len(likers))]
		} else if m.hidden(user, n.Actor) {
			continue
		}
		n.Name = m.names[n.Actor]
		list = append(list, &n)
	}
	slices.SortFunc(list, func(a, b *feedengine.Note) int { return cmp.Compare(b.ID, a.ID) })
	return list
}

func (m *model) noteCount(user string) feedengine.LoadedCount {
	c := feedengine.LoadedCount{Mark: m.noteMarks[user]}
	for _, n := range m.notesOf(user) {
		if n.ID > c.Mark {
			c.Unread = append(c.Unread, feedengine.UnreadID{ID: n.ID})
		}
	}
	return c
}

// messagesOf are those of a conversation that the user may see, newest first.
func (m *model) messagesOf(user string, t *talk) (list []*feedengine.Message) {
	for _, msg := range t.messages {
		if !m.blocked(user, msg.From) {
			list = append(list, msg)
		}
	}
	slices.SortFunc(list, func(a, b *feedengine.Message) int { return cmp.Compare(b.ID, a.ID) })
	return list
}

// unreadIn are the messages of a conversation that the user has not read.
func (m *model) unreadIn(user string, t *talk) feedengine.LoadedCount {
	c := feedengine.LoadedCount{Mark: t.read[user]}
	for _, msg := range m.messagesOf(user, t) {
		if msg.From != user && msg.ID > c.Mark {
			c.Unread = append(c.Unread, feedengine.UnreadID{ID: msg.ID})
		}
	}
	return c
}

func (m *model) chats(user string, keep int) (list []feedengine.LoadedChat, top feedengine.ID) {
	for id, t := range m.talks {
		if !slices.Contains(t.members, user) {
			continue
		}
		top = max(top, t.read[user])
		if c := counted(m.unreadIn(user, t), keep); c.Total > 0 {
			list = append(list, feedengine.LoadedChat{Conversation: id, LoadedCount: c})
		}
	}
	slices.SortFunc(list, func(a, b feedengine.LoadedChat) int { return cmp.Compare(a.Conversation, b.Conversation) })
	return list, top
}

// conversationsOf are the user's conversations of which anything is shown.
func (m *model) conversationsOf(user string) (list []*feedengine.Conversation) {
	for id, t := range m.talks {
		messages := m.messagesOf(user, t)
		if !slices.Contains(t.members, user) || len(messages) == 0 {
			continue
		}
		list = append(list, &feedengine.Conversation{
			ID: id, Members: t.members, Last: messages[0], Read: t.read[user],
			Unread: uint32(min(len(m.unreadIn(user, t).Unread), feedengine.MaxUnread)),
		})
	}
	slices.SortFunc(list, func(a, b *feedengine.Conversation) int { return cmp.Compare(b.Last.ID, a.Last.ID) })
	return list
}

// seenIn is how far the others have got.
func (m *model) seenIn(user string, t *talk) (list []feedengine.MemberSeen) {
	for _, u := range t.members {
		if u != user && !m.blocked(user, u) {
			list = append(list, feedengine.MemberSeen{User: u, Got: t.got[u], Read: t.read[u]})
		}
	}
	return list
}

// sees reports whether the viewer may see the post.
func (m *model) sees(viewer string, p *feedengine.Post) bool {
	_, follows := m.follows[viewer][p.Author]
	return viewer == p.Author || !m.blocked(viewer, p.Author) && (!p.Followers() || follows)
}

func (m *model) commentsOf(viewer string, post feedengine.ID) (list []*feedengine.Comment) {
	for _, c := range m.comments {
		if c.Post == post && !m.blocked(viewer, c.Author) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *feedengine.Comment) int { return cmp.Compare(b.ID, a.ID) })
	return list
}

// newestLikes is the newest notification of likes of the post.
func (m *model) newestLikes(post *feedengine.Post) (newest feedengine.ID) {
	for id, n := range m.notes[post.Author] {
		if n.Kind == feedengine.NoteLike && n.Post == post.ID {
			newest = max(newest, id)
		}
	}
	return newest
}

// standing is how the user stands to a post that is there.
func (m *model) standing(user string, p *feedengine.Post) feedengine.Standing {
	st := feedengine.Standing{Name: m.names[user]}
	if !m.sees(user, p) {
		return st
	}
	st.Post, st.Newest = p, m.newestLikes(p)
	like, is := m.likes[p.ID][user]
	of := st.Newest
	if is {
		st.Liked, st.LikedAs, of = true, like.note, like.note
	}
	st.Count = len(m.likers(p.ID, of, func(string) bool { return false }))
	st.Others = m.likers(p.ID, of, func(u string) bool { return u == user })
	st.Others = st.Others[:min(3, len(st.Others))]
	for u, of := range m.notes {
		for _, n := range of {
			if n.Post == p.ID && u != p.Author {
				st.Told = append(st.Told, u)
				break
			}
		}
	}
	slices.Sort(st.Told)
	return st
}
