package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// writerBench is a writer on a fake store, inside a synctest bubble. What the
// callbacks append to is read only while the writer's goroutine is blocked.
type writerBench struct {
	t     *testing.T
	store *fakeStore
	w     *Writer
	tick  feedengine.Tick
	known []*feedengine.Event // told by OnCommit
	lost  []feedengine.ShardID
}

func newWriterBench(t *testing.T, shards int, change func(*WriterOptions)) *writerBench {
	b := &writerBench{t: t, store: newFakeStore(shards), tick: 1000}
	o := WriterOptions{
		Node: "n1", Log: b.store, Reader: b.store, Heads: b.store.claimAll(),
		OnCommit: func(events []*feedengine.Event) { b.known = append(b.known, events...) },
		OnLost:   func(shards []feedengine.ShardID, _ error) { b.lost = append(b.lost, shards...) },
		Metrics:  metrics.NewSet(), Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	b.w = NewWriter(o)
	t.Cleanup(func() { // when the test has failed before it stopped the writer
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		b.w.Stop(ctx)
	})
	return b
}

// call is one submitted write and what came of it.
type call struct {
	write    feedengine.Write
	refused  error // by Submit
	outcomes []Outcome
	at       time.Time
	known    int // events that OnCommit had told of when Done was called
}

// is reports whether the one outcome is a refusal with the code.
func (c *call) is(code feedengine.Code) bool {
	err := c.refused
	if err == nil && len(c.outcomes) == 1 {
		err = c.outcomes[0].Err
	}
	var refusal *feedengine.Error
	return errors.As(err, &refusal) && refusal.Code == code
}

// event is the committed event, or nil.
func (c *call) event() *feedengine.Event {
	if len(c.outcomes) != 1 || c.outcomes[0].Err != nil {
		return nil
	}
	return c.outcomes[0].Event
}

func (b *writerBench) submit(w feedengine.Write) *call { return b.submitBy(w, time.Time{}) }

func (b *writerBench) submitBy(w feedengine.Write, deadline time.Time) *call {
	c := &call{write: w}
	c.refused = b.w.Submit(Pending{Write: w, Deadline: deadline, Done: func(o Outcome) {
		c.outcomes = append(c.outcomes, o)
		c.at, c.known = time.Now(), len(b.known)
	}})
	return c
}

func (b *writerBench) post(shard feedengine.ShardID, text string) feedengine.Write {
	b.tick++
	id := b.tick.ID(shard)
	return feedengine.Write{Shard: shard, Event: &feedengine.Event{
		Shard: shard, ID: id, Kind: feedengine.KindPost, Actor: "ann",
		Post: &feedengine.Post{ID: id, Author: "ann", Kind: "post", Text: text},
	}}
}

func (b *writerBench) keyed(shard feedengine.ShardID, key, text string) feedengine.Write {
	w := b.post(shard, text)
	w.Key = &feedengine.Key{User: "ann", Op: "publish", Key: key}
	copy(w.Key.Hash[:], text)
	return w
}

func (b *writerBench) follow(shard feedengine.ShardID, users int) feedengine.Write {
	b.tick++
	e := &feedengine.Event{Shard: shard, ID: b.tick.ID(shard), Kind: feedengine.KindFollow, Actor: "ann"}
	for i := range users {
		e.Users = append(e.Users, fmt.Sprint("u", i))
	}
	return feedengine.Write{Shard: shard, Event: e}
}

func (b *writerBench) mark(shard feedengine.ShardID, user string, upto feedengine.ID) feedengine.Write {
	return feedengine.Write{Shard: shard, Mark: &feedengine.Mark{User: user, List: feedengine.ListFeed, Upto: upto}}
}

// stop ends the writer and checks what always holds.
func (b *writerBench) stop() {
	b.t.Helper()
	if err := b.w.Stop(context.Background()); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	b.check()
}

func (b *writerBench) check() {
	b.t.Helper()
	if len(b.store.defects) > 0 {
		b.t.Errorf("the writer broke its contract: %s", strings.Join(b.store.defects, "; "))
	}
}

// batches is the number of writes in each commit.
func (b *writerBench) batches() (sizes []int) {
	for _, writes := range b.store.appended {
		sizes = append(sizes, len(writes))
	}
	return sizes
}

func (b *writerBench) seqs(shard feedengine.ShardID) (ids []feedengine.ID) {
	for _, e := range b.store.log(shard) {
		ids = append(ids, e.ID)
	}
	return ids
}

func synctested(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

func TestWriterGroupsWhatComesDuringACommit(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 4, nil)
		b.store.slow = 10 * time.Millisecond
		calls := []*call{b.submit(b.post(0, "first"))}
		synctest.Wait()
		for i := range 100 {
			calls = append(calls, b.submit(b.post(feedengine.ShardID(i%4), "more")))
		}
		calls = append(calls, b.submit(b.mark(2, "bob", 7)))
		b.stop()
		if got := b.batches(); !slices.Equal(got, []int{1, 101}) {
			t.Fatalf("batches %v, want [1 101]", got)
		}
		next := map[feedengine.ShardID]uint64{}
		for i, c := range calls[:101] {
			e := c.event()
			if e == nil {
				t.Fatalf("call %d: %+v", i, c.outcomes)
			}
			next[e.Shard]++
			if e != c.write.Event || e.Seq != next[e.Shard] || e.Epoch != 1 {
				t.Fatalf("call %d: event %+v, want seq %d", i, e, next[e.Shard])
			}
			if !slices.Contains(b.known[:c.known], e) {
				t.Fatalf("call %d was answered before OnCommit told of its event", i)
			}
			if b.known[i] != e {
				t.Fatalf("OnCommit told of another event at %d", i)
			}
		}
		if o := calls[101].outcomes; len(o) != 1 || o[0] != (Outcome{}) || b.store.marks[fakeMark{"bob", feedengine.ListFeed}] != 7 {
			t.Fatalf("mark: %+v, stored %v", o, b.store.marks)
		}
	})
}

