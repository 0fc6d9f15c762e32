package gateway

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// at is an event at a place of a log.
func at(seq uint64, e feedengine.Event) *feedengine.Event {
	e.Shard, e.Epoch, e.Seq = 3, 1, seq
	if e.ID == 0 {
		e.ID = testID + feedengine.ID(seq<<10)
	}
	return &e
}

func postBy(seq uint64, author string) *feedengine.Event {
	id := testID + feedengine.ID(seq<<10)
	return at(seq, feedengine.Event{Kind: feedengine.KindPost, Actor: author,
		Post: &feedengine.Post{ID: id, Author: author, Kind: "post", Text: "hi"}})
}

func noteOf(seq uint64, n feedengine.Note) *feedengine.Event {
	n.ID = testID
	return at(seq, feedengine.Event{Kind: feedengine.KindNote, Actor: n.Actor, Fact: &n})
}

func messageBy(seq uint64, from string) *feedengine.Event {
	return at(seq, feedengine.Event{Kind: feedengine.KindMessage, Actor: from, Fact: &feedengine.Message{Conversation: 77, Text: "hi"}})
}

// TestWithdrawnFromOutbox: what hides somebody or deletes a post, also takes what
// waits for a socket that does not read. Numbers and counters stay.
func TestWithdrawnFromOutbox(t *testing.T) {
	const mallory = "mallory"
	target := testID + 1<<10 // the post of seq 1
	queued := func() []*feedengine.Event {
		edited := *postBy(1, mallory)
		edited.Kind, edited.Seq = feedengine.KindPostEdited, 2
		return []*feedengine.Event{
			postBy(1, mallory), &edited, postBy(3, "alice"), messageBy(4, mallory),
			noteOf(5, feedengine.Note{Kind: feedengine.NoteFollow, Actor: mallory}),
			noteOf(6, feedengine.Note{Kind: feedengine.NoteLike, Actor: mallory, Others: []string{mallory, "ann"}, Count: 2, Post: 12}),
			noteOf(7, feedengine.Note{Kind: feedengine.NoteLike, Actor: "ann", Others: []string{"ann", mallory}, Count: 2, Post: 12}),
			noteOf(8, feedengine.Note{Kind: feedengine.NoteComment, Actor: "ann", Post: target, Comment: 9}),
			at(9, feedengine.Event{Kind: feedengine.KindReceipt, Actor: mallory, Fact: &feedengine.Seen{Conversation: 77, Upto: 5}}),
			at(10, feedengine.Event{Kind: feedengine.KindPostDeleted, Actor: mallory, Target: 99}),
			at(11, feedengine.Event{Kind: feedengine.KindHidden, Actor: "eve"}),
		}
	}
	const (
		posted  = "post"
		edited  = "post_edited"
		message = "message"
		note    = "notification"
		receipt = "receipt"
		deleted = "post_deleted"
		hidden  = "hidden"
		void    = "void"
	)
	for _, tc := range []struct {
		name  string
		last  *feedengine.Event
		types []string
		swaps int
	}{
		{"a block", at(20, feedengine.Event{Kind: feedengine.KindHidden, Actor: mallory}),
			[]string{void, void, posted, void, void, note + " ann", note + " ann", note + " ann", void, deleted, hidden, hidden}, 7},
		{"a mute", at(20, feedengine.Event{Kind: feedengine.KindHidden, Actor: mallory, List: feedengine.ListFeed}),
			[]string{void, void, posted, message, void, note + " ann", note + " ann", note + " ann", receipt, deleted, hidden, hidden}, 5},
		{"a deletion", at(20, feedengine.Event{Kind: feedengine.KindPostDeleted, Actor: mallory, Target: target}),
			[]string{void, void, posted, message, note + " mallory", note + " mallory", note + " ann", void, receipt, deleted, hidden, deleted}, 3},
		{"the end of a notification", at(20, feedengine.Event{Kind: feedengine.KindNoteGone, Actor: "bob", Target: testID}),
			[]string{posted, edited, posted, message, void, void, void, void, receipt, deleted, hidden, "notification_deleted"}, 4},
		{"the end of another", at(20, feedengine.Event{Kind: feedengine.KindNoteGone, Actor: "bob", Target: target}),
			[]string{posted, edited, posted, message, note + " mallory", note + " mallory", note + " ann", note + " ann", receipt, deleted, hidden, "notification_deleted"}, 0},
		{"the end of a hide", at(20, feedengine.Event{Kind: feedengine.KindShown, Actor: mallory}),
			[]string{posted, edited, posted, message, note + " mallory", note + " mallory", note + " ann", note + " ann", receipt, deleted, hidden, "shown"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newBareGateway(t)
			defer g.Close()
			g.limits.OutboxBytes = 1 << 20
			f := attach(t, g)
			f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
			f.took()
			f.mu.Lock()
			f.stuck = true
			f.mu.Unlock()
			n := uint64(7)
			for _, e := range append(queued(), tc.last) {
				n++
				g.Deliver(feedengine.Delivery{Event: e, To: []feedengine.Recipient{{Session: f.s.id, N: n, Counts: counted(n)}}})
			}
			books := 0
			for _, e := range f.s.out.queue {
				books += int(e.cost)
			}
			if f.s.out.events != books {
				t.Errorf("the outbox counts %d bytes and holds %d", f.s.out.events, books)
			}
			f.mu.Lock()
			f.stuck = false
			f.mu.Unlock()
			f.Wake()
			frames, _ := f.took()
			if len(frames) != len(tc.types) {
				t.Fatalf("%d frames: %q", len(frames), frames)
			}
			for i, want := range tc.types {
				got, err := wire.DecodeServer([]byte(frames[i]))
				if err != nil || got.N != uint64(8+i) || (got.Unread == nil) != (want == void) {
					t.Errorf("frame %d: %s %v", i, frames[i], err)
				}
				if typed := typeOf(t, got.Event); typed != want {
					t.Errorf("frame %d is %s, want %s: %s", i, typed, want, frames[i])
				}
				if i == len(tc.types)-1 && got.Unread.V != n {
					t.Errorf("the last counters are %+v", got.Unread)
				}
			}
			if count := g.metrics.outboxWithdrawn.Get(); count != uint64(tc.swaps) {
				t.Errorf("%d were withdrawn, want %d", count, tc.swaps)
			}
		})
	}
}

