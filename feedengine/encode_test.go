package feedengine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// handed is a handover with something in every field.
func handed() *Handover {
	return &Handover{
		Shard: 1, Heads: []Head{{Epoch: 3, First: 9, Seq: 12, ID: 77}, {}, {Epoch: 1, First: 1}}, Next: 1<<63 + 5,
		Events: []*Event{
			{Shard: 2, Epoch: 4, Seq: 1 << 40, ID: MaxID, Kind: KindPost, Actor: "alice",
				Post: &Post{ID: MaxID, Author: "alice", Kind: "post", Text: "hé\nllo", Likes: 3, Comments: 1 << 40}},
			void,
			{Kind: KindRead, Actor: "bob", List: ListFeed, Target: 99},
			{Shard: 1, Epoch: 1, Seq: 7, ID: 5, Kind: KindFollow, Actor: "carol", Users: []string{"a", "b"}, Fact: &Following{Notify: true}},
			{Shard: 1, Epoch: 1, Seq: 8, ID: 6, Kind: KindPostEdited, Actor: "alice", Name: "Älice",
				Post: &Post{ID: 3, Author: "alice", Kind: KindOfJob, Text: "x", More: &More{Followers: true, Edited: 6,
					Media: []Media{{URL: "https://x/y", Type: "image/png", Size: 1 << 40}},
					Job:   &Job{Title: "t", Closes: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}}}},
			{Shard: 1, Epoch: 1, Seq: 9, ID: 8, Kind: KindNote, Actor: "dave",
				Fact: &Note{ID: 7, Kind: NoteLike, Actor: "dave", Name: "D", Others: []string{"dave", "eve"}, Count: 2, Post: 3}},
			{Shard: 2, Epoch: 1, Seq: 9, ID: 9, Kind: KindMessage, Actor: "dave", Users: []string{"bob", "dave"},
				Fact: &Message{ID: 9, Conversation: 4, From: "dave", Text: "hi", Reply: 8, Media: []Media{{URL: "http://z"}}, Opens: true}},
			{Shard: 1, Epoch: 1, Seq: 10, ID: 10, Kind: KindRead, Actor: "bob", List: ListMessages, Target: 9, Fact: &Seen{Conversation: 4, Upto: 9, Read: true}},
			{Shard: 2, Epoch: 1, Seq: 11, ID: 11, Kind: KindNoteGone, Actor: "bob", Target: 7},
			{Shard: 2, Epoch: 1, Seq: 12, ID: 12, Kind: KindHidden, Actor: "mallory"},
		},
		Views: []HandoverView{
			{User: "bob", Follows: []HandoverEdge{{"alice", 0}, {"carol", 12}}, Stream: 1 << 63, N: 1 << 50, Tail: []uint32{2, 0, 1, 1, 4, 5, 6, 7, 8, 9}, V: 4,
				Feed: HandoverCounter{Mark: 10, Kept: []UnreadID{{11, "carol"}, {MaxID, "alice"}}, Below: MaxUnread - 2, More: true},
				Name: "Böb", Hides: []Hide{{"mallory", HideBlock}, {"mallory", HideMute}, {"peggy", HideBlockedBy}},
				Notes:   HandoverCounter{Mark: 5, Kept: []UnreadID{{ID: 7}}, Stale: true, Lost: true},
				Chats:   []HandoverChat{{4, HandoverCounter{Mark: 3, Kept: []UnreadID{{ID: 9}}, Below: 3}}, {MaxID, HandoverCounter{Below: 1}}},
				ChatTop: 100, ChatsStale: true},
			{User: "eve", Follows: []HandoverEdge{{"alice", 0}}, Feed: HandoverCounter{Stale: true}, ChatTop: 1},
			{User: "zoe"},
		},
	}
}

func TestHandoverBytes(t *testing.T) {
	want := handed()
	b := EncodeHandover(want)
	got, err := DecodeHandover(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for n := range b {
		if _, err := DecodeHandover(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(b))
		}
	}
	if _, err := DecodeHandover(append(b, 0)); err == nil {
		t.Error("a byte too many is accepted")
	}
	b[0]++
	if _, err := DecodeHandover(b); err == nil {
		t.Error("an unknown version is accepted")
	}
}

