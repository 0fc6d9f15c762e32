package storagetest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

// testClaimExpects claims shards of which some have another epoch than expected:
// those are told of, and are left as they were.
func testClaimExpects(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 3)
	w.post("alice", "one")
	w.commit(t)
	before := w.head
	claimed, err := s.Claim(t.Context(), "b", []feedengine.Fence{{Shard: 3, Epoch: 0}, {Shard: 0, Epoch: 0}, {Shard: 1, Epoch: 7}})
	if err != nil {
		t.Fatal(err)
	}
	want := []feedengine.Claimed{
		{Shard: 3, Head: before},
		{Shard: 0, Won: true, Head: feedengine.Head{Epoch: 1, First: 1}},
		{Shard: 1, Head: feedengine.Head{Epoch: 0, First: 1}},
	}
	if diff := cmp.Diff(want, claimed); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
	owners(t, s, feedengine.Owner{Node: "b", Epoch: 1}, feedengine.Owner{Shard: 1}, feedengine.Owner{Shard: 2}, feedengine.Owner{Shard: 3, Node: "a", Epoch: 1})
	w.post("alice", "two") // the loser's claim fenced nobody
	w.commit(t)

	claimed, err = s.Claim(t.Context(), "b", []feedengine.Fence{w.fence()})
	if err != nil || !claimed[0].Won || claimed[0].Head != (feedengine.Head{Epoch: 2, First: 3, Seq: 2, ID: w.head.ID}) {
		t.Errorf("claimed %+v, %v", claimed, err)
	}
	owners(t, s, feedengine.Owner{Node: "b", Epoch: 1}, feedengine.Owner{Shard: 1}, feedengine.Owner{Shard: 2}, feedengine.Owner{Shard: 3, Node: "b", Epoch: 2})
	if _, err := s.Claim(t.Context(), "a", []feedengine.Fence{{Shard: 2}, {Shard: 2}}); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("claim of one shard twice: %v, want ErrRefused", err)
	}
}

