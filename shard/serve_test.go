package shard

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// newPair is two hosts of a cluster over one store; what the first writes the
// second learns. Shard 1 is served by the first.
func newPair(t *testing.T, change func(*Options)) (a, b *harness) {
	t.Helper()
	now := func() time.Time { return time.Now().AddDate(30, 0, 0) } // after feedengine.IDEpoch
	b = newHarness(t, 4, func(o *Options) {
		o.Node, o.Cluster, o.AuditEvery, o.Confirm, o.Now = "b", true, -1, time.Hour, now
		if change != nil {
			change(o)
		}
	})
	a = &harness{t: t, store: b.store, outlet: b.outlet}
	a.start(func(o *Options) {
		o.Node, o.Cluster, o.AuditEvery, o.Confirm, o.Now = "a", true, -1, time.Hour, now
		o.Announce = b.host.Learn
	})
	b.host.Renew(time.Now())
	a.open(1)
	return a, b
}

func stopPair(a, b *harness) {
	a.host.Stop(context.Background())
	b.host.Stop(context.Background())
}

// claim claims on condition of the epoch, and must win.
func (h *harness) claim(at feedengine.Place) feedengine.Head {
	h.t.Helper()
	claimed, err := h.store.Claim(context.Background(), h.host.opts.Node, []feedengine.Fence{{Shard: at.Shard, Epoch: at.Epoch}})
	if err != nil || !claimed[0].Won {
		h.t.Fatalf("claim %+v: %+v, %v", at, claimed, err)
	}
	return claimed[0].Head
}

// handOver takes a shard's state over the wire.
func (h *harness) handOver(shard feedengine.ShardID) (*feedengine.Handover, feedengine.Place) {
	h.t.Helper()
	state, place, err := h.host.HandOver(context.Background(), shard)
	if err != nil {
		h.t.Fatal(err)
	}
	state, err = feedengine.DecodeHandover(feedengine.EncodeHandover(state))
	if err != nil {
		h.t.Fatal(err)
	}
	return state, place
}

// A shard moves with its views: streams and counters go on, and nobody is reset.
func TestHostMovesAShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPair(t, nil)
		defer stopPair(a, b)
		reader, author := userOf(1, 4), userOf(2, 4)
		b.open(2)
		a.host.LearnHead(2, b.host.Served()[0].Head)
		a.must(reader, feedengine.Follow{Users: []string{author}})
		dev := a.attach(reader, 1, nil)
		first := b.must(author, feedengine.Publish{Text: "before", Kind: "post"}).Post
		for range 2 { // heard by heartbeats alone, and the first may be early
			a.host.LearnHead(2, b.host.Served()[0].Head)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if dev.posts[first.ID] != 1 || dev.n != 1 {
			t.Fatalf("before the move: %+v", dev)
		}

		state, place := a.handOver(1)
		if r := a.do(reader, feedengine.Unread{}); r.Err != feedengine.ErrElsewhere {
			t.Errorf("asked after the handover: %+v", r)
		}
		during := b.must(author, feedengine.Publish{Text: "during", Kind: "post"}).Post
		head := b.claim(place)
		if err := b.host.Open(context.Background(), 1, head, state); err != nil {
			t.Fatal(err)
		}
		a.host.Shut(1)
		loads := b.store.count("load")
		b.host.Rejoin(0, 1, feedengine.RejoinInput{Whole: true,
			Sessions: []feedengine.Rejoin{{User: reader, Session: 1, Stream: dev.stream, N: dev.n, V: dev.counts.V}}})
		after := b.must(author, feedengine.Publish{Text: "after", Kind: "post"}).Post
		synctest.Wait()
		if dev.posts[during.ID] != 1 || dev.posts[after.ID] != 1 || dev.n != 3 || dev.resets != 0 || dev.counts.Feed != 3 || dev.faults != nil {
			t.Errorf("after the move: %+v", dev)
		}
		if n := b.store.count("load") - loads; n != 0 {
			t.Errorf("the move cost %d loads", n)
		}
		if got := b.host.Epoch(1); got != head.Epoch || a.host.Epoch(1) != 0 {
			t.Errorf("epochs %d and %d", got, a.host.Epoch(1))
		}
	})
}

