package link

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/feedgate/feedgate/feedengine"
)

var (
	at   = feedengine.Place{Shard: 7, Epoch: 300}
	post = &feedengine.Event{
		Shard: 7, Epoch: 300, Seq: 1 << 40, ID: 1<<62 + 7, Kind: feedengine.KindPost, Actor: "alice",
		Post: &feedengine.Post{ID: 1<<62 + 7, Author: "alice", Kind: "post", Text: "héllo\n", Likes: 3, Comments: 1 << 20},
	}
	odd = &feedengine.Event{ // a post that differs from its event wherever it can
		Shard: 1023, Epoch: 1, Seq: 1, ID: 5, Kind: feedengine.KindPost, Actor: "a",
		Post: &feedengine.Post{ID: 6, Author: "b", Kind: "story", Text: strings.Repeat("x", 8000)},
	}
	deleted = &feedengine.Event{Shard: 7, Epoch: 300, Seq: 1<<40 + 1, ID: 1<<62 + 8, Kind: feedengine.KindPostDeleted, Actor: "alice", Target: 1<<62 + 7}
	follow  = &feedengine.Event{Shard: 7, Epoch: 300, Seq: 1<<40 + 2, ID: 1<<62 + 9, Kind: feedengine.KindFollow, Actor: "alice", Users: []string{"bob", "carol"}}
	job     = &feedengine.Event{
		Shard: 7, Epoch: 300, Seq: 1<<40 + 3, ID: 1<<62 + 10, Kind: feedengine.KindPost, Actor: "acme", Name: "Acme <&>", Users: []string{"bob"},
		Post: &feedengine.Post{ID: 1<<62 + 10, Author: "acme", Kind: "job", Text: "t", More: &feedengine.More{
			Media:  []feedengine.Media{{URL: "https://x/y", Type: "image/png", Size: 5}},
			Job:    &feedengine.Job{Title: "Cook", SalaryMin: 1, Closes: time.UnixMilli(1_800_000_000_123).UTC()},
			Edited: 12, Alerts: []string{"carol"},
		}},
	}
	edit = &feedengine.Event{
		Shard: 7, Epoch: 300, Seq: 1<<40 + 4, ID: 1<<62 + 11, Kind: feedengine.KindPostEdited, Actor: "alice",
		Post: &feedengine.Post{ID: 1<<62 + 7, Author: "alice", Kind: "post", Text: "new", More: &feedengine.More{Followers: true, Edited: 1<<62 + 11}},
	}
	like    = &feedengine.Event{Shard: 7, Epoch: 300, Seq: 1<<40 + 5, ID: 1<<62 + 12, Kind: feedengine.KindLike, Actor: "bob", Name: "Bob", Fact: &feedengine.Like{Post: 3, Owner: "alice", Note: 1<<62 + 12, Edge: true, Likes: 1, Count: 1, Others: []string{"bob"}}}
	comment = &feedengine.Event{Shard: 7, Epoch: 300, Seq: 1<<40 + 6, ID: 1<<62 + 13, Kind: feedengine.KindComment, Actor: "bob", Users: []string{"carol"}, Fact: &feedengine.Comment{ID: 1<<62 + 13, Post: 3, Owner: "alice", Author: "bob", Text: "hi @carol"}}
	mute    = &feedengine.Event{Shard: 7, Epoch: 300, Seq: 1<<40 + 7, ID: 1<<62 + 14, Kind: feedengine.KindMute, Actor: "bob", Users: []string{"carol"}}
	note    = &feedengine.Event{Shard: 7, Epoch: 300, Seq: 1<<40 + 6, ID: 1<<62 + 13, Kind: feedengine.KindNote, Actor: "bob", Fact: &feedengine.Note{ID: 1<<62 + 13, Kind: feedengine.NoteComment, Actor: "bob", Count: 1, Post: 3, Comment: 1<<62 + 13}}
	said    = &feedengine.Message{ID: 4, Conversation: 3, From: "bob", Text: "hé", Reply: 2, Media: []feedengine.Media{{URL: "https://x"}}, Opens: true}
	read    = &feedengine.Event{Kind: feedengine.KindRead, List: feedengine.ListFeed, Target: 99}
	counts  = feedengine.Counts{Feed: 9999, Notifications: 1<<32 - 1, Messages: 1, V: 1 << 50}
)

