package shard

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// ringFeed makes contiguous events for some logs.
type ringFeed struct{ heads []feedengine.Head }

func (f *ringFeed) next(shard feedengine.ShardID) *feedengine.Event {
	h := &f.heads[shard]
	h.Seq++
	h.ID = feedengine.Tick(h.Seq).ID(shard)
	if h.Epoch == 0 {
		h.Epoch, h.First = 1, 1
	}
	return &feedengine.Event{Shard: shard, Epoch: h.Epoch, Seq: h.Seq, ID: h.ID}
}

func TestRingReadsWhatWasAppended(t *testing.T) {
	r := NewRing(8, 2)
	f := ringFeed{heads: make([]feedengine.Head, 2)}
	buf := make([]*feedengine.Event, 16)
	if n, err := r.Read(0, buf); n != 0 || err != nil {
		t.Fatalf("empty ring: %d, %v", n, err)
	}
	var all []*feedengine.Event
	for range 5 {
		all = append(all, f.next(0), f.next(1))
	}
	r.Append(all[:6])
	if n, err := r.Read(2, buf); err != nil || !slices.Equal(buf[:n], all[2:6]) {
		t.Fatalf("read %d, %v", n, err)
	}
	r.Append(all[6:])
	if _, err := r.Read(1, buf); !errors.Is(err, ErrPassed) {
		t.Fatalf("position 1 of 10 in a ring of 8: %v, want ErrPassed", err)
	}
	if n, err := r.Read(2, buf); err != nil || !slices.Equal(buf[:n], all[2:]) {
		t.Fatalf("oldest: %d, %v", n, err)
	}
	if n, err := r.Read(4, buf[:3]); err != nil || !slices.Equal(buf[:n], all[4:7]) {
		t.Fatalf("with a small buffer: %d, %v", n, err)
	}
	for _, from := range []uint64{10, 11, 1 << 60} {
		if n, err := r.Read(from, buf); n != 0 || err != nil {
			t.Fatalf("at %d: %d, %v", from, n, err)
		}
	}
	if got := r.Head(); got != 10 {
		t.Fatalf("head %d", got)
	}
}

func TestRingTakesMoreThanItHolds(t *testing.T) {
	r := NewRing(4, 1)
	f := ringFeed{heads: make([]feedengine.Head, 1)}
	var all []*feedengine.Event
	for range 11 {
		all = append(all, f.next(0))
	}
	r.Append(all)
	buf := make([]*feedengine.Event, 8)
	if n, err := r.Read(7, buf); err != nil || !slices.Equal(buf[:n], all[7:]) {
		t.Fatalf("read %d, %v", n, err)
	}
	if _, err := r.Read(6, buf); !errors.Is(err, ErrPassed) {
		t.Fatalf("position 6 of 11 in a ring of 4: %v", err)
	}
}

func TestRingHeads(t *testing.T) {
	r := NewRing(8, 3)
	r.SetHeads([]feedengine.Head{{Epoch: 3, First: 8, Seq: 7, ID: 70}, {Epoch: 3, First: 1}, {}})
	known := &feedengine.Event{Shard: 0, Epoch: 2, Seq: 7, ID: 70}
	a := &feedengine.Event{Shard: 0, Epoch: 3, Seq: 8, ID: 80}
	b := &feedengine.Event{Shard: 0, Epoch: 4, Seq: 9, ID: 90}
	c := &feedengine.Event{Shard: 0, Epoch: 4, Seq: 10, ID: 100}
	r.Append([]*feedengine.Event{known, a, b, c})

	heads, at := r.Heads()
	want := []feedengine.Head{{Epoch: 4, First: 9, Seq: 10, ID: 100}, {Epoch: 3, First: 1}, {}}
	if !slices.Equal(heads, want) || at != 3 {
		t.Fatalf("heads %v at %d, want %v at 3: what the head had passed is left out", heads, at, want)
	}
	buf := make([]*feedengine.Event, 8)
	if n, _ := r.Read(0, buf); !slices.Equal(buf[:n], []*feedengine.Event{a, b, c}) {
		t.Fatalf("read %v", buf[:n])
	}
	heads[0].Seq = 99
	if again, _ := r.Heads(); again[0].Seq != 10 {
		t.Fatal("Heads gave its own slice away")
	}
}