func TestWriterBoundsABatch(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, func(o *WriterOptions) { o.MaxRows = 40 })
		b.store.slow = 10 * time.Millisecond
		b.submit(b.post(0, "first"))
		synctest.Wait()
		for range 50 {
			b.submit(b.post(0, "small")) // a full batch of 40; the other 10 …
		}
		b.submit(b.follow(0, 29)) // … just fit with this one
		b.submit(b.follow(0, 39)) // fills a batch
		b.submit(b.follow(0, 60)) // more than a batch, for itself
		b.submit(b.post(0, "x"))
		b.stop()
		if got := b.batches(); !slices.Equal(got, []int{1, 40, 11, 1, 1, 1}) {
			t.Fatalf("batches %v", got)
		}
	})
}

func TestWriterCommitsBulkEventsApart(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.slow = 10 * time.Millisecond
		b.submit(b.post(0, "first"))
		synctest.Wait()
		b.submit(b.post(0, "x"))
		b.submit(b.follow(0, 100))
		b.submit(b.follow(0, 101)) // bulk
		b.submit(b.post(0, "y"))
		b.submit(b.post(0, "z"))
		b.stop()
		if got := b.batches(); !slices.Equal(got, []int{1, 2, 1, 2}) {
			t.Fatalf("batches %v", got)
		}
	})
}

func TestWriterRefusesWhatItCannotQueue(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 2, func(o *WriterOptions) {
			o.Queue = 3
			o.Heads[1] = feedengine.Head{} // not this node's
		})
		b.store.slow = 10 * time.Millisecond
		calls := []*call{b.submit(b.post(0, "in flight"))}
		synctest.Wait()
		for range 3 {
			calls = append(calls, b.submit(b.post(0, "queued")))
		}
		if c := b.submit(b.post(0, "beyond")); !c.is(feedengine.Overloaded) {
			t.Fatalf("beyond the queue: %v", c.refused)
		}
		if c := b.submit(b.post(1, "elsewhere")); !c.is(feedengine.Unavailable) {
			t.Fatalf("another's shard: %v", c.refused)
		}
		b.stop()
		for i, c := range calls {
			if c.event() == nil {
				t.Fatalf("call %d was taken, then %+v", i, c.outcomes)
			}
		}
		if c := b.submit(b.post(0, "late")); !c.is(feedengine.Unavailable) || len(c.outcomes) > 0 {
			t.Fatalf("after Stop: %v", c.refused)
		}
	})
}