// messages are all kinds of messages, with all that can be in them.
var messages = []Message{
	Ask{ID: 1, Shard: 7, User: "alice", Deadline: time.UnixMilli(1_800_000_000_123).UTC(), Key: "k", Do: feedengine.Publish{Text: "t", Kind: "post", Key: "mine"}},
	Ask{ID: 1 << 60, Do: feedengine.Delete{Post: 4}},
	Ask{User: "a", Do: feedengine.Follow{Users: []string{"b", "c"}}},
	Ask{User: "a", Do: feedengine.Unfollow{Users: []string{"b"}}},
	Ask{User: "a", Do: feedengine.Read{Of: feedengine.ListMessages, Upto: feedengine.MaxID}},
	Ask{User: "a", Do: feedengine.Unread{}},
	Ask{User: "a", Do: feedengine.Attach{Session: 5, Page: 20}},
	Ask{User: "a", Do: feedengine.Attach{Session: 5, Resume: &feedengine.Resume{Stream: 0xa9f3, N: 1042}}},
	Ask{User: "a", Do: feedengine.Detach{Session: 5}},
	Ask{User: "a", Do: feedengine.Sync{Session: 5, N: 7}},
	Ask{User: "a", Do: feedengine.SetState{Session: 5, Background: true}},
	Ask{User: "a", Do: feedengine.Publish{Text: "t", Kind: "job", More: job.Post.More}},
	Ask{User: "a", Do: feedengine.Follow{Users: []string{"b"}, Notify: true}},
	Ask{User: "a", Do: feedengine.Read{Of: feedengine.ListMessages, Upto: 5, Conversation: 4}},
	Ask{User: "a", Do: feedengine.Edit{Post: 4}},
	Ask{User: "a", Do: feedengine.Edit{Post: 4, Text: new(string), Media: &[]feedengine.Media{{URL: "https://x"}}, Followers: new(bool), Job: job.Post.More.Job}},
	Ask{User: "a", Do: feedengine.LikePost{Post: 4, Off: true}},
	Ask{User: "a", Do: feedengine.AddComment{Post: 4, Text: "hi", Key: "k"}},
	Ask{User: "a", Do: feedengine.Send{To: []string{"b", "c"}, Text: "hi", Media: said.Media, Reply: 9, Key: "k"}},
	Ask{User: "a", Do: feedengine.Send{Conversation: 9, Text: "hi"}},
	Ask{User: "a", Do: feedengine.Received{Conversation: 9, Upto: feedengine.MaxID}},
	Ask{User: "a", Do: feedengine.HideUser{User: "b", Kind: feedengine.HideMute, Off: true}},
	Ask{User: "a", Do: feedengine.PutProfile{Profile: feedengine.Profile{User: "a", Handle: "h", Name: "n", Avatar: "u", Email: "e", Phone: "+1", Subject: "s"}}},
	Rejoin{Shard: 3, Whole: true, Sessions: []feedengine.Rejoin{
		{User: "alice", Session: 4, Stream: 5, N: 6, V: 7, Background: true}, {User: "bob", Session: 1},
	}},
	Rejoin{Shard: 3, Whole: true},
	Answer{ID: 4, Place: at, Elsewhere: true, Result: feedengine.Result{Err: feedengine.ErrElsewhere}},
	Answer{ID: 4, Place: at, Result: feedengine.Result{Err: &feedengine.Error{Code: feedengine.RateLimited, Message: "slow", Retry: time.Second}}},
	Answer{ID: 4, Place: at, Result: feedengine.Result{Post: odd.Post, Since: 3}},
	Answer{ID: 4, Place: at, Result: feedengine.Result{
		Upto: 4, Stream: 5, N: 6, Resumed: true, Replay: 7, Counts: counts,
		Page: &feedengine.Page{Posts: []*feedengine.Post{post.Post, odd.Post}, Next: 8},
	}},
	Answer{ID: 4, Place: at},
	Answer{ID: 4, Place: at, Result: feedengine.Result{Post: job.Post}},
	Answer{ID: 4, Place: at, Result: feedengine.Result{Likes: 12}},
	Answer{ID: 4, Place: at, Result: feedengine.Result{
		Comment: comment.Fact.(*feedengine.Comment), Message: said, Profile: &feedengine.Profile{User: "a", Name: "n"},
		Chats: []feedengine.ChatCount{{Conversation: 7, Unread: 2}, {Conversation: 1 << 60, Unread: 9999}},
	}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: post, To: []feedengine.Recipient{{Session: 1, N: 2, Counts: counts}, {Session: 1 << 63, N: 1 << 63}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{To: []feedengine.Recipient{{Session: 3, Counts: counts}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: odd, To: []feedengine.Recipient{{Session: 3}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: read, To: []feedengine.Recipient{{Session: 3}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: post, To: []feedengine.Recipient{{Session: 9}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: note, To: []feedengine.Recipient{{Session: 9}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: edit, To: []feedengine.Recipient{{Session: 9}}}},
	Deliver{Place: at, Bare: true, Delivery: feedengine.Delivery{
		Event: &feedengine.Event{Shard: 2, Epoch: 3, Seq: 4, Kind: feedengine.KindPostDeleted}, To: []feedengine.Recipient{{Session: 9}},
	}},
	Reset{Place: at, Reset: feedengine.Reset{Session: 3, Stream: 4, N: 5, Reason: feedengine.ResetHistoryLost, Counts: counts}},
	Reset{Place: at, Reset: feedengine.Reset{Session: 3, Reason: feedengine.Rejoined}},
	Hand{Move: 3, Shard: 4, Epoch: 5, Part: 6, Parts: 7, Data: []byte("state")},
	Taken{Move: 3, Shard: 4, OK: true, Epoch: 5, Why: "no"},
	Announce{Shard: 7, Epoch: 300, First: 12, Events: []*feedengine.Event{post, deleted}},
	Announce{Shard: 7, Epoch: 300, First: 12, Events: []*feedengine.Event{job, edit}},
	Heads{
		Owned: []OwnedHead{{Shard: 3, Head: feedengine.Head{Epoch: 4, First: 5, Seq: 6, ID: 7}}},
		Links: map[string]LinkHead{"n1": {To: 1 << 60, Stream: 2, Seq: 3}, "n2": {Seq: 1}},
	},
	Heads{},
	Serving{Places: []feedengine.Place{at, {Shard: 1}}},
	Kick{User: "mallory"},
	Query{ID: 3, What: "move", Args: []byte(`{"shard":4}`)},
	Told{ID: 3, Err: "no", Data: []byte(`{}`)},
}

// same compares messages; nil and empty lists are the same.
var same = cmp.Options{cmpopts.EquateEmpty()}

func never(*feedengine.Event) bool  { return false }
func always(*feedengine.Event) bool { return true }

func encode(t testing.TB, bare func(*feedengine.Event) bool, list ...Message) []byte {
	t.Helper()
	e := newEnvelope("n1", 1, 1, 0)
	for _, m := range list {
		if !e.put(m, bare) {
			t.Fatalf("%#v cannot be written", m)
		}
		e.count++
	}
	h := header{from: Peer{"n1", 1 << 60}, hears: true, to: 3, stream: 4, clock: 5, first: 6, count: len(list)}
	h.put(e.buf)
	return e.buf
}

func unknown(feedengine.ShardID, uint64, uint64) *feedengine.Event { return nil }

func TestMessagesComeAsTheyWent(t *testing.T) {
	b := encode(t, never, messages...)
	r := reading{lookup: unknown}
	r.begin(b)
	h, ok := r.header()
	want := header{from: Peer{"n1", 1 << 60}, hears: true, to: 3, stream: 4, clock: 5, first: 6, count: len(messages)}
	if !ok || h != want {
		t.Fatalf("header %+v, %v; want %+v", h, ok, want)
	}
	for _, m := range messages {
		if diff := cmp.Diff(m, r.message(), same); diff != "" {
			t.Errorf("%T (-sent +received):\n%s", m, diff)
		}
	}
	if len(r.b) > 0 || r.bad {
		t.Errorf("%d bytes are left, bad %v", len(r.b), r.bad)
	}
	r.begin(encode(t, never, Answer{Elsewhere: true}))
	r.header()
	if got := r.message().(Answer); got.Result.Err != feedengine.ErrElsewhere {
		t.Error("ErrElsewhere has lost its identity")
	}
}

func TestAnnouncesHaveNoBodyOfWhatConcernsNobodyElse(t *testing.T) {
	r := reading{lookup: unknown}
	r.begin(encode(t, never, Announce{Shard: 7, Events: []*feedengine.Event{post, deleted, follow, job, edit, like, comment, mute}}))
	r.header()
	got := r.message().(Announce).Events
	want := []*feedengine.Event{post, deleted, withoutBody(follow), job, edit, withoutBody(like), comment, withoutBody(mute)}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBodyStandsOnceInAnEnvelope(t *testing.T) {
	one := Deliver{Place: at, Delivery: feedengine.Delivery{Event: odd, To: []feedengine.Recipient{{Session: 3}}}}
	other := Deliver{Place: at, Delivery: feedengine.Delivery{Event: post, To: []feedengine.Recipient{{Session: 3}}}}
	b := encode(t, never, one, other, one, one, other)
	if n := bytes.Count(b, []byte(odd.Post.Text)); n != 1 {
		t.Errorf("the body stands %d times in the envelope", n)
	}
	r := reading{lookup: unknown}
	r.begin(b)
	r.header()
	for i, want := range []Deliver{one, other, one, one, other} {
		if diff := cmp.Diff(want, r.message(), same); diff != "" {
			t.Errorf("%d (-sent +received):\n%s", i, diff)
		}
	}
}

func TestBarePositionsAreLookedUp(t *testing.T) {
	d := Deliver{Place: at, Delivery: feedengine.Delivery{Event: post, To: []feedengine.Recipient{{Session: 3}}}}
	b := encode(t, always, d, d)
	if bytes.Contains(b, []byte(post.Post.Text)) {
		t.Fatal("the body travels")
	}
	lookups := 0
	known := func(shard feedengine.ShardID, epoch, seq uint64) *feedengine.Event {
		lookups++
		if (position{shard, epoch, seq}) != positionOf(post) {
			t.Errorf("looked up %d %d %d", shard, epoch, seq)
		}
		return post
	}
	r := reading{lookup: known}
	r.begin(b)
	r.header()
	for range 2 {
		if got := r.message().(Deliver); got.Event != post || got.Bare {
			t.Errorf("got %+v, want the event that is known", got)
		}
	}
	if lookups != 1 {
		t.Errorf("%d lookups for one event", lookups)
	}
	r.lookup = unknown
	r.begin(b)
	r.header()
	for range 2 {
		want := feedengine.Event{Shard: post.Shard, Epoch: post.Epoch, Seq: post.Seq, Kind: post.Kind}
		got := r.message().(Deliver)
		if diff := cmp.Diff(&want, got.Event); diff != "" || !got.Bare {
			t.Errorf("bare %v, -want +got:\n%s", got.Bare, diff)
		}
	}
}

func TestOtherVersionsShowWhoseTheyAre(t *testing.T) {
	b := encode(t, never, Kick{User: "a"})
	b[0] = version + 1
	r := reading{lookup: unknown}
	r.begin(b)
	if h, ok := r.header(); ok || h.from != (Peer{"n1", 1 << 60}) {
		t.Errorf("header of another version: %+v, %v", h, ok)
	}
}

// TestTruncatedEnvelopes: whatever is cut off, nothing comes that was not sent.
func TestTruncatedEnvelopes(t *testing.T) {
	for i, m := range messages {
		b := encode(t, never, m)
		for n := range b {
			r := reading{lookup: unknown}
			r.begin(b[:n:n])
			if _, ok := r.header(); !ok {
				continue
			}
			if got := r.message(); got != nil {
				t.Fatalf("message %d (%T), cut to %d of %d bytes: %+v", i, m, n, len(b), got)
			}
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(encode(f, never, messages...))
	f.Add(encode(f, always, messages...))
	for _, m := range messages {
		f.Add(encode(f, never, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reading{lookup: unknown}
		r.begin(b)
		h, ok := r.header()
		if !ok {
			return
		}
		for range h.count {
			m := r.message()
			if m == nil {
				return
			}
			// What can be read can be written, and then reads the same.
			var again reading
			again.lookup = unknown
			again.begin(encode(t, never, m))
			again.header()
			if a, ok := m.(Announce); ok {
				m = withoutBodies(a)
			}
			if got := again.message(); got == nil || !cmp.Equal(m, got, same) {
				t.Fatalf("-read +written and read again:\n%s", cmp.Diff(m, got, same))
			}
		}
	})
}

func withoutBodies(a Announce) Announce {
	for i, ev := range a.Events {
		if !ev.Travels() {
			a.Events[i] = withoutBody(ev)
		}
	}
	return a
}

func withoutBody(ev *feedengine.Event) *feedengine.Event {
	return &feedengine.Event{Shard: ev.Shard, Epoch: ev.Epoch, Seq: ev.Seq, ID: ev.ID, Kind: ev.Kind, Actor: ev.Actor}
}