func TestRingLeavesOutWhatDoesNotFollow(t *testing.T) {
	r := NewRing(8, 2)
	r.SetHeads([]feedengine.Head{{Epoch: 3, First: 5, Seq: 6, ID: 60}, {}})
	if gap := r.Append([]*feedengine.Event{
		{Shard: 0, Epoch: 3, Seq: 8, ID: 80}, // after a gap
		{Shard: 0, Epoch: 2, Seq: 7, ID: 70}, // of an owner that was fenced
		{Shard: 1, Epoch: 1, Seq: 1, ID: 10},
	}); !gap {
		t.Error("a gap was not told of")
	}
	heads, at := r.Heads()
	if want := []feedengine.Head{{Epoch: 3, First: 5, Seq: 6, ID: 60}, {Epoch: 1, First: 1, Seq: 1, ID: 10}}; !slices.Equal(heads, want) || at != 1 {
		t.Errorf("heads %v at %d, want %v at 1", heads, at, want)
	}
	if r.Append([]*feedengine.Event{{Shard: 0, Epoch: 3, Seq: 7, ID: 70}, {Shard: 0, Epoch: 3, Seq: 8, ID: 80}}) {
		t.Error("a gap where there was none")
	}
}

func TestRingAdoptsAnEpoch(t *testing.T) {
	r := NewRing(8, 1)
	r.SetHeads([]feedengine.Head{{Epoch: 3, First: 5, Seq: 6, ID: 60}})
	r.Adopt(0, feedengine.Head{Epoch: 4, First: 9, Seq: 8, ID: 80}) // the ring is not there yet
	r.Adopt(0, feedengine.Head{Epoch: 2, First: 7, Seq: 6, ID: 60}) // an old one
	if h := r.HeadOf(0); h.Epoch != 3 {
		t.Fatalf("adopted %+v", h)
	}
	r.Adopt(0, feedengine.Head{Epoch: 4, First: 7, Seq: 6, ID: 60})
	if h := r.HeadOf(0); h != (feedengine.Head{Epoch: 4, First: 7, Seq: 6, ID: 60}) {
		t.Fatalf("did not adopt: %+v", h)
	}
	if r.Append([]*feedengine.Event{{Shard: 0, Epoch: 3, Seq: 7, ID: 70}}); r.Head() != 0 {
		t.Error("took an event of the epoch before")
	}
}

func TestRingJumps(t *testing.T) {
	r := NewRing(8, 2)
	f := ringFeed{heads: make([]feedengine.Head, 2)}
	for range 3 {
		r.Append([]*feedengine.Event{f.next(0), f.next(1)})
	}
	wake := make(chan struct{}, 1)
	r.Subscribe(wake, nil)
	before := r.Head()
	r.Jump(0, feedengine.Head{Epoch: 2, First: 2, Seq: 2, ID: 22}, true)
	buf := make([]*feedengine.Event, 8)
	for from := range before + 1 {
		if _, err := r.Read(from, buf); !errors.Is(err, ErrPassed) {
			t.Fatalf("position %d was read: %v", from, err)
		}
		if !r.HistoryLostSince(from) {
			t.Errorf("what was read up to %d is said to be good", from)
		}
	}
	if len(wake) != 1 {
		t.Error("nobody was woken")
	}
	at := r.Head()
	next := &feedengine.Event{Shard: 0, Epoch: 2, Seq: 3, ID: 33}
	r.Append([]*feedengine.Event{next})
	if n, err := r.Read(at, buf); n != 1 || err != nil || buf[0] != next || r.HistoryLostSince(at) {
		t.Errorf("after the jump: %d, %v", n, err)
	}
	r.Jump(1, feedengine.Head{Epoch: 1, First: 1, Seq: 9, ID: 99}, false)
	if r.HistoryLostSince(at + 1) {
		t.Error("a jump forward is said to have lost history")
	}
}

func TestRingSince(t *testing.T) {
	r := NewRing(8, 3)
	f := ringFeed{heads: make([]feedengine.Head, 3)}
	for range 4 {
		r.Append([]*feedengine.Event{f.next(0), f.next(1)}) // positions 0 … 7
	}
	heads := func(seqs ...uint64) (h []feedengine.Head) {
		for _, s := range seqs {
			h = append(h, feedengine.Head{Seq: s})
		}
		return h
	}
	for _, c := range []struct {
		heads   []feedengine.Head
		at      uint64
		missing []feedengine.ShardID
	}{
		{heads(4, 4, 0), 8, nil},
		{heads(3, 4, 0), 6, nil},
		{heads(4, 1, 0), 3, nil},
		{heads(0, 0, 0), 0, nil},
		{heads(9, 4, 7), 8, nil},
	} {
		at, own, missing := r.Since(c.heads)
		if at != c.at || !slices.Equal(missing, c.missing) || !slices.Equal(own, f.heads) {
			t.Errorf("since %v: at %d, missing %v", c.heads, at, missing)
		}
	}
	r.Append([]*feedengine.Event{f.next(2), f.next(2)}) // the floor is 2
	if at, _, missing := r.Since(heads(1, 0, 1)); at != 2 || !slices.Equal(missing, []feedengine.ShardID{1}) {
		t.Errorf("with a log that the ring has partly passed: at %d, missing %v", at, missing)
	}
}

