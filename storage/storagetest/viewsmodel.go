package storagetest

import (
	"cmp"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// model is what a store should know, kept in the plainest way and recounted for
// every question.
type model struct {
	posts     map[feedengine.ID]*feedengine.Post  // not deleted
	follows   map[string]map[string]feedengine.ID // follower, author, since
	marks     map[string]feedengine.ID            // of the feed
	noteMarks map[string]feedengine.ID            // of notifications
	social
}

func newModel() *model {
	return &model{
		posts:     map[feedengine.ID]*feedengine.Post{},
		follows:   map[string]map[string]feedengine.ID{},
		marks:     map[string]feedengine.ID{},
		noteMarks: map[string]feedengine.ID{},
		social:    newSocial(),
	}
}

// take is the writer's take, with what it returns written to the model.
func (m *model) take(w *writer) []feedengine.Write {
	writes := w.take()
	for _, wr := range writes {
		switch mark := wr.Mark; {
		case mark == nil:
			m.apply(wr.Event)
		default:
			m.mark(mark)
		}
	}
	return writes
}

func (m *model) mark(mark *feedengine.Mark) {
	switch mark.List {
	case feedengine.ListFeed:
		m.marks[mark.User] = max(m.marks[mark.User], mark.Upto)
	case feedengine.ListNotifications:
		m.noteMarks[mark.User] = max(m.noteMarks[mark.User], mark.Upto)
	}
}

func (m *model) apply(e *feedengine.Event) {
	switch e.Kind {
	case feedengine.KindPost:
		m.posts[e.ID] = shown(e.Post)
	case feedengine.KindPostDeleted:
		delete(m.posts, e.Target)
	case feedengine.KindFollow:
		edges := m.follows[e.Actor]
		if edges == nil {
			edges = map[string]feedengine.ID{}
			m.follows[e.Actor] = edges
		}
		for _, author := range e.Users {
			if _, already := edges[author]; !already {
				edges[author] = e.ID
			}
		}
	case feedengine.KindUnfollow:
		for _, author := range e.Users {
			delete(m.follows[e.Actor], author)
		}
	}
	m.applySocial(e)
}

// user is what a load should answer.
func (m *model) user(ask feedengine.LoadUser, keep int) feedengine.LoadedUser {
	u := feedengine.LoadedUser{User: ask.User, Follows: m.edges(ask.User), Name: m.names[ask.User], Hides: m.hidesOf(ask.User)}
	u.Feed.Mark = m.marks[ask.User]
	for id, p := range m.posts {
		since, followed := m.follows[ask.User][p.Author]
		if followed && p.Author != ask.User && id > since && id > u.Feed.Mark && !m.hidden(ask.User, p.Author) {
			u.Feed.Unread = append(u.Feed.Unread, feedengine.UnreadID{ID: id, Author: p.Author})
		}
	}
	u.Feed = counted(u.Feed, keep)
	u.Notes = counted(m.noteCount(ask.User), keep)
	u.Chats, u.ChatTop = m.chats(ask.User, keep)
	if ask.Page > 0 {
		u.Page = m.page(ask.User, 0, ask.Page)
	}
	return u
}

// counted cuts a counter whose Unread are all.
func counted(c feedengine.LoadedCount, keep int) feedengine.LoadedCount {
	slices.SortFunc(c.Unread, func(a, b feedengine.UnreadID) int { return cmp.Compare(a.ID, b.ID) })
	c.Total = min(len(c.Unread), feedengine.MaxUnread)
	c.Unread = c.Unread[max(0, len(c.Unread)-keep):]
	return c
}

func (m *model) edges(user string) (edges []feedengine.Edge) {
	for author, since := range m.follows[user] {
		edges = append(edges, feedengine.Edge{Author: author, Since: since})
	}
	slices.SortFunc(edges, func(a, b feedengine.Edge) int { return cmp.Compare(a.Author, b.Author) })
	return edges
}

// page is a piece of the user's feed: their own posts and those of whom they
// follow, whether from before or after the follow.
func (m *model) page(user string, before feedengine.ID, limit int) *feedengine.Page {
	var posts []*feedengine.Post
	for id, p := range m.posts {
		_, followed := m.follows[user][p.Author]
		if (followed && !m.hidden(user, p.Author) || p.Author == user) && (before == 0 || id < before) {
			posts = append(posts, p)
		}
	}
	slices.SortFunc(posts, func(a, b *feedengine.Post) int { return cmp.Compare(b.ID, a.ID) })
	if len(posts) <= limit {
		return &feedengine.Page{Posts: posts}
	}
	return &feedengine.Page{Posts: posts[:limit], Next: posts[limit-1].ID}
}

// followers lists who follows the author, in order.
func (m *model) followers(author string) (users []string) {
	for follower, edges := range m.follows {
		if _, ok := edges[author]; ok {
			users = append(users, follower)
		}
	}
	slices.Sort(users)
	return users
}

// listed is a piece of a list of users, as Following and Followers cut it.
func listed(users []string, after string, limit int) []string {
	from, found := slices.BinarySearch(users, after)
	if found {
		from++
	}
	return users[from:min(len(users), from+limit)]
}
