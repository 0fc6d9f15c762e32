package storagetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

func runLog(t *testing.T, h Harness) {
	t.Run("RoundTrip", func(t *testing.T) { testRoundTrip(t, h) })
}

// testRoundTrip appends an event of every kind and reads it back.
func testRoundTrip(t *testing.T, h Harness) {
	s := h.Open(t, 8)
	w := claim(t, s, "a", 3)
	w.post("alice", "hello")
	post := w.post("alice", `quotes " ' \ and <b>&`)
	w.follow("alice", "bob", "carol")
	w.unfollow("alice", "bob")
	w.delete("alice", post.ID)
	want := w.events
	w.commit(t)

	got, err := s.ReadLog(t.Context(), 3, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("log differs (-appended +read):\n%s", diff)
	}
	for _, c := range []struct {
		after uint64
		limit int
		first uint64
		n     int
	}{{0, 2, 1, 2}, {2, 2, 3, 2}, {4, 10, 5, 1}, {5, 10, 0, 0}, {0, 0, 0, 0}} {
		got, err := s.ReadLog(t.Context(), 3, c.after, c.limit)
		if err != nil || len(got) != c.n || c.n > 0 && got[0].Seq != c.first {
			t.Errorf("ReadLog after %d limit %d: %d events, %v", c.after, c.limit, len(got), err)
		}
	}
	if got, err := s.ReadLog(t.Context(), feedengine.ShardID(4), 0, 10); err != nil || len(got) != 0 {
		t.Errorf("an empty log: %d events, %v", len(got), err)
	}
}