func TestRingWakesItsSubscribers(t *testing.T) {
	r := NewRing(8, 1)
	f := ringFeed{heads: make([]feedengine.Head, 1)}
	a, b := make(chan struct{}, 1), make(chan struct{}, 1)
	r.Subscribe(a, nil)
	r.Subscribe(b, nil)
	r.Append([]*feedengine.Event{f.next(0)})
	r.Append([]*feedengine.Event{f.next(0)}) // neither has taken its token: Append must not wait
	if len(a) != 1 || len(b) != 1 {
		t.Fatalf("tokens %d and %d, want one each", len(a), len(b))
	}
	<-a
	<-b
	r.Unsubscribe(a)
	r.Append([]*feedengine.Event{f.next(0)})
	if len(a) != 0 || len(b) != 1 {
		t.Fatalf("tokens %d and %d after a has left", len(a), len(b))
	}
}

// Many readers, each at its own pace, against the list of all that was
// appended: whatever Read gives out is exactly what stands there.
func TestRingUnderConcurrentReaders(t *testing.T) {
	const total, shards, readers = 50_000, 5, 4
	r := NewRing(64, shards)
	f := ringFeed{heads: make([]feedengine.Head, shards)}
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]*feedengine.Event, total)
	for i := range all {
		all[i] = f.next(feedengine.ShardID(rng.IntN(shards)))
	}

	var readOK, passed atomic.Int64
	var wg sync.WaitGroup
	for i := range readers {
		rng := rand.New(rand.NewPCG(3, uint64(i)))
		wake := make(chan struct{}, 1)
		r.Subscribe(wake, nil)
		wg.Go(func() {
			buf := make([]*feedengine.Event, 48)
			var at uint64
			for at < total {
				n, err := r.Read(at, buf[:1+rng.IntN(48)])
				switch {
				case errors.Is(err, ErrPassed):
					passed.Add(1)
					head := r.Head()
					at = head - min(head, uint64(rng.IntN(80)))
				case n == 0:
					<-wake
				default:
					readOK.Add(int64(n))
					if !slices.Equal(buf[:n], all[at:at+uint64(n)]) {
						t.Errorf("reader %d: wrong events at %d", i, at)
						return
					}
					at += uint64(n)
				}
			}
		})
	}
	wg.Go(func() { // Heads and position are one moment's
		for {
			heads, at := r.Heads()
			var sum uint64
			for _, h := range heads {
				sum += h.Seq
			}
			if sum != at {
				t.Errorf("heads of %d events at position %d", sum, at)
				return
			}
			if at == total {
				return
			}
		}
	})
	for rest := all; len(rest) > 0; {
		n := min(1+rng.IntN(100), len(rest))
		r.Append(rest[:n])
		rest = rest[n:]
	}
	wg.Wait()
	if readOK.Load() == 0 || passed.Load() == 0 {
		t.Fatalf("read %d, passed %d: the test wants both", readOK.Load(), passed.Load())
	}
}

func BenchmarkRingAppend(b *testing.B) {
	// A batch of 256 to 256 subscribers, as a full commit does; the floor is
	// the same without any.
	for _, subscribers := range []int{0, 256, 1024} {
		b.Run(map[int]string{0: "floor", 256: "256_subscribers", 1024: "1024_subscribers"}[subscribers], func(b *testing.B) {
			r := NewRing(1<<16, 256)
			for range subscribers {
				r.Subscribe(make(chan struct{}, 1), nil)
			}
			events := make([]*feedengine.Event, 256)
			for i := range events {
				events[i] = &feedengine.Event{Shard: feedengine.ShardID(i), Epoch: 1}
			}
			for b.Loop() {
				for _, e := range events {
					e.Seq++ // the reader-less ring does not mind
				}
				r.Append(events)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/event")
		})
	}
}

func BenchmarkRingRead(b *testing.B) {
	r := NewRing(1<<16, 1)
	f := ringFeed{heads: make([]feedengine.Head, 1)}
	for range 1 << 16 {
		r.Append([]*feedengine.Event{f.next(0)})
	}
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]*feedengine.Event, 64)
		var at uint64
		for pb.Next() {
			if _, err := r.Read(at&(1<<16-64), buf); err != nil {
				b.Error(err)
			}
			at += 64
		}
	})
}
