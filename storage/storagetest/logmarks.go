package storagetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// loadOne loads one user's facts.
func loadOne(t testing.TB, s storage.Store, user string) feedengine.LoadedUser {
	t.Helper()
	snap, err := s.Load(t.Context(), []feedengine.LoadUser{{User: user}}, 100)
	if err != nil || len(snap.Users) != 1 {
		t.Fatalf("load %s: %+v, %v", user, snap, err)
	}
	return snap.Users[0]
}

// testMarks moves read marks to and fro: they merge by maximum.
func testMarks(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 1)
	steps := []struct {
		upto []feedengine.ID // of one commit
		want feedengine.ID
	}{
		{[]feedengine.ID{10}, 10}, {[]feedengine.ID{5}, 10}, {[]feedengine.ID{10}, 10},
		{[]feedengine.ID{12, 30, 20}, 30}, {[]feedengine.ID{feedengine.MaxID}, feedengine.MaxID}, {[]feedengine.ID{1}, feedengine.MaxID},
	}
	for _, step := range steps {
		for _, upto := range step.upto {
			w.mark("alice", feedengine.ListFeed, upto)
			w.mark("alice", feedengine.ListNotifications, 7)
			w.mark("bob", feedengine.ListFeed, 3)
		}
		w.commit(t)
		if got := loadOne(t, s, "alice").Feed.Mark; got != step.want {
			t.Errorf("after %v the mark is %d, want %d", step.upto, got, step.want)
		}
	}
	if got := loadOne(t, s, "bob").Feed.Mark; got != 3 {
		t.Errorf("bob's mark is %d, want 3", got)
	}
	if got := loadOne(t, s, "carol").Feed.Mark; got != 0 {
		t.Errorf("a mark never set is %d, want 0", got)
	}
	if n := len(w.written(t)); n != 0 {
		t.Errorf("marks wrote %d events", n)
	}
}

// testEdgesWithinACommit follows and unfollows the same author more than once in
// one commit: what counts is how it stands at the end.
func testEdgesWithinACommit(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 1)
	was := w.follow("alice", "kept", "gone", "renewed", "again")
	w.commit(t)

	w.follow("alice", "kept", "again")
	first := w.follow("alice", "new", "brief")
	w.unfollow("alice", "gone", "renewed", "brief", "never")
	renewed := w.follow("alice", "renewed")
	w.follow("alice", "renewed", "new")
	w.unfollow("alice", "again")
	w.follow("alice", "again")
	w.unfollow("alice", "again")
	w.commit(t)

	want := []feedengine.Edge{{Author: "kept", Since: was}, {Author: "new", Since: first}, {Author: "renewed", Since: renewed}}
	if diff := cmp.Diff(want, loadOne(t, s, "alice").Follows); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}

	// A post that is made and deleted in one commit is gone.
	p := w.post("alice", "brief")
	w.delete("alice", p.ID)
	w.commit(t)
	w.gone(t, p.ID)
}
