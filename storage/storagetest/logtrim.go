package storagetest

import (
	"testing"
	"time"

	"github.com/feedgate/feedgate/storage"
)

// trim calls Trim until nothing is left, and returns how much it deleted.
func trim(t testing.TB, s storage.Store, before time.Time) int {
	t.Helper()
	total := 0
	for range 1000 {
		n, err := s.Trim(t.Context(), before)
		if err != nil {
			t.Fatalf("trim: %v", err)
		}
		if n == 0 {
			return total
		}
		total += n
	}
	t.Fatal("a thousand calls of Trim were not enough")
	return 0
}

// testTrim trims logs that are old, old in part, young and empty.
func testTrim(t *testing.T, h Harness) {
	const many = 300
	s := h.Open(t, 8)
	day := time.Now().Add(-24 * time.Hour)

	old, mixed, young := claim(t, s, "a", 1), claim(t, s, "a", 2), claim(t, s, "a", 3)
	old.at(day.Add(-time.Hour))
	for range many {
		old.post("alice", "x")
	}
	old.keyed("alice", "x", "k") // 301 events and a key
	old.commit(t)
	mixed.at(day.Add(-time.Hour))
	for range 10 {
		mixed.post("bob", "x")
	}
	mixed.at(day.Add(time.Hour))
	for range 5 {
		mixed.post("bob", "x")
	}
	mixed.commit(t)
	young.post("carol", "x")
	young.commit(t)

	if n := trim(t, s, day); n != many+1+10 {
		t.Errorf("trimmed %d rows, want %d", n, many+1+10)
	}
	for _, c := range []struct {
		w     *writer
		first uint64
		n     int
	}{{old, many + 1, 1}, {mixed, 11, 5}, {young, 1, 1}} {
		got := c.w.written(t)
		if len(got) != c.n || got[0].Seq != c.first {
			t.Errorf("shard %d: %d events are left, want %d from %d on", c.w.shard, len(got), c.n, c.first)
		}
		heads := Claim(t, s, "b", c.w.shard)
		if heads[0].Seq != c.w.head.Seq || heads[0].ID != c.w.head.ID {
			t.Errorf("shard %d: head %+v after trimming, want seq %d", c.w.shard, heads[0], c.w.head.Seq)
		}
	}
	// Only the log is trimmed, not the facts.
	page, err := s.Feed(t.Context(), "alice", 0, 100)
	if err != nil || len(page.Posts) != 100 || page.Next == 0 {
		t.Errorf("posts are gone with the log: %v", err)
	}
}

// testTrimKeepsYoungKeys trims a log of hours: keys have their 24.
func testTrimKeepsYoungKeys(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 4), "a", 1)
	w.at(time.Now().Add(-2 * time.Hour))
	k := w.keyed("alice", "x", "k")
	w.post("alice", "last")
	w.commit(t)
	if n := trim(t, w.store, time.Now().Add(-time.Hour)); n != 1 {
		t.Errorf("trimmed %d rows, want 1", n)
	}
	if got := w.lookUp(t, k); got == nil {
		t.Error("a key of 2 hours ago was trimmed")
	}
}
