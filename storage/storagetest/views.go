package storagetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/feedgate/feedgate/feedengine"
)

func runViews(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Model", testViewsModel},
		{"LoadHeads", testLoadHeads},
		{"LoadManyUsers", testLoadManyUsers},
		{"CountsStop", testCountsStop},
		{"MarkAboveAll", testMarkAboveAll},
		{"FollowCountsLater", testFollowCountsLater},
		{"OwnPosts", testOwnPosts},
		{"PageOfFewAuthors", testPageOfFewAuthors},
		{"PageOfManyAuthors", testPageOfManyAuthors},
		{"Posts", testPosts},
		{"Lists", testLists},
		{"Followed", testFollowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// same compares; an empty list is as good as none.
func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// testViewsModel writes random facts and asks everything of them, now and then.
func testViewsModel(t *testing.T, h Harness) {
	const rounds, acts, users = 12, 45, 23
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, h.Open(t, 5), seed, users)
			for range rounds {
				for n := acts; n > 0; {
					some := min(n, 1+w.rnd.IntN(10))
					for range some {
						w.act()
					}
					w.commit()
					n -= some
				}
				w.compareLoad()
				w.comparePages()
				w.compareGraph()
				w.comparePosts()
			}
			if len(w.posts) < 50 || len(w.posts) == len(w.posted) || len(w.marks) < users/2 {
				t.Errorf("%d of %d posts, %d marks: the test shows little", len(w.posts), len(w.posted), len(w.marks))
			}
		})
	}
}

// compareLoad loads everybody, some twice, somebody unknown, with and without
// pages.
func (w *world) compareLoad() {
	w.t.Helper()
	var ask []feedengine.LoadUser
	for range len(w.users) + 5 {
		ask = append(ask, feedengine.LoadUser{User: w.anyone(), Page: w.rnd.IntN(3) * w.rnd.IntN(10)})
	}
	ask = append(ask, feedengine.LoadUser{User: "unknown", Page: 5})
	keep := w.rnd.IntN(25)
	snap, err := w.store.Load(w.t.Context(), ask, keep)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(snap.Users) != len(ask) {
		w.t.Fatalf("%d users loaded, %d asked for", len(snap.Users), len(ask))
	}
	for i, a := range ask {
		same(w.t, fmt.Sprintf("load %+v keep %d", a, keep), w.user(a, keep), snap.Users[i])
	}
	for shard, head := range snap.Heads {
		same(w.t, fmt.Sprint("head of ", shard), w.writers[shard].head, head)
	}
}

// testLoadHeads loads the heads of logs that are long, empty, claimed again and
// trimmed.
func testLoadHeads(t *testing.T, h Harness) {
	s := h.Open(t, 6)
	want := make([]feedengine.Head, 6)
	for shard := range want {
		want[shard] = feedengine.Head{First: 1}
	}
	heads := func(when string) {
		t.Helper()
		snap, err := s.Load(t.Context(), []feedengine.LoadUser{{User: "alice"}}, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "heads "+when, want, snap.Heads)
	}
	heads("before any claim")
	for shard := range feedengine.ShardID(4) {
		w := claim(t, s, "a", shard)
		w.at(time.Now().Add(-48 * time.Hour))
		for range 300 * int(shard) {
			w.post("alice", "x")
		}
		w.commit(t)
		want[shard] = w.head
	}
	heads("after appends")
	if n := trim(t, s, time.Now()); n != 299+599+899 {
		t.Errorf("trimmed %d rows", n)
	}
	heads("after a trim")
	want[2] = claim(t, s, "b", 2).head
	if want[2].First != 601 || want[2].Epoch != 2 {
		t.Errorf("claimed again: %+v", want[2])
	}
	heads("after another claim")
}

// testLoadManyUsers loads a thousand users at once, in no order.
func testLoadManyUsers(t *testing.T, h Harness) {
	const many, authors = 1000, 20
	s := h.Open(t, 4)
	w := claim(t, s, "a", 2)
	m := newModel()
	for i := range many {
		user := fmt.Sprint("reader", i)
		w.follow(user, fmt.Sprint("author", i%authors), fmt.Sprint("author", i*7%authors), "quiet")
		if i%3 == 0 {
			w.post(fmt.Sprint("author", i%authors), fmt.Sprint("text ", i))
		}
		if i%5 == 0 {
			w.mark(user, feedengine.ListFeed, w.head.ID)
		}
	}
	for i, wr := range w.writes {
		if e := wr.Event; e != nil && len(e.Users) > 1 && e.Users[0] == e.Users[1] {
			w.writes[i].Event.Users = e.Users[1:] // whom an event names, it names once
		}
	}
	if err := s.Append(t.Context(), []feedengine.Fence{w.fence()}, m.take(w)); err != nil {
		t.Fatal(err)
	}
	ask := make([]feedengine.LoadUser, many)
	for i := range ask {
		ask[i] = feedengine.LoadUser{User: fmt.Sprint("reader", i*379%many), Page: i % 4 * 3}
	}
	ask[17] = ask[16]
	snap, err := s.Load(t.Context(), ask, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Users) != many {
		t.Fatalf("%d users", len(snap.Users))
	}
	for i, a := range ask {
		same(t, fmt.Sprintf("user %d, %+v", i, a), m.user(a, 3), snap.Users[i])
	}
}

// testPosts asks for posts that are there, were deleted, and never were.
func testPosts(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 1)
	kept, deleted := w.post("alice", "kept"), w.post("alice", "deleted")
	follow := w.follow("bob", "alice")
	w.delete("alice", deleted.ID)
	w.commit(t)
	for id, want := range map[feedengine.ID]*feedengine.Post{
		kept.ID: kept, deleted.ID: nil, follow: nil, kept.ID + 1: nil, 1: nil, feedengine.MaxID: nil,
	} {
		got, err := s.Post(t.Context(), id)
		if want == nil && !errors.Is(err, feedengine.ErrNotFound) {
			t.Errorf("post %d: %+v, %v, want ErrNotFound", id, got, err)
		}
		if want != nil && err != nil {
			t.Errorf("post %d: %v", id, err)
		}
		same(t, fmt.Sprint("post ", id), want, got)
	}
}

func (w *world) comparePosts() {
	w.t.Helper()
	for range 10 {
		p := w.posted[w.rnd.IntN(len(w.posted))]
		got, err := w.store.Post(w.t.Context(), p.ID)
		if w.posts[p.ID] == nil {
			if !errors.Is(err, feedengine.ErrNotFound) {
				w.t.Fatalf("a deleted post: %+v, %v", got, err)
			}
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, "post", p, got)
	}
}