func TestWriterSettlesKeysFirst(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 2, nil)
		first := b.submit(b.keyed(0, "k", "hello"))
		synctest.Wait()
		b.store.slow = 10 * time.Millisecond
		b.submit(b.post(1, "keyless"))
		synctest.Wait()
		same := b.submit(b.keyed(0, "k", "hello"))
		other := b.submit(b.keyed(0, "k", "goodbye"))
		next := b.submit(b.post(0, "next"))
		b.stop()

		id := first.event().ID
		if p := same.outcomes[0].Prior; p == nil || p.ID != id {
			t.Fatalf("repeated: %+v, want the event %d", same.outcomes[0], id)
		}
		if !other.is(feedengine.Conflict) {
			t.Fatalf("other content: %+v", other.outcomes)
		}
		if e := next.event(); e == nil || e.Seq != 2 {
			t.Fatalf("next: %+v, want seq 2: no hole", next.outcomes)
		}
		if n := b.store.count("keys"); n != 2 {
			t.Fatalf("%d lookups, want 2: one a batch, none for a keyless one", n)
		}
	})
}

func TestWriterSettlesTwinsOfOneBatch(t *testing.T) {
	for _, tt := range []struct {
		name           string
		text           string
		same, other    func(c *call, first *call) bool
		wantFirst      bool
		keyAlreadyUsed bool
	}{
		{name: "the first commits", text: "good", wantFirst: true,
			same: func(c, first *call) bool {
				p := c.outcomes[0].Prior
				return p != nil && p.ID == first.event().ID
			},
			other: func(c, _ *call) bool { return c.is(feedengine.Conflict) }},
		{name: "the first is refused", text: "poison",
			same:  func(c, _ *call) bool { return c.is(feedengine.Internal) },
			other: func(c, _ *call) bool { return c.is(feedengine.Unavailable) }},
		{name: "the key was used before", text: "good", keyAlreadyUsed: true,
			same:  func(c, _ *call) bool { return c.is(feedengine.Conflict) },
			other: func(c, _ *call) bool { p := c.outcomes[0].Prior; return p != nil && p.ID == 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctested(t, func(t *testing.T) {
				b := newWriterBench(t, 1, nil)
				b.store.poison = "poison"
				if tt.keyAlreadyUsed {
					k := feedengine.Key{User: "ann", Op: "publish", Key: "k", ID: 1}
					copy(k.Hash[:], "other")
					b.store.keys[fakeKey{"ann", "publish", "k"}] = k
				}
				b.store.slow = 10 * time.Millisecond
				b.submit(b.post(0, "in flight"))
				synctest.Wait()
				first := b.submit(b.keyed(0, "k", tt.text))
				same := b.submit(b.keyed(0, "k", tt.text))
				other := b.submit(b.keyed(0, "k", "other"))
				after := b.submit(b.post(0, "after"))
				b.stop()
				if (first.event() != nil) != tt.wantFirst {
					t.Errorf("first: %+v", first.outcomes)
				}
				if len(same.outcomes) != 1 || !tt.same(same, first) {
					t.Errorf("same content: %+v", same.outcomes)
				}
				if len(other.outcomes) != 1 || !tt.other(other, first) {
					t.Errorf("other content: %+v", other.outcomes)
				}
				if after.event() == nil {
					t.Errorf("after: %+v", after.outcomes)
				}
			})
		})
	}
}