// What happened since the handover may have left the ring, and even the logs.
func TestHostOpensWithAnOldHandover(t *testing.T) {
	for _, c := range []struct {
		name   string
		posts  int
		trim   uint64
		resets int
	}{{"in the ring", 5, 0, 0}, {"in storage", 50, 0, 0}, {"trimmed", 50, 30, 1}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newPair(t, func(o *Options) { o.Ring = 16 })
				defer stopPair(a, b)
				reader, author := userOf(1, 4), userOf(2, 4)
				b.open(2)
				a.host.LearnHead(2, b.host.Served()[0].Head)
				a.must(reader, feedengine.Follow{Users: []string{author}})
				dev := a.attach(reader, 1, nil)
				synctest.Wait()
				state, place := a.handOver(1)
				for range c.posts {
					b.must(author, feedengine.Publish{Text: "x", Kind: "post"})
				}
				b.store.mu.Lock()
				b.store.trimmed[2] = c.trim
				b.store.mu.Unlock()
				if err := b.host.Open(context.Background(), 1, b.claim(place), state); err != nil {
					t.Fatal(err)
				}
				b.host.Rejoin(0, 1, feedengine.RejoinInput{Whole: true,
					Sessions: []feedengine.Rejoin{{User: reader, Session: 1, Stream: dev.stream, N: dev.n, V: dev.counts.V}}})
				synctest.Wait()
				if int(dev.counts.Feed) != c.posts || dev.resets != c.resets || c.resets == 0 && len(dev.posts) != c.posts {
					t.Errorf("%+v", dev)
				}
				if err := b.host.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A handover waits for what the writer has, gives up when that takes too long,
// and sends elsewhere what has not been begun.
func TestHostHandsOverWhileThereIsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPair(t, nil)
		defer stopPair(a, b)
		user := userOf(1, 4)
		a.must(user, feedengine.Publish{Text: "from now on the name is known", Kind: "post"})
		a.store.slow = 20 * time.Millisecond
		results := make(chan feedengine.Result, 64)
		ask := func(do feedengine.Action) {
			a.host.Submit(feedengine.Request{User: user, Do: do, Done: func(r feedengine.Result) { results <- r }})
		}
		ask(feedengine.Publish{Text: "in flight", Kind: "post"})
		ask(feedengine.Read{Of: feedengine.ListFeed, Upto: 1})
		ask(feedengine.Unread{}) // waits for a load
		for range 5 {            // the first is being checked, the others wait in its lane
			ask(feedengine.Follow{Users: []string{"somebody"}})
		}
		short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if _, _, err := a.host.HandOver(short, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("in a millisecond: %v", err)
		}
		if r := a.do(user, feedengine.Unread{}); r.Err != nil {
			t.Errorf("after a handover that was called off: %+v", r)
		}
		ask(feedengine.Publish{Text: "second", Kind: "post"})
		state, place := a.handOver(1)
		if got := a.store.log(1); state.Heads[1].Seq != uint64(len(got)) {
			t.Errorf("handed over at %d, the log stands at %d", state.Heads[1].Seq, len(got))
		}
		time.Sleep(10 * time.Second)
		elsewhere, durable := 0, 0
		for range 9 {
			switch r := <-results; {
			case r.Err == feedengine.ErrElsewhere:
				elsewhere++
			case r.Err != nil:
				t.Errorf("%+v", r)
			case r.Post != nil:
				durable++
			}
		}
		if durable != 2 || elsewhere < 4 {
			t.Errorf("%d posts durable, %d sent elsewhere", durable, elsewhere)
		}

		// Nobody took it: it goes on as it was, under an epoch of its own.
		head := a.claim(place)
		a.host.Renew(time.Now())
		if err := a.host.Confirm(context.Background()); err != nil { // it was ten seconds without a beat
			t.Fatal(err)
		}
		if err := a.host.Resume(1, head); err != nil {
			t.Fatal(err)
		}
		if err := a.host.Resume(1, head); err == nil {
			t.Error("resumed twice")
		}
		if r := a.do(user, feedengine.Publish{Text: "third", Kind: "post"}); r.Err != nil {
			t.Errorf("after resuming: %+v", r)
		}
		if err := a.host.Check(); err != nil {
			t.Error(err)
		}
	})
}