func owners(t *testing.T, s Claimer, want ...feedengine.Owner) {
	t.Helper()
	got, err := s.Owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// testClaimRaced lets claimers expect the same: of each shard exactly one wins,
// and the others are told the winner's head.
func testClaimRaced(t *testing.T, h Harness) {
	const shards, claimers, rounds = 5, 4, 10
	s := h.Open(t, shards)
	for round := range uint64(rounds) {
		var mu sync.Mutex
		winners := map[feedengine.ShardID][]string{}
		var wg sync.WaitGroup
		for c := range claimers {
			node := string(rune('a' + c))
			var expect []feedengine.Fence
			for i := range shards {
				expect = append(expect, feedengine.Fence{Shard: feedengine.ShardID((i + c) % shards), Epoch: round})
			}
			wg.Go(func() {
				claimed, err := s.Claim(t.Context(), node, expect)
				if err != nil {
					t.Errorf("claim beside others: %v", err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for i, c := range claimed {
					if c.Shard != expect[i].Shard || c.Head.Epoch != round+1 {
						t.Errorf("claim %d of shard %d: %+v, want epoch %d", i, expect[i].Shard, c, round+1)
					}
					if c.Won {
						winners[c.Shard] = append(winners[c.Shard], node)
					}
				}
			})
		}
		wg.Wait()
		var want []feedengine.Owner
		for shard := range feedengine.ShardID(shards) {
			if len(winners[shard]) != 1 {
				t.Fatalf("shard %d was won by %q", shard, winners[shard])
			}
			want = append(want, feedengine.Owner{Shard: shard, Node: winners[shard][0], Epoch: round + 1})
		}
		owners(t, s, want...)
	}
}

// testClaimBesideAppends claims a shard from owners that are appending: the head
// that is told is final, and every acknowledged event is below it.
func testClaimBesideAppends(t *testing.T, h Harness) {
	const rounds = 8
	s := h.Open(t, 4)
	w := claim(t, s, "owner", 1)
	for round := range rounds {
		started, fenced := make(chan struct{}), make(chan error, 1)
		go func() { // the test waits for fenced
			for n := 0; ; n++ {
				before := w.head
				w.post("alice", "x")
				if err := w.append(t); err != nil {
					w.head = before
					fenced <- err
					return
				}
				if n == 2 {
					close(started)
				}
			}
		}()
		<-started
		claimed, err := s.Claim(t.Context(), "next", []feedengine.Fence{{Shard: 1, Epoch: uint64(round + 1)}})
		if err != nil || !claimed[0].Won {
			t.Fatalf("claim: %+v, %v", claimed, err)
		}
		head := claimed[0].Head
		if err := <-fenced; !errors.Is(err, feedengine.ErrFenced) {
			t.Fatalf("append beside a claim: %v, want ErrFenced", err)
		}
		if head.Seq != w.head.Seq || head.ID != w.head.ID || len(w.written(t)) != int(head.Seq) {
			t.Fatalf("claimed at %+v with %d events in the log; the last one acknowledged was %+v", head, len(w.written(t)), w.head)
		}
		w.head = head
	}
}

// testClaimLost loses the outcome of a claim: who looks at the owners finds out.
func testClaimLost(t *testing.T, h Harness) {
	for _, committed := range []bool{true, false} {
		f := h.OpenFaulty(t, 4)
		w := claim(t, f.Store, "a", 1)
		w.post("alice", "before")
		w.commit(t)
		lose, epoch := f.LoseReply, uint64(2)
		if !committed {
			lose, epoch = f.LoseCommit, 1
		}
		lose()
		if _, err := f.Store.Claim(t.Context(), "b", []feedengine.Fence{w.fence()}); !errors.Is(err, feedengine.ErrUnknownOutcome) {
			t.Fatalf("claim whose outcome was lost: %v, want ErrUnknownOutcome", err)
		}
		claimed, err := f.Store.Claim(t.Context(), "b", []feedengine.Fence{w.fence()})
		if err != nil || claimed[0].Won == committed || claimed[0].Head.Epoch != 2 {
			t.Errorf("committed %v: claimed again: %+v, %v", committed, claimed, err)
		}
		all, err := f.Store.Owners(t.Context())
		if err != nil || all[1] != (feedengine.Owner{Shard: 1, Node: "b", Epoch: 2}) {
			t.Errorf("committed %v: owners %+v, %v", committed, all, err)
		}
		claimed, err = f.Store.Claim(t.Context(), "b", []feedengine.Fence{{Shard: 1, Epoch: 2}})
		if err != nil || !claimed[0].Won || claimed[0].Head.Epoch != 3 || claimed[0].Head.Seq != 1 {
			t.Errorf("from epoch %d: claimed %+v, %v", epoch, claimed, err)
		}
	}
}

// testHeads compares Heads with what claims and snapshots say.
func testHeads(t *testing.T, h Harness) {
	s := h.Open(t, 70)
	var want []feedengine.Head
	for shard := range feedengine.ShardID(70) {
		head := feedengine.Head{First: 1}
		if shard%3 == 0 {
			w := claim(t, s, "a", shard)
			w.post("alice", "x")
			w.commit(t)
			head = w.head
		}
		want = append(want, head)
	}
	for range 2 {
		got, err := s.Heads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("heads (-want +got):\n%s", diff)
		}
		want[3] = Claim(t, s, "b", 3)[0]
	}
}

// testReadLogs reads logs of several lengths at once, and compares with each
// alone.
func testReadLogs(t *testing.T, h Harness) {
	s := h.Open(t, 8)
	for i, shard := range []feedengine.ShardID{1, 4, 6} {
		w := claim(t, s, "a", shard)
		for range 3 * (i + 1) {
			w.post("alice", "x")
			w.follow("alice", "bob")
		}
		w.commit(t)
	}
	after := []feedengine.Position{{Shard: 6, Seq: 4}, {Shard: 0}, {Shard: 1, Seq: 1 << 60}, {Shard: 4}, {Shard: 1, Seq: 3}}
	for _, limit := range []int{0, 1, 5, 1000} {
		var want []*feedengine.Event
		for _, p := range after {
			one, err := s.ReadLog(t.Context(), p.Shard, p.Seq, limit)
			if err != nil {
				t.Fatal(err)
			}
			want = slices.Concat(want, one)
		}
		got, err := s.ReadLogs(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-alone +together):\n%s", limit, diff)
		}
		if n := min(limit, 14) + min(limit, 12) + min(limit, 3); len(got) != n {
			t.Errorf("limit %d: %d events, want %d", limit, len(got), n)
		}
	}
	if got, err := s.ReadLogs(t.Context(), nil, 10); err != nil || len(got) != 0 {
		t.Errorf("no logs: %d events, %v", len(got), err)
	}
}
