package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

// lookUp is the answer to a single key.
func (w *writer) lookUp(t testing.TB, k feedengine.Key) *feedengine.Key {
	t.Helper()
	k.Hash, k.ID = [16]byte{}, 0 // what the answer is to tell
	found, err := w.store.Keys(t.Context(), []feedengine.Key{k})
	if err != nil || len(found) != 1 {
		t.Fatalf("keys: %v, %v", found, err)
	}
	return found[0]
}

func testKeyFound(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 0)
	one, two := w.keyed("alice", "one", "k1"), w.keyed("alice", "two", "k2")
	w.commit(t)

	ask := []feedengine.Key{
		{User: "alice", Op: "publish", Key: "k2"},
		{User: "bob", Op: "publish", Key: "k1"},
		{User: "alice", Op: "comment", Key: "k1"},
		{User: "alice", Op: "publish", Key: "K1"},
		{User: "alice", Op: "publish", Key: "k1"},
	}
	got, err := s.Keys(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*feedengine.Key{&two, nil, nil, nil, &one}, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if got, err := s.Keys(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no keys: %v, %v", got, err)
	}
}

func testKeyTaken(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 4), "a", 0)
	first := w.keyed("alice", "one", "k")
	w.commit(t)

	w.post("alice", "good")
	again := w.keyed("alice", "two", "k")
	if err := w.append(t); !errors.Is(err, feedengine.ErrRefused) {
		t.Fatalf("a key that is taken: %v, want ErrRefused", err)
	}
	w.gone(t, again.ID)
	if n := len(w.written(t)); n != 1 {
		t.Errorf("log holds %d events, want 1", n)
	}
	if got := w.lookUp(t, first); got == nil || *got != first {
		t.Errorf("key is %+v, want %+v", got, first)
	}

	w = claim(t, w.store, "a", 0)
	w.keyed("bob", "one", "twice")
	w.keyed("bob", "two", "twice")
	if err := w.append(t); !errors.Is(err, feedengine.ErrRefused) {
		t.Errorf("a key twice in a batch: %v, want ErrRefused", err)
	}

	w = claim(t, w.store, "a", 0)
	w.keyed("bob", "one", "k") // another user's key of the same name
	w.commit(t)
}

// testKeyExpires uses a key again a day later.
func testKeyExpires(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 4), "a", 0)
	w.at(time.Now().Add(-25 * time.Hour))
	old := w.keyed("alice", "one", "k")
	w.at(time.Now().Add(-23 * time.Hour))
	young := w.keyed("alice", "two", "k2")
	w.commit(t)
	if got := w.lookUp(t, old); got != nil {
		t.Errorf("a key of 25 hours ago is still there: %+v", got)
	}
	if got := w.lookUp(t, young); got == nil || *got != young {
		t.Errorf("a key of 23 hours ago is %+v, want %+v", got, young)
	}

	w.at(time.Now())
	again := w.keyed("alice", "three", "k")
	w.commit(t)
	if got := w.lookUp(t, old); got == nil || *got != again {
		t.Errorf("the key used anew is %+v, want %+v", got, again)
	}
}
