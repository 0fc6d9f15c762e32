package storefake

import (
	"cmp"
	"slices"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// facts are what logs say, up to some heads, and the read marks.
type facts struct {
	follows map[string]map[string]feedengine.ID // follower, author, since
	posts   map[string][]*feedengine.Post       // by author, ascending, not deleted
	byID    map[feedengine.ID]*feedengine.Post
	deleted map[feedengine.ID]bool
	marks   map[markName]feedengine.ID
}

func newFacts() *facts {
	return &facts{
		follows: map[string]map[string]feedengine.ID{},
		posts:   map[string][]*feedengine.Post{},
		byID:    map[feedengine.ID]*feedengine.Post{},
		deleted: map[feedengine.ID]bool{},
		marks:   map[markName]feedengine.ID{},
	}
}

func byID(p *feedengine.Post, id feedengine.ID) int { return cmp.Compare(p.ID, id) }

func (f *facts) apply(e *feedengine.Event) {
	switch e.Kind {
	case feedengine.KindPost:
		if f.deleted[e.ID] {
			return
		}
		at, _ := slices.BinarySearchFunc(f.posts[e.Post.Author], e.ID, byID)
		f.posts[e.Post.Author] = slices.Insert(f.posts[e.Post.Author], at, e.Post)
		f.byID[e.ID] = e.Post
	case feedengine.KindPostDeleted:
		f.deleted[e.Target] = true
		if p := f.byID[e.Target]; p != nil {
			delete(f.byID, e.Target)
			f.posts[p.Author] = slices.DeleteFunc(f.posts[p.Author], func(q *feedengine.Post) bool { return q == p })
		}
	case feedengine.KindFollow:
		edges := f.follows[e.Actor]
		if edges == nil {
			edges = map[string]feedengine.ID{}
			f.follows[e.Actor] = edges
		}
		for _, author := range e.Users {
			if _, ok := edges[author]; !ok {
				edges[author] = e.ID
			}
		}
	case feedengine.KindUnfollow:
		for _, author := range e.Users {
			delete(f.follows[e.Actor], author)
		}
	}
}

// edges are whom the user follows, in order of author.
func (f *facts) edges(user string) (edges []feedengine.Edge) {
	for author, since := range f.follows[user] {
		edges = append(edges, feedengine.Edge{Author: author, Since: since})
	}
	slices.SortFunc(edges, func(a, b feedengine.Edge) int { return strings.Compare(a.Author, b.Author) })
	return edges
}

// unread are the ids that count for the user, ascending.
func (f *facts) unread(user string) (ids []feedengine.UnreadID) {
	mark := f.marks[markName{user, feedengine.ListFeed}]
	for author, since := range f.follows[user] {
		if author == user {
			continue
		}
		posts := f.posts[author]
		above := max(mark, since)
		if above == feedengine.MaxID {
			continue
		}
		from, _ := slices.BinarySearchFunc(posts, above+1, byID)
		for _, p := range posts[from:] {
			ids = append(ids, feedengine.UnreadID{ID: p.ID, Author: author})
		}
	}
	slices.SortFunc(ids, func(a, b feedengine.UnreadID) int { return cmp.Compare(a.ID, b.ID) })
	return ids
}

// page is a piece of the user's feed below an id, 0: the newest.
func (f *facts) page(user string, before feedengine.ID, limit int) *feedengine.Page {
	var posts []*feedengine.Post
	take := func(author string) {
		all := f.posts[author]
		if before != 0 {
			upto, _ := slices.BinarySearchFunc(all, before, byID)
			all = all[:upto]
		}
		posts = append(posts, all[max(0, len(all)-limit-1):]...)
	}
	take(user)
	for author := range f.follows[user] {
		if author != user {
			take(author)
		}
	}
	slices.SortFunc(posts, func(a, b *feedengine.Post) int { return cmp.Compare(b.ID, a.ID) })
	if len(posts) <= limit {
		return &feedengine.Page{Posts: posts}
	}
	return &feedengine.Page{Posts: posts[:limit:limit], Next: posts[limit-1].ID}
}

func (f *facts) user(ask feedengine.LoadUser, keep int) feedengine.LoadedUser {
	u := feedengine.LoadedUser{User: ask.User, Follows: f.edges(ask.User)}
	u.Feed.Mark = f.marks[markName{ask.User, feedengine.ListFeed}]
	ids := f.unread(ask.User)
	u.Feed.Total = min(len(ids), feedengine.MaxUnread)
	u.Feed.Unread = ids[max(0, len(ids)-keep):]
	if ask.Page > 0 {
		u.Page = f.page(ask.User, 0, ask.Page)
	}
	return u
}