// What another has written to cannot be resumed.
func TestHostDoesNotResumeALogThatWentOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPair(t, nil)
		defer stopPair(a, b)
		user := userOf(1, 4)
		state, place := a.handOver(1)
		if err := b.host.Open(context.Background(), 1, b.claim(place), state); err != nil {
			t.Fatal(err)
		}
		b.must(user, feedengine.Publish{Text: "x", Kind: "post"})
		_, place = b.handOver(1)
		head := a.claim(place)
		if err := a.host.Resume(1, head); !errors.Is(err, errWentOn) {
			t.Fatalf("resume: %v", err)
		}
		a.host.Shut(1)
		if err := a.host.Open(context.Background(), 1, head, nil); err != nil {
			t.Fatal(err)
		}
		a.must(user, feedengine.Publish{Text: "y", Kind: "post"})
	})
}

// A shard that another has claimed is not served a moment longer than it takes
// to find out, however that is.
func TestHostLosesAShard(t *testing.T) {
	for _, way := range []string{"a write", "an announce", "a heartbeat", "a look at storage", "storage that forgot"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var lost []feedengine.ShardID
				h := newHarness(t, 4, func(o *Options) {
					o.Cluster = true
					o.OnLost = func(shards []feedengine.ShardID, err error) {
						mu.Lock()
						defer mu.Unlock()
						lost = append(lost, shards...)
					}
				})
				defer h.host.Stop(context.Background())
				user := userOf(1, 4)
				h.open(1)
				h.open(2)
				h.must(user, feedengine.Publish{Text: "x", Kind: "post"})
				h.must(user, feedengine.Publish{Text: "x", Kind: "post"})
				if way == "storage that forgot" {
					h.store.restore(func(shard, n int) int { return min(shard%2, n) })
				} else {
					h.store.mu.Lock()
					h.store.claim(1)
					h.store.mu.Unlock()
				}
				head := feedengine.Head{Epoch: 2, First: 3, Seq: 3, ID: 1 << 60}
				switch way {
				case "a write":
					if r := h.do(user, feedengine.Publish{Text: "late", Kind: "post"}); r.Err != feedengine.ErrElsewhere {
						t.Errorf("wrote: %+v", r)
					}
				case "an announce":
					h.host.Learn(1, 2, 3, []*feedengine.Event{{Shard: 1, Epoch: 2, Seq: 3, ID: head.ID, Kind: feedengine.KindFollow}})
				case "a heartbeat":
					h.host.LearnHead(1, head)
				default:
					for range 4 { // the lease is kept
						time.Sleep(time.Second)
						h.host.Renew(time.Now())
					}
				}
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				if len(lost) != 1 || lost[0] != 1 {
					t.Errorf("lost %v", lost)
				}
				if r := h.do(user, feedengine.Unread{}); r.Err != feedengine.ErrElsewhere {
					t.Errorf("served after the loss: %+v", r)
				}
				if r := h.do(userOf(2, 4), feedengine.Unread{}); r.Err == feedengine.ErrElsewhere {
					t.Errorf("the other shard: %+v", r)
				}
			})
		})
	}
}

// Requests that reach an actor while it ends are answered all the same.
func TestHostShutAnswersEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 1, func(o *Options) { o.Cluster = true })
		defer h.host.Stop(context.Background())
		h.store.slow = time.Millisecond
		for range 30 {
			h.open(0)
			var asking sync.WaitGroup
			for i := range 40 {
				asking.Go(func() {
					var do feedengine.Action = feedengine.Unread{}
					switch i % 4 {
					case 1:
						do = feedengine.Follow{Users: []string{"x"}}
					case 2:
						do = feedengine.Publish{Text: "x", Kind: "post"}
					case 3:
						do = feedengine.Detach{Session: 1}
					}
					time.Sleep(time.Duration(i%7) * 500 * time.Microsecond)
					if r := h.do("bob", do); r.Err != nil && r.Err != feedengine.ErrElsewhere {
						t.Errorf("%T: %+v", do, r)
					}
				})
			}
			time.Sleep(1500 * time.Microsecond)
			h.host.Shut(0)
			asking.Wait()
		}
	})
}

