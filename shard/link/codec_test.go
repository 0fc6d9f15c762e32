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
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: post, To: []feedengine.Recipient{{Session: 1, N: 2, Counts: counts}, {Session: 1 << 63, N: 1 << 63}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{To: []feedengine.Recipient{{Session: 3, Counts: counts}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: odd, To: []feedengine.Recipient{{Session: 3}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: read, To: []feedengine.Recipient{{Session: 3}}}},
	Deliver{Place: at, Delivery: feedengine.Delivery{Event: post, To: []feedengine.Recipient{{Session: 9}}}},
	Deliver{Place: at, Bare: true, Delivery: feedengine.Delivery{
		Event: &feedengine.Event{Shard: 2, Epoch: 3, Seq: 4, Kind: feedengine.KindPostDeleted}, To: []feedengine.Recipient{{Session: 9}},
	}},
	Reset{Place: at, Reset: feedengine.Reset{Session: 3, Stream: 4, N: 5, Reason: feedengine.ResetHistoryLost, Counts: counts}},
	Reset{Place: at, Reset: feedengine.Reset{Session: 3, Reason: feedengine.Rejoined}},
	Hand{Move: 3, Shard: 4, Epoch: 5, Part: 6, Parts: 7, Data: []byte("state")},
	Taken{Move: 3, Shard: 4, OK: true, Epoch: 5, Why: "no"},
	Announce{Shard: 7, Epoch: 300, First: 12, Events: []*feedengine.Event{post, deleted}},
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
	if m := messages[13].(Answer); m.Result.Err != feedengine.ErrElsewhere {
		t.Fatal("the test no longer asks for the identity of ErrElsewhere")
	}
	r.begin(encode(t, never, messages[13]))
	r.header()
	if got := r.message().(Answer); got.Result.Err != feedengine.ErrElsewhere {
		t.Error("ErrElsewhere has lost its identity")
	}
}

func TestAnnouncesHaveNoBodyOfWhatConcernsNobodyElse(t *testing.T) {
	r := reading{lookup: unknown}
	r.begin(encode(t, never, Announce{Shard: 7, Events: []*feedengine.Event{post, deleted, follow}}))
	r.header()
	got := r.message().(Announce).Events
	want := *follow
	want.Users = nil
	if diff := cmp.Diff([]*feedengine.Event{post, deleted, &want}, got, same); diff != "" {
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
		if !announced(ev.Kind) {
			a.Events[i] = &feedengine.Event{Shard: ev.Shard, Epoch: ev.Epoch, Seq: ev.Seq, ID: ev.ID, Kind: ev.Kind, Actor: ev.Actor}
		}
	}
	return a
}
