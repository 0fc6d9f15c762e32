package gateway

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

func counted(v uint64) feedengine.Counts { return feedengine.Counts{Feed: uint32(v), V: v} }

// eventFrame is the frame of postEvent(seq) as number n.
func eventFrame(seq, n, v uint64) string {
	return fmt.Sprintf(`{"n":%d,"unread":{"feed":%d,"notifications":0,"messages":0,"v":%d},"event":{"type":"post","id":"%d","author":"alice","kind":"post","text":"hi","at":"%s","likes":0,"comments":0}}`,
		n, v, v, testID+feedengine.ID(seq<<10), testID.Time().Format("2006-01-02T15:04:05.000Z"))
}

// TestResumeThenEvents: the reply precedes all events, replayed ones continue
// where the client left off, and nothing is given twice.
func TestResumeThenEvents(t *testing.T) {
	r := newRig(t)
	r.shards.set(func(q feedengine.Request) feedengine.Result {
		return feedengine.Result{Stream: 0xb1, N: 9, Resumed: true, Replay: 2, Counts: counted(9)}
	}, func(q feedengine.Request) {
		a, ok := q.Do.(feedengine.Attach)
		if !ok {
			return
		}
		one := func(e *feedengine.Event, n uint64) {
			r.g.Deliver(feedengine.Delivery{Event: e, To: []feedengine.Recipient{{Session: a.Session, N: n, Counts: counted(n)}}})
		}
		one(&feedengine.Event{Kind: feedengine.KindVoid}, 8)
		one(postEvent(2), 9)
		one(postEvent(2), 9)
		one(&feedengine.Event{Kind: feedengine.KindPostDeleted, Shard: 1, Seq: 5, Target: 12}, 10)
		one(&feedengine.Event{Kind: feedengine.KindRead, List: feedengine.ListFeed, Target: 13}, 11)
		r.g.Deliver(feedengine.Delivery{To: []feedengine.Recipient{{Session: a.Session, Counts: counted(12)}}})
	})
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:bob","resume":{"stream":"b1","n":7}}`)
	c.want(`{"re":1,"ok":{"user":"bob","stream":"b1","n":9,"resumed":true,"replay":2,"unread":{"feed":9,"notifications":0,"messages":0,"v":9},"heartbeat_ms":25000}}`)
	c.want(`{"n":8,"event":{"type":"void"}}`)
	c.want(eventFrame(2, 9, 9))
	c.want(`{"n":10,"unread":{"feed":10,"notifications":0,"messages":0,"v":10},"event":{"type":"post_deleted","post":"12"}}`)
	c.want(`{"n":11,"unread":{"feed":11,"notifications":0,"messages":0,"v":11},"event":{"type":"read","of":"feed","upto":"13"}}`)
	c.want(`{"unread":{"feed":12,"notifications":0,"messages":0,"v":12}}`)
	waitFor(t, "the duplicate to be counted", func() bool {
		return r.counter(`feedgate_drops_total{at="gateway",reason="duplicate"}`) == "1"
	})
}

// TestSyncAndReset: after sync the missing events come again, after a reset the
// stream goes on where it says.
func TestSyncAndReset(t *testing.T) {
	r := newRig(t)
	var session feedengine.SessionID
	post := func(seq, n uint64) {
		r.g.Deliver(feedengine.Delivery{Event: postEvent(seq), To: []feedengine.Recipient{{Session: session, N: n, Counts: counted(n)}}})
	}
	r.shards.set(nil, func(q feedengine.Request) {
		switch a := q.Do.(type) {
		case feedengine.Attach:
			session = a.Session
			post(8, 8)
			post(9, 9)
		case feedengine.Sync:
			if a.N > 9 {
				r.g.Reset(feedengine.Reset{Session: session, Stream: 0xc2, N: 3, Reason: feedengine.ResetTooFarBack, Counts: counted(1)})
				post(1, 3) // is in the page already
				post(1, 4)
				return
			}
			post(8, 8)
			post(9, 9)
			post(10, 10)
		}
	})
	c := r.connect("bob")
	c.want(eventFrame(8, 8, 8))
	c.want(eventFrame(9, 9, 9))
	c.send(`{"id":2,"op":"sync","n":7}`)
	c.want(`{"re":2,"ok":{}}`)
	c.want(eventFrame(8, 8, 8))
	c.want(eventFrame(9, 9, 9))
	c.want(eventFrame(10, 10, 10))
	c.send(`{"id":3,"op":"sync","n":9007199254740992}`) // the shard knows better
	c.want(`{"re":3,"ok":{}}`)
	c.want(`{"reset":{"stream":"c2","n":3,"reason":"too_far_back"},"unread":{"feed":1,"notifications":0,"messages":0,"v":1}}`)
	c.want(eventFrame(1, 4, 4))
}