func TestWriterFindsAKeyThatCameAfterItsLookup(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 2, nil)
		b.submit(b.keyed(0, "k", "hello"))
		synctest.Wait()
		b.store.hidden[fakeKey{"ann", "publish", "k"}] = true
		b.store.slow = 10 * time.Millisecond
		b.submit(b.post(1, "in flight"))
		synctest.Wait()
		same := b.submit(b.keyed(0, "k", "hello"))
		good := b.submit(b.post(1, "good"))
		b.stop()
		if p := same.outcomes[0].Prior; p == nil || p.ID != b.store.log(0)[0].ID {
			t.Fatalf("%+v, want the first event", same.outcomes)
		}
		if good.event() == nil {
			t.Fatalf("neighbour: %+v", good.outcomes)
		}
	})
}

func TestWriterRefusesOnlyTheCulprit(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 4, nil)
		b.store.poison = "poison"
		b.store.slow = time.Millisecond
		b.submit(b.post(0, "in flight"))
		synctest.Wait()
		var calls []*call
		for i := range 256 {
			text := "good"
			if i == 77 {
				text = "poison"
			}
			calls = append(calls, b.submit(b.post(feedengine.ShardID(i%4), text)))
		}
		mark := b.submit(b.mark(1, "poison", 5))
		b.stop()
		for i, c := range calls {
			switch {
			case i == 77 && !c.is(feedengine.Internal):
				t.Errorf("the culprit: %+v", c.outcomes)
			case i != 77 && c.event() == nil:
				t.Errorf("neighbour %d: %+v", i, c.outcomes)
			}
		}
		if !mark.is(feedengine.Internal) {
			t.Errorf("the mark: %+v", mark.outcomes)
		}
		if n := b.store.count("append"); n > 40 {
			t.Errorf("%d appends to find 2 culprits among 257", n)
		}
	})
}

func TestWriterWithStorageAway(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.submit(b.post(0, "before"))
		synctest.Wait()
		b.store.setFail(func(string) fault { return faultUnavailable })
		start := time.Now()
		appends := b.store.count("append")
		var calls []*call
		for range 2000 {
			calls = append(calls, b.submit(b.post(0, "lost")))
			time.Sleep(time.Millisecond) // the bubble's clock
		}
		synctest.Wait()
		for i, c := range calls[:1000] {
			if !c.is(feedengine.Unavailable) {
				t.Fatalf("call %d: %+v", i, c.outcomes)
			}
			if wait := c.at.Sub(start.Add(time.Duration(i) * time.Millisecond)); wait > time.Second {
				t.Fatalf("call %d was refused after %v", i, wait)
			}
		}
		if n := b.store.count("append") - appends; n > 20 {
			t.Errorf("%d appends in 2 s to a database that is down", n)
		}
		b.store.setFail(nil)
		time.Sleep(time.Second)
		after := b.submit(b.post(0, "after"))
		b.stop()
		committed := 1
		for _, c := range calls {
			if c.event() != nil {
				committed++ // waited in the queue when storage returned
			}
		}
		if e := after.event(); e == nil || e.Seq != uint64(committed+1) {
			t.Fatalf("after %d committed: %+v", committed, after.outcomes)
		}
	})
}

func TestWriterRefusesALongQueueWhenStorageIsDown(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, func(o *WriterOptions) { o.MaxRows = 10 })
		b.store.fail = func(string) fault { return faultUnavailable }
		start := time.Now()
		var calls []*call
		for range 2000 {
			calls = append(calls, b.submit(b.post(0, "x")))
		}
		b.stop()
		for i, c := range calls {
			if wait := c.at.Sub(start); !c.is(feedengine.Unavailable) || wait > time.Second {
				t.Fatalf("call %d: %+v after %v", i, c.outcomes, wait)
			}
		}
		if n := b.store.count("append"); n > 3 {
			t.Errorf("%d appends, want the second failure to do", n)
		}
	})
}

