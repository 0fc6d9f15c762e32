package storagetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

func runLog(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"RoundTrip", testRoundTrip},
		{"ReadLogBounds", testReadLogBounds},
		{"ManyShards", testManyShards},
		{"SeqTwice", testSeqTwice},
		{"WithoutFence", testWithoutFence},
		{"Text", testText},
		{"Marks", testMarks},
		{"EdgesWithinACommit", testEdgesWithinACommit},

		{"ClaimHeads", testClaimHeads},
		{"ClaimExpects", testClaimExpects},
		{"ClaimRaced", testClaimRaced},
		{"ClaimBesideAppends", testClaimBesideAppends},
		{"ClaimLost", testClaimLost},
		{"Heads", testHeads},
		{"ReadLogs", testReadLogs},
		{"Fenced", testFenced},
		{"ConcurrentClaims", testConcurrentClaims},
		{"ClaimUnknownShard", testClaimUnknownShard},

		{"KeyFound", testKeyFound},
		{"KeyTaken", testKeyTaken},
		{"KeyExpires", testKeyExpires},

		{"LostReply", testLostReply},
		{"LostCommit", testLostCommit},
		{"BadRowAmongGood", testBadRowAmongGood},
		{"Cancelled", testCancelled},

		{"Trim", testTrim},
		{"TrimKeepsYoungKeys", testTrimKeepsYoungKeys},

		{"SnapshotAgreesWithHeads", testSnapshotAgreesWithHeads},

		{"Reopen", testReopen},
		{"NewerSchema", testNewerSchema},
		{"OtherShards", testOtherShards},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// testRoundTrip appends an event of every kind and reads it back.
func testRoundTrip(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 8), "a", 3)
	w.post("alice", "hello")
	post := w.post("alice", "doomed")
	w.follow("alice", "bob", "carol")
	w.unfollow("alice", "bob")
	w.delete("alice", post.ID)
	want := w.events
	w.commit(t)

	if diff := cmp.Diff(want, w.written(t)); diff != "" {
		t.Fatalf("log differs (-appended +read):\n%s", diff)
	}
	kinds := map[feedengine.EventKind]bool{}
	for _, e := range want {
		kinds[e.Kind] = true
	}
	for k := feedengine.KindPost; k <= feedengine.KindUnfollow; k++ {
		if !kinds[k] {
			t.Errorf("no event of kind %d was tried", k)
		}
	}
}

func testReadLogBounds(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 2)
	for range 5 {
		w.post("alice", "x")
	}
	w.commit(t)
	for _, c := range []struct {
		shard feedengine.ShardID
		after uint64
		limit int
		first uint64
		n     int
	}{
		{2, 0, 2, 1, 2}, {2, 2, 2, 3, 2}, {2, 4, 10, 5, 1}, {2, 5, 10, 0, 0}, {2, 1 << 40, 10, 0, 0},
		{2, 0, 0, 0, 0}, {3, 0, 10, 0, 0},
	} {
		got, err := s.ReadLog(t.Context(), c.shard, c.after, c.limit)
		if err != nil || len(got) != c.n || c.n > 0 && got[0].Seq != c.first {
			t.Errorf("shard %d after %d limit %d: %d events, %v", c.shard, c.after, c.limit, len(got), err)
		}
	}
}

// testManyShards commits for several shards at once.
func testManyShards(t *testing.T, h Harness) {
	s := h.Open(t, 8)
	var fences []feedengine.Fence
	var writes []feedengine.Write
	var writers []*writer
	for _, shard := range []feedengine.ShardID{7, 0, 3} { // any order will do
		w := claim(t, s, "a", shard)
		w.post("alice", "one")
		w.post("alice", "two")
		writers = append(writers, w)
		fences = append(fences, w.fence())
		writes = append(writes, w.take()...)
	}
	if err := s.Append(t.Context(), fences, writes); err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		if got := w.written(t); len(got) != 2 || got[1].Seq != 2 || got[1].ID != w.head.ID {
			t.Errorf("shard %d: %d events", w.shard, len(got))
		}
	}
}

// testSeqTwice gives a second event the place of another.
func testSeqTwice(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 1)
	w.post("alice", "first")
	w.commit(t)
	w.head.Seq--
	second := w.post("alice", "second")
	if err := w.append(t); !errors.Is(err, feedengine.ErrRefused) {
		t.Fatalf("a seq twice: %v, want ErrRefused", err)
	}
	if got := w.written(t); len(got) != 1 || got[0].Post.Text != "first" {
		t.Errorf("log holds %d events", len(got))
	}
	w.gone(t, second.ID)
}

// testWithoutFence appends what no fence, or another claim's, stands for.
func testWithoutFence(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w, other := claim(t, s, "a", 1), claim(t, s, "a", 2)
	p := w.post("alice", "x")
	if err := s.Append(t.Context(), []feedengine.Fence{other.fence()}, w.take()); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("without a fence: %v, want ErrRefused", err)
	}
	w.gone(t, p.ID)
	if got := w.written(t); len(got) != 0 {
		t.Errorf("log holds %d events", len(got))
	}
	// A fence without writes is a question: is the claim still good?
	if err := s.Append(t.Context(), []feedengine.Fence{w.fence()}, nil); err != nil {
		t.Errorf("a fence alone: %v", err)
	}
}
