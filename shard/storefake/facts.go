package storefake

import (
	"cmp"
	"slices"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// facts are what logs say, up to some heads, and the read marks. In which order
// the logs were applied makes no difference.
type facts struct {
	follows map[string]map[string]feedengine.ID // follower, author, since
	posts   map[string][]*feedengine.Post       // by author, ascending, not deleted
	byID    map[feedengine.ID]*feedengine.Post
	deleted map[feedengine.ID]bool
	marks   map[markName]feedengine.ID

	hides    map[string]map[feedengine.Hide]bool
	likes    map[feedengine.ID]map[string]like       // post, user
	comments map[feedengine.ID][]*feedengine.Comment // by post, ascending
	notes    map[string]map[feedengine.ID]note       // user
	talks    map[feedengine.ID]*talk
	talkOf   map[string]feedengine.ID // by key
	seen     map[seenBy]seen
	profiles map[string]feedengine.Profile
}

func newFacts() *facts {
	return &facts{
		follows: map[string]map[string]feedengine.ID{},
		posts:   map[string][]*feedengine.Post{},
		byID:    map[feedengine.ID]*feedengine.Post{},
		deleted: map[feedengine.ID]bool{},
		marks:   map[markName]feedengine.ID{},

		hides:    map[string]map[feedengine.Hide]bool{},
		likes:    map[feedengine.ID]map[string]like{},
		comments: map[feedengine.ID][]*feedengine.Comment{},
		notes:    map[string]map[feedengine.ID]note{},
		talks:    map[feedengine.ID]*talk{},
		talkOf:   map[string]feedengine.ID{},
		seen:     map[seenBy]seen{},
		profiles: map[string]feedengine.Profile{},
	}
}

func byID(p *feedengine.Post, id feedengine.ID) int { return cmp.Compare(p.ID, id) }

func (f *facts) apply(e *feedengine.Event) {
	switch e.Kind {
	case feedengine.KindPost:
		f.applyPost(e)
	case feedengine.KindPostEdited:
		f.change(e.Post.ID, func(p *feedengine.Post) { p.Text, p.More = e.Post.Text, told(e.Post.More) })
	case feedengine.KindPostDeleted:
		f.deleted[e.Target] = true
		if p := f.byID[e.Target]; p != nil {
			delete(f.byID, e.Target)
			f.posts[p.Author] = slices.DeleteFunc(f.posts[p.Author], func(q *feedengine.Post) bool { return q == p })
		}
		f.dropNotes(e.Target)
	case feedengine.KindLike, feedengine.KindUnlike:
		f.applyLike(e, e.Fact.(*feedengine.Like))
	case feedengine.KindComment:
		f.applyComment(e, e.Fact.(*feedengine.Comment))
	case feedengine.KindMessage:
		f.applyMessage(e, e.Fact.(*feedengine.Message))
	case feedengine.KindSeen:
		f.applySeen(e.Actor, e.Fact.(*feedengine.Seen))
	case feedengine.KindFollow:
		f.applyFollow(e)
	case feedengine.KindUnfollow:
		since := feedengine.Following{}
		if fact, ok := e.Fact.(*feedengine.Following); ok {
			since = *fact
		}
		for i, author := range e.Users {
			delete(f.follows[e.Actor], author)
			if i < len(since.Since) {
				delete(f.notes[author], since.Since[i])
			}
		}
	case feedengine.KindBlock, feedengine.KindUnblock, feedengine.KindMute, feedengine.KindUnmute:
		f.applyHide(e)
	case feedengine.KindProfile:
		p := *e.Fact.(*feedengine.Profile)
		p.User = e.Actor
		f.profiles[e.Actor] = p
	}
}

func (f *facts) applyPost(e *feedengine.Event) {
	if f.deleted[e.ID] {
		return
	}
	post := *e.Post
	post.More = told(post.More)
	at, _ := slices.BinarySearchFunc(f.posts[post.Author], e.ID, byID)
	f.posts[post.Author] = slices.Insert(f.posts[post.Author], at, &post)
	f.byID[e.ID] = &post
	for _, u := range e.Users {
		f.note(u, e.ID, note{kind: feedengine.NoteMention, actor: e.Actor, post: e.ID})
	}
	if e.Post.More != nil {
		for _, u := range e.Post.More.Alerts {
			f.note(u, e.ID, note{kind: feedengine.NoteJob, actor: e.Actor, post: e.ID})
		}
	}
}

// told is a post's More without whom it alerted, which only the log keeps.
func told(more *feedengine.More) *feedengine.More {
	if more == nil || more.Alerts == nil {
		return more
	}
	m := *more
	m.Alerts = nil
	return &m
}

// change replaces a post that there is by a changed copy.
func (f *facts) change(id feedengine.ID, how func(*feedengine.Post)) {
	old := f.byID[id]
	if old == nil {
		return
	}
	p := *old
	how(&p)
	f.byID[id] = &p
	all := f.posts[p.Author]
	at, _ := slices.BinarySearchFunc(all, id, byID)
	all[at] = &p
}

func (f *facts) applyFollow(e *feedengine.Event) {
	edges := f.follows[e.Actor]
	if edges == nil {
		edges = map[string]feedengine.ID{}
		f.follows[e.Actor] = edges
	}
	fact, _ := e.Fact.(*feedengine.Following)
	for _, author := range e.Users {
		if _, ok := edges[author]; ok {
			continue
		}
		edges[author] = e.ID
		if fact != nil && fact.Notify {
			f.note(author, e.ID, note{kind: feedengine.NoteFollow, actor: e.Actor})
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
		if author == user || f.hidden(user, author, anyHide) {
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
		if author != user && !f.hidden(user, author, anyHide) {
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
	u.Name = f.profiles[ask.User].Name
	u.Hides = f.hidesOf(ask.User)
	f.loadNotes(&u, keep)
	f.loadTalks(&u, keep)
	return u
}