func TestWriterStopsSplittingWhenStorageGoesAway(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.poison = "poison"
		b.store.slow = 10 * time.Millisecond
		b.submit(b.post(0, "in flight"))
		synctest.Wait()
		b.store.setFail(func(string) fault {
			if b.store.count("append") > 2 {
				return faultUnavailable
			}
			return works
		})
		calls := []*call{b.submit(b.post(0, "poison"))}
		for range 63 {
			calls = append(calls, b.submit(b.post(0, "good")))
		}
		b.stop()
		for i, c := range calls {
			if !c.is(feedengine.Unavailable) {
				t.Errorf("call %d: %+v", i, c.outcomes)
			}
		}
		if n := b.store.count("append"); n != 3 {
			t.Errorf("%d appends, want the one that fails to be the last", n)
		}
	})
}

func TestWriterWithKeysAway(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.fail = func(call string) fault {
			if call == "keys" {
				return faultUnavailable
			}
			return works
		}
		c := b.submit(b.keyed(0, "k", "x"))
		b.stop()
		if !c.is(feedengine.Unavailable) || b.store.count("append") != 0 {
			t.Fatalf("%+v after %d appends: a key that cannot be looked up must not be used", c.outcomes, b.store.count("append"))
		}
	})
}

// once makes the first append go wrong, and then the first claims.
func once(f fault, claims int) func(string) fault {
	return func(call string) fault {
		switch {
		case call == "append" && f != works:
			defer func() { f = works }()
			return f
		case call == "claim" && claims > 0:
			claims--
			return faultUnavailable
		}
		return works
	}
}

func TestWriterSettlesAnUnknownOutcome(t *testing.T) {
	for name, tt := range map[string]struct {
		fault   fault
		appends int
		epoch   uint64 // that the events stand under
	}{
		"committed":     {faultCommitted, 1, 1},
		"not committed": {faultNotCommitted, 2, 2},
		"still to come": {faultGhost, 1, 1},
		"hangs":         {faultHangs, 2, 2},
		"odd error":     {faultOdd, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctested(t, func(t *testing.T) {
				b := newWriterBench(t, 3, nil)
				b.submit(b.post(0, "first"))
				synctest.Wait()
				b.store.slow = time.Millisecond
				fail := once(tt.fault, 3)
				b.store.fail = func(call string) fault {
					if call == "append" && b.store.count("append") == 2 {
						return works
					}
					return fail(call)
				}
				b.submit(b.post(1, "in flight"))
				synctest.Wait()
				x, y := b.submit(b.post(0, "x")), b.submit(b.keyed(2, "k", "y"))
				z, m := b.submit(b.post(0, "z")), b.submit(b.mark(1, "bob", 9))
				b.stop()
				if e := x.event(); e == nil || e.Seq != 2 || e.Epoch != tt.epoch {
					t.Errorf("x: %+v", x.outcomes)
				}
				if e := y.event(); e == nil || e.Seq != 1 || e.Epoch != tt.epoch {
					t.Errorf("y: %+v", y.outcomes)
				}
				if e := z.event(); e == nil || e.Seq != 3 || e.Epoch != tt.epoch {
					t.Errorf("z: %+v", z.outcomes)
				}
				if len(m.outcomes) != 1 || m.outcomes[0] != (Outcome{}) || b.store.marks[fakeMark{"bob", feedengine.ListFeed}] != 9 {
					t.Errorf("mark: %+v, stored %v", m.outcomes, b.store.marks)
				}
				if got := b.store.count("append"); got != 2+tt.appends {
					t.Errorf("%d appends, want %d", got, 2+tt.appends)
				}
				if want := []feedengine.ID{b.store.log(0)[0].ID, x.write.Event.ID, z.write.Event.ID}; !slices.Equal(b.seqs(0), want) {
					t.Errorf("log %v, want %v", b.seqs(0), want)
				}
				if len(b.known) != 5 || len(b.lost) != 0 {
					t.Errorf("told of %d events, lost %v", len(b.known), b.lost)
				}
			})
		})
	}
}

func TestWriterGoesOnUnderTheNewEpoch(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.fail = once(faultCommitted, 0)
		b.submit(b.post(0, "x"))
		synctest.Wait()
		y := b.submit(b.post(0, "y"))
		b.stop()
		if e := y.event(); e == nil || e.Epoch != 2 || e.Seq != 2 {
			t.Fatalf("%+v, want seq 2 of epoch 2", y.outcomes)
		}
	})
}

