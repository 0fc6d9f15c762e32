package storagetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/migrations"
)

// testReopen finds everything again after a restart.
func testReopen(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 1)
	w.post("alice", "hello")
	k := w.keyed("alice", "keyed", "k")
	w.follow("alice", "bob")
	want := w.events
	w.commit(t)

	s, err := h.Reopen(t, s, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Shards() != 4 {
		t.Errorf("%d shards, want the 4 it was set up with", s.Shards())
	}
	w.store = s
	if diff := cmp.Diff(want, w.written(t)); diff != "" {
		t.Errorf("log differs (-appended +read):\n%s", diff)
	}
	if got := w.lookUp(t, k); got == nil || *got != k {
		t.Errorf("key is %+v, want %+v", got, k)
	}
	if got := claim(t, s, "a", 1).head; got.Epoch != 2 || got.Seq != 3 || got.ID != w.head.ID {
		t.Errorf("head is %+v", got)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
}

// testNewerSchema opens a database that a newer release has written.
func testNewerSchema(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	h.SetSchema(t, s, 90210)
	_, err := h.Reopen(t, s, 0)
	if !errors.Is(err, migrations.ErrNewerSchema) {
		t.Fatalf("open: %v, want ErrNewerSchema", err)
	}
	if !strings.Contains(err.Error(), "90210") {
		t.Errorf("the error does not name the database's version: %v", err)
	}
}

// testOtherShards opens a database for another number of shards than it has.
func testOtherShards(t *testing.T, h Harness) {
	s := h.Open(t, 12)
	_, err := h.Reopen(t, s, 34)
	if err == nil || !strings.Contains(err.Error(), "12") || !strings.Contains(err.Error(), "34") {
		t.Fatalf("open: %v, want an error that names 12 and 34", err)
	}
	again, err := h.Reopen(t, s, 12) // s is closed already: that does no harm
	if err != nil || again.Shards() != 12 {
		t.Errorf("open for the number it has: %v", err)
	}
}
