package storagetest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

// testClaimHeads claims again and again between appends, and compares with what
// a snapshot says.
func testClaimHeads(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	claims := func(want ...feedengine.Head) {
		t.Helper()
		got := Claim(t, s, "a", 3, 1)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("claimed heads (-want +got):\n%s", diff)
		}
	}
	claims(feedengine.Head{Epoch: 1, First: 1}, feedengine.Head{Epoch: 1, First: 1})

	w := claim(t, s, "a", 3)
	w.post("alice", "one")
	w.post("alice", "two")
	w.commit(t)
	last := w.head.ID
	claims(feedengine.Head{Epoch: 3, First: 3, Seq: 2, ID: last}, feedengine.Head{Epoch: 2, First: 1})

	w = claim(t, s, "b", 3)
	w.post("alice", "three")
	w.commit(t)
	snap, err := s.Load(t.Context(), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Heads) != 4 {
		t.Fatalf("%d heads in the snapshot, want 4", len(snap.Heads))
	}
	if want := (feedengine.Head{Epoch: 4, First: 3, Seq: 3, ID: w.head.ID}); snap.Heads[3] != want {
		t.Errorf("snapshot's head: %+v, want %+v", snap.Heads[3], want)
	}
	if got := snap.Heads[1]; got.Epoch != 2 || got.Seq != 0 {
		t.Errorf("snapshot's head of an empty log: %+v", got)
	}
}

// testFenced appends under a claim that is no longer the latest.
func testFenced(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	old, other := claim(t, s, "old", 1), claim(t, s, "old", 2)
	old.post("alice", "before")
	old.commit(t)
	now := claim(t, s, "new", 1)

	// A batch is refused whole when one of its shards is fenced.
	post := old.post("alice", "late")
	old.follow("alice", "bob")
	old.mark("alice", feedengine.ListFeed, post.ID)
	beside := other.post("carol", "beside it")
	fences := []feedengine.Fence{other.fence(), old.fence()}
	err := s.Append(t.Context(), fences, append(old.take(), other.take()...))
	if !errors.Is(err, feedengine.ErrFenced) {
		t.Fatalf("append under an old epoch: %v, want ErrFenced", err)
	}
	old.gone(t, post.ID)
	other.gone(t, beside.ID)
	if n := len(now.written(t)); n != 1 {
		t.Errorf("the fenced log holds %d events, want 1", n)
	}
	if n := len(other.written(t)); n != 0 {
		t.Errorf("the log beside it holds %d events, want 0", n)
	}
	if u := loadOne(t, s, "alice"); len(u.Follows) != 0 || u.Feed.Mark != 0 {
		t.Errorf("a follow or a mark of the fenced batch was written: %+v", u)
	}

	// Without writes an append only says whether the fences hold.
	if err := s.Append(t.Context(), []feedengine.Fence{other.fence(), old.fence()}, nil); !errors.Is(err, feedengine.ErrFenced) {
		t.Errorf("confirming an old epoch: %v, want ErrFenced", err)
	}
	if err := s.Append(t.Context(), []feedengine.Fence{now.fence(), other.fence()}, nil); err != nil {
		t.Errorf("confirming epochs that hold: %v", err)
	}

	// Epochs that were never given out are no better.
	ahead := now.fence()
	ahead.Epoch++
	if err := s.Append(t.Context(), []feedengine.Fence{ahead}, nil); !errors.Is(err, feedengine.ErrFenced) {
		t.Errorf("a fence of a future epoch: %v, want ErrFenced", err)
	}
	now.post("alice", "after")
	now.commit(t)

	// A writer that takes a log for longer than it is, as after commits were lost.
	whole := now.head
	now.post("alice", "lost")
	now.take()
	gap := now.post("alice", "above a gap")
	good := other.post("carol", "beside it")
	err = s.Append(t.Context(), []feedengine.Fence{now.fence(), other.fence()}, append(now.take(), other.take()...))
	if !errors.Is(err, feedengine.ErrFenced) {
		t.Errorf("append above a gap: %v, want ErrFenced", err)
	}
	now.gone(t, gap.ID)
	other.gone(t, good.ID)
	now.head = whole
	now.post("alice", "where the log ends")
	now.commit(t)
}

// testConcurrentClaims lets claimers fight over sets of shards that overlap.
func testConcurrentClaims(t *testing.T, h Harness) {
	const shards, claimers, rounds = 6, 6, 10
	s := h.Open(t, shards)
	var mu sync.Mutex
	epochs := make([][]uint64, shards) // that were given out
	var wg sync.WaitGroup
	for c := range claimers {
		rnd := rand.New(rand.NewPCG(1, uint64(c)))
		wg.Go(func() {
			for range rounds {
				want := make([]feedengine.ShardID, 0, shards)
				for _, shard := range rnd.Perm(shards)[:1+rnd.IntN(shards)] {
					want = append(want, feedengine.ShardID(shard))
				}
				heads, err := Take(t.Context(), s, string(rune('a'+c)), want...)
				if err != nil {
					t.Errorf("claim beside others: %v", err)
					return
				}
				mu.Lock()
				for i, head := range heads {
					epochs[want[i]] = append(epochs[want[i]], head.Epoch)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for shard, got := range epochs {
		slices.Sort(got)
		for i, epoch := range got {
			if epoch != uint64(i+1) {
				t.Fatalf("shard %d: epochs %v were given out, want 1, 2, 3 …", shard, got)
			}
		}
	}
}

func testClaimUnknownShard(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	if _, err := s.Claim(t.Context(), "a", []feedengine.Fence{{Shard: 1}, {Shard: 4}}); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("claim of shard 4 of 4: %v, want ErrRefused", err)
	}
	if head := claim(t, s, "a", 1).head; head.Epoch != 1 {
		t.Errorf("the refused claim raised an epoch: %+v", head)
	}
	if heads, err := s.Claim(t.Context(), "a", nil); err != nil || len(heads) != 0 {
		t.Errorf("claim of nothing: %v, %v", heads, err)
	}
}
