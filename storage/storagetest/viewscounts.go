package storagetest

import (
	"fmt"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// loadUser loads one user's facts, with a page.
func (w *writer) loadUser(t testing.TB, user string, page, keep int) feedengine.LoadedUser {
	t.Helper()
	snap, err := w.store.Load(t.Context(), []feedengine.LoadUser{{User: user, Page: page}}, keep)
	if err != nil {
		t.Fatal(err)
	}
	return snap.Users[0]
}

// testCountsStop counts up to, at and beyond the number where counting stops.
func testCountsStop(t *testing.T, h Harness) {
	const authors, posts, keep = 3, feedengine.MaxUnread + 200, 20
	s := h.Open(t, 4)
	w := claim(t, s, "a", 3)
	w.follow("reader", "author0", "author1", "author2", "quiet")
	var ids []feedengine.UnreadID
	for i := range posts {
		author := fmt.Sprint("author", i%authors)
		ids = append(ids, feedengine.UnreadID{ID: w.post(author, "x").ID, Author: author})
		if len(w.writes) == 1000 {
			w.commit(t)
		}
	}
	// author0 has written most of the newest ones.
	for range keep / 2 {
		ids = append(ids, feedengine.UnreadID{ID: w.post("author0", "x").ID, Author: "author0"})
	}
	w.commit(t)

	for _, unread := range []int{len(ids), feedengine.MaxUnread + 1, feedengine.MaxUnread, feedengine.MaxUnread - 1, keep + 1, keep, keep - 1, 1, 0} {
		if read := len(ids) - unread; read > 0 {
			w.mark("reader", feedengine.ListFeed, ids[read-1].ID)
			w.commit(t)
		}
		feed := w.loadUser(t, "reader", 0, keep).Feed
		if want := min(unread, feedengine.MaxUnread); feed.Total != want {
			t.Errorf("%d unread: the count is %d, want %d", unread, feed.Total, want)
		}
		same(t, fmt.Sprintf("the newest of %d unread", unread), ids[len(ids)-min(unread, keep):], feed.Unread)
	}
}

// testMarkAboveAll marks what is not there yet as read.
func testMarkAboveAll(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 4), "a", 1)
	w.follow("reader", "author")
	p := w.post("author", "x")
	for _, mark := range []feedengine.ID{p.ID, p.ID + 1<<50, feedengine.MaxID} {
		w.mark("reader", feedengine.ListFeed, mark)
		w.commit(t)
		got := w.loadUser(t, "reader", 5, 5)
		same(t, fmt.Sprint("mark ", mark), feedengine.LoadedCount{Mark: mark}, got.Feed)
		if len(got.Page.Posts) != 1 {
			t.Errorf("mark %d: %d posts on the page, want 1: what is read stays in the feed", mark, len(got.Page.Posts))
		}
		if mark == p.ID {
			w.post("author", "deleted soon")
			w.delete("author", w.head.ID)
			w.commit(t)
		}
	}
}

// testFollowCountsLater follows after some posts, twice, and anew.
func testFollowCountsLater(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 4), "a", 1)
	counts := func(when string, page int, posts ...*feedengine.Post) {
		t.Helper()
		w.commit(t)
		var want []feedengine.UnreadID
		for _, p := range posts {
			want = append(want, feedengine.UnreadID{ID: p.ID, Author: p.Author})
		}
		got := w.loadUser(t, "reader", 10, 10)
		same(t, when, want, got.Feed.Unread)
		if got.Feed.Total != len(posts) {
			t.Errorf("%s: the count is %d, want %d", when, got.Feed.Total, len(posts))
		}
		if len(got.Page.Posts) != page {
			t.Errorf("%s: %d posts on the page, want %d", when, len(got.Page.Posts), page)
		}
	}
	w.post("author", "before")
	w.follow("reader", "author")
	counts("after the follow", 1)
	one := w.post("author", "one")
	counts("after a post", 2, one)
	w.follow("reader", "author")
	counts("followed again", 2, one)
	w.unfollow("reader", "author")
	counts("unfollowed", 0)
	w.post("author", "meanwhile")
	w.follow("reader", "author")
	counts("followed anew", 3)
	two := w.post("author", "two")
	counts("after another post", 4, two)
	w.delete("author", two.ID)
	counts("after it was deleted", 3)
}

// testOwnPosts: own posts stand in the feed and never count, even for who
// follows themself.
func testOwnPosts(t *testing.T, h Harness) {
	w := claim(t, h.Open(t, 4), "a", 1)
	for _, user := range []string{"alone", "narcissus"} {
		if user == "narcissus" {
			w.follow(user, user)
		}
		var want []*feedengine.Post
		for i := range 3 {
			want = append([]*feedengine.Post{w.post(user, fmt.Sprint(i))}, want...)
		}
		w.commit(t)
		got := w.loadUser(t, user, 10, 10)
		same(t, user+"'s counts", feedengine.LoadedCount{}, got.Feed)
		same(t, user+"'s page", &feedengine.Page{Posts: want}, got.Page)
	}
}