// TestResetCrossesSync: the shard was asked for the events after a number of a
// stream that has been replaced when it answers.
func TestResetCrossesSync(t *testing.T) {
	for _, n := range []uint64{2, 7} { // below and above where the new stream stands
		r := newRig(t)
		var session feedengine.SessionID
		post := func(seq, n uint64) {
			r.g.Deliver(feedengine.Delivery{Event: postEvent(seq), To: []feedengine.Recipient{{Session: session, N: n, Counts: counted(n)}}})
		}
		r.shards.set(func(q feedengine.Request) feedengine.Result {
			switch a := q.Do.(type) {
			case feedengine.Attach:
				session = a.Session
			case feedengine.Sync:
				r.g.Reset(feedengine.Reset{Session: session, Stream: 0xc2, N: 3, Reason: feedengine.ResetViewRebuilt, Counts: counted(1)})
				for n := uint64(4); n < 200; n++ { // some still wait when the reply comes
					post(n, n)
				}
				return feedengine.Result{}
			}
			return feedengine.Result{Stream: 0xb1, N: 7}
		}, func(q feedengine.Request) {
			if _, ok := q.Do.(feedengine.Sync); ok {
				post(200, 200)
			}
		})
		c := r.connect("bob")
		c.send(fmt.Sprintf(`{"id":2,"op":"sync","n":%d}`, n))
		c.want(`{"reset":{"stream":"c2","n":3,"reason":"view_rebuilt"},"unread":{"feed":1,"notifications":0,"messages":0,"v":1}}`)
		for n := uint64(4); n < 200; n++ {
			c.want(eventFrame(n, n, n))
		}
		c.want(`{"re":2,"ok":{}}`)
		c.want(eventFrame(200, 200, 200))
	}
}

// TestBodies: an event is encoded once however many shards bring it, and never
// taken for another.
func TestBodies(t *testing.T) {
	b := newBodies(wire.JSON)
	event := func(shard feedengine.ShardID, epoch, seq uint64, text string) *feedengine.Event {
		e := postEvent(1)
		p := *e.Post
		p.Text = text
		return &feedengine.Event{Shard: shard, Epoch: epoch, Seq: seq, ID: e.ID, Kind: feedengine.KindPost, Post: &p}
	}
	first := b.of(event(1, 1, 5, "a"), false)
	if again := b.of(event(1, 1, 5, "a"), false); again != first {
		t.Error("encoded twice")
	}
	for _, other := range []*feedengine.Event{event(2, 1, 5, "b"), event(1, 2, 5, "b"), event(1, 1, 5+bodySlots, "b")} {
		if got := b.of(other, false); string(got.bytes) == string(first.bytes) {
			t.Errorf("%+v was taken for another", other)
		}
	}
	one := &feedengine.Event{Kind: feedengine.KindRead, List: feedengine.ListFeed, Target: 1}
	two := &feedengine.Event{Kind: feedengine.KindRead, List: feedengine.ListFeed, Target: 2}
	if string(b.of(one, false).bytes) == string(b.of(two, false).bytes) {
		t.Error("an event without a position was remembered")
	}
	if got := b.of(&feedengine.Event{Kind: 77, Seq: 3}, false); !got.void {
		t.Errorf("an event of another release is shown as %s", got.bytes)
	}
}