// typeOf is an event's type, of a notification with its actor; nobody hidden may
// stand in it beside.
func typeOf(t *testing.T, event []byte) string {
	t.Helper()
	var e struct {
		Type, Actor string
		Actors      []string
	}
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatal(err)
	}
	if e.Actor != "" {
		return e.Type + " " + e.Actor
	}
	return e.Type
}

// TestWithdrawnWithNames: what is left of a notification keeps its form.
func TestWithdrawnWithNames(t *testing.T) {
	b := newBodies(wire.JSON)
	by := b.of(at(9, feedengine.Event{Kind: feedengine.KindHidden, Actor: "zoe"}), true)
	old := b.of(noteOf(1, feedengine.Note{Kind: feedengine.NoteLike, Actor: "ann", Name: "Ann", Others: []string{"ann", "zoe"}, Count: 2}), true)
	at := testID.Time().Format("2006-01-02T15:04:05.000Z")
	want := fmt.Sprintf(`{"type":"notification","id":"%d","kind":"like","actor":"ann","at":%q,"count":2,"actors":["ann"],"name":"Ann"}}`, testID, at)
	if got := b.instead(old, by, true); string(got.bytes) != want {
		t.Errorf("\n got %s\nwant %s", got.bytes, want)
	}
	if got := b.instead(old, by, false); len(got.bytes) >= len(want) {
		t.Errorf("a name that was not asked for: %s", got.bytes)
	}
}