func TestWriterRepeatsMarksWithoutAClaim(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.fail = once(faultNotCommitted, 0)
		m := b.submit(b.mark(0, "bob", 9))
		b.stop()
		if len(m.outcomes) != 1 || m.outcomes[0] != (Outcome{}) {
			t.Fatalf("%+v", m.outcomes)
		}
		if b.store.count("claim") != 0 || b.store.count("append") != 2 {
			t.Fatalf("%d claims, %d appends, want 0 and 2", b.store.count("claim"), b.store.count("append"))
		}
	})
}

func TestWriterGivesUpOnABatchThatBreaksEveryConnection(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.fail = func(call string) fault {
			if call == "append" && b.store.count("append") <= maxUnknown {
				return faultNotCommitted
			}
			return works
		}
		bad := b.submit(b.post(0, "breaks it"))
		synctest.Wait()
		good := b.submit(b.post(0, "good"))
		b.stop()
		if !bad.is(feedengine.Unavailable) || good.event() == nil || good.event().Seq != 1 {
			t.Fatalf("bad %+v, good %+v", bad.outcomes, good.outcomes)
		}
	})
}

func TestWriterRefusesTheQueueWhileAnOutcomeIsUnknown(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.fail = once(faultCommitted, 100)
		x := b.submit(b.post(0, "x"))
		synctest.Wait()
		start := time.Now()
		y := b.submit(b.post(0, "y"))
		b.stop()
		if x.event() == nil || x.at.Sub(start) < 5*time.Second {
			t.Fatalf("x: %+v after %v", x.outcomes, x.at.Sub(start))
		}
		if !y.is(feedengine.Unavailable) || y.at.Sub(start) > time.Second {
			t.Fatalf("y: %+v after %v", y.outcomes, y.at.Sub(start))
		}
	})
}

func TestWriterLosesOnlyTheFencedShard(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 8, nil)
		b.store.slow = 10 * time.Millisecond
		b.submit(b.post(0, "in flight"))
		synctest.Wait()
		var calls []*call
		for i := range 32 {
			calls = append(calls, b.submit(b.post(feedengine.ShardID(i%8), "x")))
		}
		b.store.mu.Lock()
		b.store.claim(5)
		b.store.mu.Unlock()
		time.Sleep(11 * time.Millisecond)
		synctest.Wait()
		queued := b.submit(b.post(5, "queued")) // while the batch with shard 5 is in flight
		mark := b.submit(b.mark(5, "bob", 9))
		time.Sleep(time.Second)
		synctest.Wait()

		for i, c := range calls {
			if shard := i % 8; shard == 5 && !c.is(feedengine.Unavailable) || shard != 5 && c.event() == nil {
				t.Errorf("call %d of shard %d: %+v", i, shard, c.outcomes)
			}
		}
		if !queued.is(feedengine.Unavailable) || !mark.is(feedengine.Unavailable) {
			t.Errorf("queued: %+v, mark %+v", queued.outcomes, mark.outcomes)
		}
		if !slices.Equal(b.lost, []feedengine.ShardID{5}) {
			t.Errorf("lost %v, want 5 alone", b.lost)
		}
		if c := b.submit(b.post(5, "y")); c.refused == nil {
			t.Error("took a write for a lost shard")
		}
		b.store.mu.Lock()
		head := b.store.claim(5)
		b.store.mu.Unlock()
		b.w.Own(5, head)
		again := b.submit(b.post(5, "z"))
		b.stop()
		if e := again.event(); e == nil || e.Epoch != 3 || e.Seq != 1 {
			t.Errorf("owned again: %+v", again.outcomes)
		}
	})
}