// TestFanOut: deliveries, resets, requests, connects and disconnects of many
// sessions at the same time. Each socket sees its numbers rise without a gap
// unless a reset says so.
func TestFanOut(t *testing.T) {
	const users, events = 20, 200
	r := newRig(t, func(o *Options) { o.Limits.OutboxBytes = 20_000 })
	var mu sync.Mutex
	at := map[feedengine.SessionID]uint64{}
	r.shards.set(func(q feedengine.Request) feedengine.Result {
		mu.Lock()
		defer mu.Unlock()
		switch a := q.Do.(type) {
		case feedengine.Attach:
			at[a.Session] = 7
		case feedengine.Detach:
			delete(at, a.Session)
		}
		return plain(q)
	}, nil)
	fanOut := func(seq uint64) {
		mu.Lock()
		defer mu.Unlock()
		var to []feedengine.Recipient
		for s := range at {
			at[s]++
			to = append(to, feedengine.Recipient{Session: s, N: at[s], Counts: counted(at[s])})
		}
		r.g.Deliver(feedengine.Delivery{Event: postEvent(seq), To: to})
		r.g.Deliver(feedengine.Delivery{To: to})
	}
	var clients []*client
	for i := range users {
		clients = append(clients, r.connect(fmt.Sprint("user", i)))
	}
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			last := uint64(7)
			for last < 7+events {
				p, err := c.raw()
				if err != nil {
					t.Errorf("client %d: %v after %d", i, err, last)
					return
				}
				f, err := wire.DecodeServer([]byte(p))
				switch {
				case err != nil:
					t.Errorf("client %d: %v", i, err)
					return
				case f.Reset != nil:
					last = f.Reset.N
				case f.Event != nil && f.N != last+1:
					t.Errorf("client %d: %d after %d", i, f.N, last)
					return
				case f.Event != nil:
					last = f.N
				}
			}
		})
		wg.Go(func() {
			for n := range 100 {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				err := c.c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"id":%d,"op":"unread","ack":7}`, n))
				cancel()
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for seq := range uint64(events) {
			fanOut(seq + 1)
		}
	})
	wg.Go(func() { // others come and go
		for i := range 20 {
			r.connect(fmt.Sprint("guest", i)).c.CloseNow()
			r.g.Disconnect(fmt.Sprint("guest", i/2))
		}
	})
	wg.Wait()
	for _, c := range clients {
		c.c.CloseNow()
	}
	waitFor(t, "all sessions to end", func() bool { return r.g.Sockets() == 0 })
	waitFor(t, "all to be detached", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(at) == 0
	})
	r.g.users.sweep(farFuture)
	if n := r.g.users.size(); n != 0 {
		t.Errorf("%d users are kept", n)
	}
}

// TestBodiesOfOnePlace: what is made of a log's event stands at its place and is
// never taken for it, nor is a body with names for one without.
func TestBodiesOfOnePlace(t *testing.T) {
	b := newBodies(wire.JSON)
	post := postBy(1, "alice")
	post.Name = "Alice"
	note := func(actor string) *feedengine.Event {
		return noteOf(1, feedengine.Note{Kind: feedengine.NoteMention, Actor: actor, Post: 12})
	}
	plain, named := b.of(post, false), b.of(post, true)
	if strings.Contains(string(plain.bytes), "Alice") || !strings.Contains(string(named.bytes), `,"name":"Alice"}`) {
		t.Errorf("%s\n%s", plain.bytes, named.bytes)
	}
	for range 2 { // also with the cache filled by the others
		if b.of(post, false) != plain || b.of(post, true) != named {
			t.Error("encoded twice")
		}
		for _, actor := range []string{"ann", "zoe"} {
			if got := string(b.of(note(actor), true).bytes); !strings.Contains(got, `"actor":"`+actor+`"`) {
				t.Errorf("%s was taken for the note of %s", got, actor)
			}
		}
		if got := string(b.of(at(1, feedengine.Event{Kind: feedengine.KindHidden, Actor: "eve"}), false).bytes); got != `{"type":"hidden","user":"eve"}}` {
			t.Errorf("got %s", got)
		}
	}
	nameless := postBy(2, "bob")
	if b.of(nameless, true) != b.of(nameless, false) {
		t.Error("an event without a name was encoded twice")
	}
}

// TestEvents holds each event of a stream to the letter.
func TestEvents(t *testing.T) {
	b := newBodies(wire.JSON)
	then := `"` + testID.Time().Format("2006-01-02T15:04:05.000Z") + `"`
	edited := *postBy(0, "alice")
	edited.Kind = feedengine.KindPostEdited
	edited.Post.More = &feedengine.More{Followers: true, Edited: testID, Media: []feedengine.Media{{URL: "http://a/b", Type: "x/y", Size: 3}}}
	message := messageBy(0, "ann")
	message.Name = "Ann"
	for _, tc := range []struct {
		e    *feedengine.Event
		want string
	}{
		{&edited, `"type":"post_edited","id":"7000000001","author":"alice","kind":"post","text":"hi","at":` + then +
			`,"likes":0,"comments":0,"visibility":"followers","media":[{"url":"http://a/b","type":"x/y","size":3}],"edited":` + then},
		{message, `"type":"message","id":"7000000001","conversation":"77","from":"ann","text":"hi","at":` + then + `,"name":"Ann"`},
		{noteOf(0, feedengine.Note{Kind: feedengine.NoteComment, Actor: "ann", Name: "Ann", Post: 12, Comment: 13, Count: 1}),
			`"type":"notification","id":"7000000001","kind":"comment","actor":"ann","post":"12","comment":"13","at":` + then + `,"name":"Ann"`},
		{at(0, feedengine.Event{Kind: feedengine.KindNoteGone, Target: 9}), `"type":"notification_deleted","notification":"9"`},
		{at(0, feedengine.Event{Kind: feedengine.KindReceipt, Actor: "ann", Fact: &feedengine.Seen{Conversation: 77, Upto: 8, Read: true}}),
			`"type":"receipt","conversation":"77","user":"ann","upto":"8","read":true`},
		{at(0, feedengine.Event{Kind: feedengine.KindRead, List: feedengine.ListMessages, Target: 8, Fact: &feedengine.Seen{Conversation: 77, Upto: 8}}),
			`"type":"read","of":"messages","conversation":"77","upto":"8"`},
		{at(0, feedengine.Event{Kind: feedengine.KindRead, List: feedengine.ListNotifications, Target: 8}), `"type":"read","of":"notifications","upto":"8"`},
		{at(0, feedengine.Event{Kind: feedengine.KindShown, Actor: "eve"}), `"type":"shown","user":"eve"`},
		{at(0, feedengine.Event{Kind: feedengine.KindLike, Actor: "eve", Fact: &feedengine.Like{}}), `"type":"void"`},
	} {
		if got := string(b.of(tc.e, true).bytes); got != "{"+tc.want+"}}" {
			t.Errorf("\n got %s\nwant {%s}}", got, tc.want)
		}
	}
}