// TestHandoverRefused: what Import could not live with is not accepted.
func TestHandoverRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Handover){
		"shard":                  func(h *Handover) { h.Shard = 3 },
		"no heads":               func(h *Handover) { h.Heads = nil },
		"too many heads":         func(h *Handover) { h.Heads = make([]Head, MaxShards+1) },
		"user":                   func(h *Handover) { h.Views[0].User = "b ob" },
		"author":                 func(h *Handover) { h.Views[0].Follows[1].Author = "" },
		"user twice":             func(h *Handover) { h.Views[1].User = "bob" },
		"author twice":           func(h *Handover) { h.Views[0].Follows = append(h.Views[0].Follows, HandoverEdge{Author: "alice"}) },
		"follows oneself":        func(h *Handover) { h.Views[1].Follows[0].Author = "eve" },
		"tail":                   func(h *Handover) { h.Views[0].Tail[1] = 11 },
		"tail longer than n":     func(h *Handover) { h.Views[0].N = 3 },
		"too many unread":        func(h *Handover) { h.Views[0].Feed.Below++ },
		"unread below the mark":  func(h *Handover) { h.Views[0].Feed.Mark = 11 },
		"unread out of order":    func(h *Handover) { h.Views[0].Feed.Kept[0].ID = MaxID },
		"id above all there are": func(h *Handover) { h.Events[0].ID = -1 },
		"hides oneself":          func(h *Handover) { h.Views[0].Hides[2].Other = "bob" },
		"hides twice":            func(h *Handover) { h.Views[0].Hides[1].Kind = HideBlock },
		"no such hide":           func(h *Handover) { h.Views[0].Hides[2].Kind = 4 },
		"post of a hidden": func(h *Handover) {
			h.Views[0].Hides[2].Other, h.Views[0].Feed.Kept = "zz", nil
			h.Events[0].Actor = "zz"
		},
		"like of a hidden":       func(h *Handover) { h.Events[5].Fact.(*Note).Others[1] = "mallory" },
		"message of a hidden":    func(h *Handover) { h.Events[6].Actor = "peggy" },
		"unread of a hidden":     func(h *Handover) { h.Views[0].Follows[1].Author, h.Views[0].Feed.Kept[0].Author = "peggy", "peggy" },
		"note without a fact":    func(h *Handover) { h.Events[5].Fact = nil },
		"message without a fact": func(h *Handover) { h.Events[6].Fact = nil },
		"nothing unread":         func(h *Handover) { h.Views[0].Chats[1].Below = 0 },
		"conversation twice":     func(h *Handover) { h.Views[0].Chats[1].Conversation = 4 },
		"mark above all":         func(h *Handover) { h.Views[0].ChatTop = 2 },
		"lost but not stale":     func(h *Handover) { h.Views[0].Notes.Stale = false },
		"a fact of a post":       func(h *Handover) { h.Events[0].Fact = &Seen{} },
		"epoch of an edge":       func(h *Handover) { h.Views[0].Follows[1].Young = -1 },
	} {
		h := handed()
		spoil(h)
		if _, err := DecodeHandover(EncodeHandover(h)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestHandoverBounded: a few bytes that speak of billions of elements cost nothing.
func TestHandoverBounded(t *testing.T) {
	start := []byte{handoverVersion, 0, 1, 2, 3, 4, 5, 6, 7, 8}
	huge := binary.AppendUvarint(nil, 1<<40)
	for i, data := range [][]byte{
		append(bytes.Clone(start), huge...),                           // heads
		append(append(bytes.Clone(start), 1, 0, 0, 0, 0), huge...),    // events
		append(append(bytes.Clone(start), 1, 0, 0, 0, 0, 0), huge...), // authors
		append(append(bytes.Clone(start), 1, 0, 0, 0, 0, 0, 0), huge...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := DecodeHandover(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 64<<10 {
			t.Errorf("%d: %v, %d bytes allocated", i, err, n)
		}
	}
}

// FuzzHandover: whatever is accepted can be imported, and is the same when it is
// handed over again.
func FuzzHandover(f *testing.F) {
	f.Add(EncodeHandover(handed()))
	f.Add(EncodeHandover(&Handover{Heads: make([]Head, 1)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := DecodeHandover(data)
		if err != nil {
			return
		}
		e := Import(Options{ShardOf: func(string) ShardID { return 0 }, KeepTail: 1 << 20, KeepUnread: 1 << 20}, h, 0)
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := DecodeHandover(EncodeHandover(e.Export()))
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Views) != len(again.Views) {
			t.Fatalf("%d views, and %d again", len(h.Views), len(again.Views))
		}
		for i, v := range h.Views {
			w := again.Views[i]
			for j := range v.Tail {
				if diff := cmp.Diff(h.Events[v.Tail[j]], again.Events[w.Tail[j]], cmpopts.EquateEmpty()); diff != "" {
					t.Fatal(diff)
				}
			}
			v.Tail, w.Tail = nil, nil // only numbers; events that no tail has are not handed over again
			if diff := cmp.Diff(v, w, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// BenchmarkHandover is a shard of 400 residents who follow 50 each, with full tails.
func BenchmarkHandover(b *testing.B) {
	const users = 400
	e := New(Options{ShardOf: func(string) ShardID { return 0 }, Heads: make([]Head, 256)})
	in := LoadedInput{Heads: make([]Head, 256)}
	for i := range users {
		user := fmt.Sprintf("user-%07d", i)
		e.Step(0, AttachInput{User: user, Session: SessionID(i + 1)})
		u := LoadedUser{User: user}
		for j := range 50 {
			u.Follows = append(u.Follows, Edge{Author: fmt.Sprintf("author-%05d", (i*31+j*7)%5000)})
		}
		in.Users = append(in.Users, u)
	}
	e.Step(0, in)
	for i := range 20_000 {
		author := fmt.Sprintf("author-%05d", i%5000)
		e.StepLog(0, LogInput{Event: &Event{Epoch: 1, Seq: uint64(i + 1), ID: Tick(i + 1).ID(0), Kind: KindPost, Actor: author,
			Post: &Post{ID: Tick(i + 1).ID(0), Author: author, Kind: "post", Text: "what happens on a day, in some hundred and twenty bytes or so"}}})
	}
	var size int
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			size = len(EncodeHandover(e.Export()))
		}
		b.ReportMetric(float64(size)/users, "B/user")
	})
	data := EncodeHandover(e.Export())
	b.Run("import", func(b *testing.B) {
		for b.Loop() {
			h, err := DecodeHandover(data)
			if err != nil {
				b.Fatal(err)
			}
			Import(e.opts, h, 0)
		}
	})
}
