package storagetest

import (
	"fmt"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// walk reads a user's whole feed in pages and compares each with the model's.
func (m *model) walk(t testing.TB, w *writer, user string, limit int) {
	t.Helper()
	before, seen := feedengine.ID(0), map[feedengine.ID]bool{}
	for {
		got, err := w.store.Feed(t.Context(), user, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("feed of %s, %d posts below %d", user, limit, before), m.page(user, before, limit), got)
		for _, p := range got.Posts {
			if seen[p.ID] {
				t.Fatalf("post %d stands on two pages", p.ID)
			}
			seen[p.ID] = true
		}
		if got.Next == 0 {
			break
		}
		before = got.Next
	}
	if all := m.page(user, 0, len(m.posts)+1).Posts; len(seen) != len(all) {
		t.Fatalf("the pages held %d posts, want %d", len(seen), len(all))
	}
}

func (w *world) comparePages() {
	w.t.Helper()
	for range 4 {
		w.walk(w.t, w.writers[0], w.anyone(), []int{1, 2, 7, 100}[w.rnd.IntN(4)])
	}
	user := w.anyone()
	for range 4 {
		before := w.anyMark()
		got, err := w.store.Feed(w.t.Context(), user, before, 5)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, fmt.Sprintf("feed of %s below %d", user, before), w.page(user, before, 5), got)
	}
}

// testPageOfFewAuthors: one author has more posts than a page, the others have
// few, old, newer, deleted and no ones.
func testPageOfFewAuthors(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w, m := claim(t, s, "a", 0), newModel()
	w.follow("reader", "rare", "busy", "quiet", "gone")
	w.post("rare", "old")
	w.post("reader", "own")
	for i := range 150 {
		w.post("busy", fmt.Sprint(i))
		if i%40 == 7 {
			w.post("rare", "between")
			w.post("stranger", "not followed")
		}
		w.delete("gone", w.post("gone", "x").ID)
		if i%10 == 3 {
			w.delete("busy", w.post("busy", "x").ID)
		}
	}
	w.post("rare", "newest")
	if err := s.Append(t.Context(), []feedengine.Fence{w.fence()}, m.take(w)); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 3, 50, 100, 1000} {
		m.walk(t, w, "reader", limit)
	}
	m.walk(t, w, "nobody", 10)
	m.walk(t, w, "gone", 10)
}

// testPageOfManyAuthors: more authors than a page has posts, so that most of
// them are on none of its places.
func testPageOfManyAuthors(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w, m := claim(t, s, "a", 0), newModel()
	authors := make([]string, 120)
	for i := range authors {
		authors[i] = fmt.Sprint("author", i)
	}
	for round := range 4 {
		for i := range authors {
			if at := (i*31 + round*17) % len(authors); at%(round+1) == 0 {
				w.post(authors[at], fmt.Sprint(round))
			}
		}
	}
	w.follow("reader", authors...)
	if err := s.Append(t.Context(), []feedengine.Fence{w.fence()}, m.take(w)); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 20, 100} {
		m.walk(t, w, "reader", limit)
	}
	same(t, "page at loading", m.page("reader", 0, 20), w.loadUser(t, "reader", 20, 0).Page)
}
