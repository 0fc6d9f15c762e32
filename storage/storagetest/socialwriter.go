package storagetest

import (
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// What else a writer queues: see writer.

// tell is post with those whom it mentions.
func (w *writer) tell(author, text string, mentioned ...string) *feedengine.Post {
	return w.event(feedengine.Event{
		Kind: feedengine.KindPost, Actor: author, Users: mentioned,
		Post: &feedengine.Post{Author: author, Kind: feedengine.KindOfPost, Text: text},
	}).Post
}

// more is post with what few have.
func (w *writer) more(author, text string, more feedengine.More) *feedengine.Post {
	kind := feedengine.KindOfPost
	if more.Job != nil {
		kind = feedengine.KindOfJob
	}
	return w.event(feedengine.Event{
		Kind: feedengine.KindPost, Actor: author,
		Post: &feedengine.Post{Author: author, Kind: kind, Text: text, More: &more},
	}).Post
}

// edit changes a post to what p is now.
func (w *writer) edit(p feedengine.Post) *feedengine.Post {
	return w.event(feedengine.Event{Kind: feedengine.KindPostEdited, Actor: p.Author, Post: &p}).Post
}

// like begins a notification when note is 0, but for the author's own.
func (w *writer) like(user string, p *feedengine.Post, note feedengine.ID, likes int) *feedengine.Event {
	of := &feedengine.Like{Post: p.ID, Owner: p.Author, Note: note, Likes: likes}
	e := w.event(feedengine.Event{Kind: feedengine.KindLike, Actor: user, Fact: of})
	if note == 0 && user != p.Author {
		of.Note, of.Edge = e.ID, true
	}
	return e
}

// unlike takes a like back; last says that it was the notification's last.
func (w *writer) unlike(user string, p *feedengine.Post, note feedengine.ID, likes int, last bool) {
	w.event(feedengine.Event{Kind: feedengine.KindUnlike, Actor: user, Fact: &feedengine.Like{
		Post: p.ID, Owner: p.Author, Note: note, Edge: last, Likes: likes,
	}})
}

func (w *writer) comment(author string, p *feedengine.Post, text string, mentioned ...string) feedengine.ID {
	return w.event(feedengine.Event{
		Kind: feedengine.KindComment, Actor: author, Users: mentioned,
		Fact: &feedengine.Comment{Post: p.ID, Owner: p.Author, Text: text},
	}).ID
}

// open opens a conversation with its first message and returns its id, which is
// the message's.
func (w *writer) open(from, text string, to ...string) feedengine.ID {
	of := &feedengine.Message{Text: text, Opens: true}
	e := w.event(feedengine.Event{
		Kind: feedengine.KindMessage, Actor: from, Users: feedengine.ConversationMembers(from, to), Fact: of,
	})
	of.Conversation = e.ID
	return e.ID
}

func (w *writer) message(from string, conversation feedengine.ID, text string, members ...string) feedengine.ID {
	return w.event(feedengine.Event{
		Kind: feedengine.KindMessage, Actor: from, Users: members,
		Fact: &feedengine.Message{Conversation: conversation, Text: text},
	}).ID
}

func (w *writer) saw(user string, conversation, upto feedengine.ID, read bool) {
	w.event(feedengine.Event{Kind: feedengine.KindSeen, Actor: user, Fact: &feedengine.Seen{
		Conversation: conversation, Upto: upto, Read: read,
	}})
}

// hide queues a KindBlock, KindUnblock, KindMute or KindUnmute.
func (w *writer) hide(kind feedengine.EventKind, user, other string) {
	w.event(feedengine.Event{Kind: kind, Actor: user, Users: []string{other}})
}

func (w *writer) profile(p feedengine.Profile) {
	w.event(feedengine.Event{Kind: feedengine.KindProfile, Actor: p.User, Name: p.Name, Fact: &p})
}

// followed is follow that tells the followed.
func (w *writer) followed(user string, users ...string) feedengine.ID {
	return w.event(feedengine.Event{
		Kind: feedengine.KindFollow, Actor: user, Users: users, Fact: &feedengine.Following{Notify: true},
	}).ID
}

// unfollowed is unfollow of one, whom since told.
func (w *writer) unfollowed(user, of string, since feedengine.ID) {
	w.event(feedengine.Event{
		Kind: feedengine.KindUnfollow, Actor: user, Users: []string{of}, Fact: &feedengine.Following{Since: []feedengine.ID{since}},
	})
}

// notes are the ids of the user's notifications, newest first.
func notes(t testing.TB, s storage.Full, user string) (list []*feedengine.Note) {
	t.Helper()
	page, err := s.Notes(t.Context(), user, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return page.Notes
}

// load loads one user.
func load(t testing.TB, s storage.Full, user string) feedengine.LoadedUser {
	t.Helper()
	snap, err := s.Load(t.Context(), []feedengine.LoadUser{{User: user, Page: 10}}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return snap.Users[0]
}