// A write that is asked for again under its internal key is carried out once.
func TestHostInternalKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		ask := func(key string, do feedengine.Action) feedengine.Result {
			got := make(chan feedengine.Result, 1)
			h.host.SubmitFrom(2, key, feedengine.Request{User: "bob", Do: do, Done: func(r feedengine.Result) { got <- r }})
			return <-got
		}
		publish := feedengine.Publish{Text: "x", Kind: "post"}
		post := ask("k1", publish).Post
		if again := ask("k1", publish).Post; again == nil || again.ID != post.ID {
			t.Errorf("the same key made %+v, then %+v", post, again)
		}
		if own := ask("k2", feedengine.Publish{Text: "x", Kind: "post", Key: "k1"}).Post; own == nil || own.ID == post.ID {
			t.Error("a client's key met an internal one")
		}
		if r := ask("k3", feedengine.Delete{Post: post.ID}); r.Err != nil {
			t.Fatal(r.Err)
		}
		if r := ask("k3", feedengine.Delete{Post: post.ID}); r.Err != nil {
			t.Errorf("the same deletion again: %v", r.Err)
		}
		for _, key := range []string{"k4", ""} {
			if r := ask(key, feedengine.Delete{Post: post.ID}); r.Err == nil || r.Err.Code != feedengine.NotFound {
				t.Errorf("another deletion, key %q: %+v", key, r)
			}
		}
	})
}

// An explanation follows a post through the node.
func TestHostExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPair(t, nil)
		defer stopPair(a, b)
		reader, author := userOf(1, 4), userOf(2, 4)
		b.open(2)
		a.must(reader, feedengine.Follow{Users: []string{author}})
		a.attach(reader, 7, nil)
		post := b.must(author, feedengine.Publish{Text: "x", Kind: "post"}).Post
		explain := func(h *harness) Explanation {
			t.Helper()
			x, err := h.host.Explain(context.Background(), reader, post.ID)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		if x := explain(b); !x.LogHere || !x.Found || x.Seq != 1 || x.Known.IsZero() || x.Serves {
			t.Errorf("at the author's: %+v", x)
		}
		if x := explain(a); x.LogHere || x.Found || !x.Serves || x.Applied || x.N != 0 || len(x.Sessions) != 1 {
			t.Errorf("at the reader's, before it has heard: %+v", x)
		}
		for range 2 { // the first heartbeat may be early
			a.host.LearnHead(2, b.host.Served()[0].Head)
		}
		time.Sleep(time.Second)
		if x := explain(a); !x.Found || !x.Applied || x.At.IsZero() || x.N != 1 || !x.Unread || x.Sessions[0].Session != 7 {
			t.Errorf("at the reader's: %+v", x)
		}
		a.host.recent.clear()
		if x := explain(a); !x.Found || x.Seq != 1 || !x.Known.IsZero() {
			t.Errorf("long after: %+v", x)
		}
		if x, err := a.host.Explain(context.Background(), reader, post.ID+1<<22); err != nil || x.Found {
			t.Errorf("of no post: %+v, %v", x, err)
		}
		if _, err := a.host.Explain(context.Background(), reader, feedengine.Tick(1).ID(900)); !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("of no shard: %v", err)
		}
	})
}

// What shards deliver may name an event by its position alone: other nodes must have
// been told of it before this node's shards are.
func TestHostAnnouncesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a, b *harness
		announced := 0
		a, b = newPair(t, func(o *Options) {
			o.Announce = func(shard feedengine.ShardID, epoch, _ uint64, events []*feedengine.Event) {
				for _, e := range events {
					announced++
					if b.host.Recent(shard, epoch, e.Seq) != nil || b.host.ring.HeadOf(shard).Seq >= e.Seq {
						t.Errorf("event %d was known before it was announced", e.Seq)
					}
				}
			}
		})
		defer stopPair(a, b)
		b.open(2)
		for range 3 {
			b.must(userOf(2, 4), feedengine.Publish{Text: "hello", Kind: "post"})
		}
		if announced != 3 {
			t.Errorf("%d events were announced, want 3", announced)
		}
	})
}