func TestWriterLosesALogThatWentAnotherWay(t *testing.T) {
	for _, ours := range []bool{true, false} {
		t.Run(fmt.Sprintf("ours committed %v", ours), func(t *testing.T) {
			synctested(t, func(t *testing.T) {
				b := newWriterBench(t, 2, nil)
				foreign := b.post(0, "foreign").Event
				foreign.ID += 1 << 40
				b.store.fail = func(call string) fault {
					if call == "append" && b.store.count("append") == 1 {
						if ours {
							return faultCommitted
						}
						return faultNotCommitted
					}
					if call == "claim" { // somebody has been there meanwhile
						b.store.mu.Lock()
						defer b.store.mu.Unlock()
						foreign.Epoch, foreign.Seq = 2, uint64(len(b.store.logs[0]))+1
						b.store.logs[0] = append(b.store.logs[0], foreign)
					}
					return works
				}
				x, y := b.submit(b.post(0, "x")), b.submit(b.post(1, "y"))
				b.stop()
				if ours != (x.event() != nil) || !ours && !x.is(feedengine.Unavailable) {
					t.Errorf("x: %+v", x.outcomes)
				}
				if y.event() == nil {
					t.Errorf("y: %+v", y.outcomes)
				}
				if !slices.Equal(b.lost, []feedengine.ShardID{0}) {
					t.Errorf("lost %v", b.lost)
				}
				if slices.Contains(b.known, foreign) {
					t.Error("told of a foreign event")
				}
			})
		})
	}
}

func TestWriterLosesALogThatLostCommits(t *testing.T) {
	for name, writtenSince := range map[string]bool{"shorter": false, "as long, with another's event": true} {
		t.Run(name, func(t *testing.T) {
			synctested(t, func(t *testing.T) {
				b := newWriterBench(t, 1, nil)
				b.submit(b.post(0, "acknowledged, then lost"))
				synctest.Wait()
				other := b.post(0, "another's").Event
				other.Seq = 1
				b.store.fail = func(call string) fault {
					if call != "append" {
						return works
					}
					b.store.logs[0] = nil // restored from a backup
					if writtenSince {
						b.store.logs[0] = append(b.store.logs[0], other)
					}
					return faultHangs
				}
				x := b.submit(b.post(0, "x"))
				b.stop()
				if !x.is(feedengine.Unavailable) || !slices.Equal(b.lost, []feedengine.ShardID{0}) {
					t.Fatalf("%+v, lost %v", x.outcomes, b.lost)
				}
			})
		})
	}
}

func TestWriterRefusesWhatNobodyWaitsForAnyMore(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		b.store.slow = 100 * time.Millisecond
		b.submit(b.post(0, "in flight"))
		synctest.Wait()
		late := b.submitBy(b.post(0, "late"), time.Now().Add(50*time.Millisecond))
		good := b.submitBy(b.post(0, "good"), time.Now().Add(time.Second))
		b.stop()
		if !late.is(feedengine.Unavailable) || good.event() == nil || good.event().Seq != 2 {
			t.Fatalf("late %+v, good %+v", late.outcomes, good.outcomes)
		}
	})
}

func TestWriterRefusesAnIDBelowTheHead(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, nil)
		old := b.post(0, "old")
		b.submit(b.post(0, "new"))
		synctest.Wait()
		c := b.submit(old)
		b.stop()
		if !c.is(feedengine.Internal) || len(b.store.log(0)) != 1 {
			t.Fatalf("%+v, log %v", c.outcomes, b.seqs(0))
		}
	})
}

func TestWriterStopCutShort(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newWriterBench(t, 1, func(o *WriterOptions) { o.Timeout = time.Hour })
		b.store.fail = func(call string) fault { return faultHangs }
		calls := []*call{b.submit(b.post(0, "in flight"))}
		synctest.Wait()
		calls = append(calls, b.submit(b.post(0, "queued")), b.submit(b.mark(0, "bob", 1)))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		if err := b.w.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("stop: %v", err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Fatalf("stop took %v", d)
		}
		for i, c := range calls {
			if !c.is(feedengine.Unavailable) {
				t.Errorf("call %d: %+v", i, c.outcomes)
			}
		}
	})
}
