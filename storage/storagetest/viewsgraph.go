package storagetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// compareGraph asks who follows whom, of random users.
func (w *world) compareGraph() {
	w.t.Helper()
	ctx := w.t.Context()
	for range 4 {
		user, after, limit := w.anyone(), w.anyone(), 1+w.rnd.IntN(6)
		if w.rnd.IntN(3) == 0 {
			after = ""
		}
		var all []string
		for _, e := range w.edges(user) {
			all = append(all, e.Author)
		}
		got, err := w.store.Following(ctx, user, after, limit)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, fmt.Sprintf("%d whom %s follows after %q", limit, user, after), listed(all, after, limit), got)
		if got, err = w.store.Followers(ctx, user, after, limit); err != nil {
			w.t.Fatal(err)
		}
		same(w.t, fmt.Sprintf("%d who follow %s after %q", limit, user, after), listed(w.followers(user), after, limit), got)

		asked := []string{"unknown"}
		for _, i := range w.rnd.Perm(len(w.users))[:w.rnd.IntN(8)] {
			asked = append(asked, w.users[i])
		}
		edges, total, err := w.store.Followed(ctx, user, asked)
		if err != nil {
			w.t.Fatal(err)
		}
		want := slices.DeleteFunc(w.edges(user), func(e feedengine.Edge) bool { return !slices.Contains(asked, e.Author) })
		same(w.t, fmt.Sprintf("whom of %q %s follows", asked, user), want, edges)
		if total != len(all) {
			w.t.Fatalf("%s follows %d in all, want %d", user, total, len(all))
		}
	}
}

// testLists pages through both lists of a graph whose names sort by bytes only.
func testLists(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 2)
	names := []string{"b", "B", "a.b", "a-b", "a:b", "a_b", "ab", "a", "A", "@", "0", "10", "9", "Zz", "zZ"}
	w.follow("hub", names...)
	for _, n := range names {
		w.follow(n, "hub", "other")
	}
	w.unfollow("hub", "9")
	w.unfollow("a_b", "hub")
	w.commit(t)

	following := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "9" })))
	followers := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "a_b" })))
	for _, limit := range []int{1, 4, 100} {
		for _, list := range []struct {
			what string
			want []string
			page func(after string) ([]string, error)
		}{
			{"following", following, func(after string) ([]string, error) { return s.Following(t.Context(), "hub", after, limit) }},
			{"followers", followers, func(after string) ([]string, error) { return s.Followers(t.Context(), "hub", after, limit) }},
		} {
			var got []string
			for after := ""; ; {
				page, err := list.page(after)
				if err != nil || len(page) > limit {
					t.Fatalf("%s by %d: %q, %v", list.what, limit, page, err)
				}
				if len(page) == 0 || len(got) > len(names) {
					break // at the end, or in a circle
				}
				got = append(got, page...)
				after = page[len(page)-1]
			}
			same(t, fmt.Sprintf("%s by %d", list.what, limit), list.want, got)
		}
	}
	if got, err := s.Followers(t.Context(), "nobody", "", 10); err != nil || len(got) != 0 {
		t.Errorf("followers of nobody: %q, %v", got, err)
	}
}

// testFollowed asks of a user with many edges, one with none, about a thousand
// at once and about nobody.
func testFollowed(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 2)
	var authors []string
	for i := range 1000 {
		authors = append(authors, fmt.Sprintf("author%04d", i))
	}
	since := w.follow("reader", authors[:600]...)
	later := w.follow("reader", authors[600:700]...)
	w.commit(t)

	edges, total, err := s.Followed(t.Context(), "reader", authors)
	if err != nil || total != 700 {
		t.Fatalf("total %d, %v", total, err)
	}
	var want []feedengine.Edge
	for i, a := range authors[:700] {
		e := feedengine.Edge{Author: a, Since: since}
		if i >= 600 {
			e.Since = later
		}
		want = append(want, e)
	}
	same(t, "edges", want, edges)
	for user, want := range map[string]int{"reader": 700, "nobody": 0} {
		edges, total, err := s.Followed(t.Context(), user, nil)
		if err != nil || len(edges) != 0 || total != want {
			t.Errorf("%s and nobody: %v, %d, %v", user, edges, total, err)
		}
	}
}
