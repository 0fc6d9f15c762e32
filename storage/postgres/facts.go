package postgres

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// facts are an append's rows of the tables that views, pages and decisions are
// read from, as rows are.
type facts struct {
	posts    []*feedengine.Post
	mores    []string // of posts
	changed  map[feedengine.ID]*postChange
	jobs     map[feedengine.ID]*feedengine.Post // nil: no longer there
	edges    map[edge]*change
	likes    map[likeKey]*likeChange
	comments []*feedengine.Event
	notes    map[noteKey]*note // nil: withdrawn
	hides    map[hideKey]bool  // false: ended

	opened   map[feedengine.ID]*feedengine.Event // by conversation: its first message
	last     map[feedengine.ID]feedengine.ID     // by conversation: its newest message
	messages []*feedengine.Event
	attached []string // of messages
	seen     map[memberKey]*seen

	profiles []*feedengine.Event // one for each user, in the order of the changes
}

// edge is a row of follows.
type edge struct{ follower, author string }

// change is what becomes of an edge: deleted first, then, when since is not 0,
// inserted unless it is there.
type change struct {
	deleted bool
	since   feedengine.ID
}

// postChange is what becomes of a post that is there.
type postChange struct {
	edited   *feedengine.Post // whose text and more are the post's now; nil: they stay
	more     string           // of edited
	likes    int              // -1: stay
	comments int              // so many more
	deleted  bool
}

type likeKey struct {
	post feedengine.ID
	user string
}

// likeChange is what becomes of a like: deleted first, then, when id is not 0,
// inserted unless it is there.
type likeChange struct {
	deleted  bool
	id, note feedengine.ID
}

type noteKey struct {
	user string
	id   feedengine.ID
}

type note struct {
	kind          feedengine.NoteKind
	actor         string
	post, comment feedengine.ID
}

type hideKey struct {
	user, other string
	kind        feedengine.HideKind
}

type memberKey struct {
	conversation feedengine.ID
	user         string
}

// seen is how far a member has got and read a conversation at least.
type seen struct{ got, read feedengine.ID }

func newFacts() facts {
	return facts{
		changed: map[feedengine.ID]*postChange{}, jobs: map[feedengine.ID]*feedengine.Post{},
		edges: map[edge]*change{}, likes: map[likeKey]*likeChange{}, notes: map[noteKey]*note{},
		hides: map[hideKey]bool{}, opened: map[feedengine.ID]*feedengine.Event{},
		last: map[feedengine.ID]feedengine.ID{}, seen: map[memberKey]*seen{},
	}
}

// add adds what e means for the tables. See the kinds in feedengine.
func (f *facts) add(e *feedengine.Event) error {
	switch e.Kind {
	case feedengine.KindPost:
		return f.post(e)
	case feedengine.KindPostEdited:
		return f.postEdited(e)
	case feedengine.KindPostDeleted:
		f.postChange(e.Target).deleted = true
		f.jobs[e.Target] = nil
		return nil
	case feedengine.KindBlock, feedengine.KindUnblock:
		for _, other := range e.Users {
			f.hides[hideKey{e.Actor, other, feedengine.HideBlock}] = e.Kind == feedengine.KindBlock
			f.hides[hideKey{other, e.Actor, feedengine.HideBlockedBy}] = e.Kind == feedengine.KindBlock
		}
		return nil
	case feedengine.KindMute, feedengine.KindUnmute:
		for _, other := range e.Users {
			f.hides[hideKey{e.Actor, other, feedengine.HideMute}] = e.Kind == feedengine.KindMute
		}
		return nil
	case feedengine.KindFollow, feedengine.KindUnfollow:
		more, _ := e.Fact.(*feedengine.Following)
		if more == nil {
			more = &feedengine.Following{}
		}
		return f.following(e, more)
	}
	switch of := e.Fact.(type) {
	case *feedengine.Like:
		f.like(e, of)
	case *feedengine.Comment:
		f.comment(e, of)
	case *feedengine.Message:
		return f.message(e, of)
	case *feedengine.Seen:
		f.saw(e, of)
	case *feedengine.Profile:
		f.profiles = slices.DeleteFunc(f.profiles, func(p *feedengine.Event) bool { return p.Actor == e.Actor })
		f.profiles = append(f.profiles, e)
	default:
		return fmt.Errorf("%w: event %d of kind %d without its fact", feedengine.ErrRefused, e.ID, e.Kind)
	}
	return nil
}

func (f *facts) post(e *feedengine.Event) error {
	more, err := moreText(e.Post)
	if err != nil {
		return err
	}
	f.posts, f.mores = append(f.posts, e.Post), append(f.mores, more)
	for _, user := range e.Users {
		f.notify(user, e.ID, note{kind: feedengine.NoteMention, actor: e.Actor, post: e.Post.ID})
	}
	if e.Post.More == nil {
		return nil
	}
	if onBoard(e.Post) {
		f.jobs[e.Post.ID] = e.Post
	}
	for _, user := range e.Post.More.Alerts {
		f.notify(user, e.ID, note{kind: feedengine.NoteJob, actor: e.Actor, post: e.Post.ID})
	}
	return nil
}

func (f *facts) postEdited(e *feedengine.Event) error {
	more, err := moreText(e.Post)
	if err != nil {
		return err
	}
	c := f.postChange(e.Post.ID)
	c.edited, c.more = e.Post, more
	switch {
	case c.deleted:
	case onBoard(e.Post):
		f.jobs[e.Post.ID] = e.Post
	case e.Post.Kind == feedengine.KindOfJob:
		f.jobs[e.Post.ID] = nil
	}
	return nil
}

// onBoard reports whether the post stands on the jobs board.
func onBoard(p *feedengine.Post) bool {
	return p.Kind == feedengine.KindOfJob && !p.Followers() && p.More != nil && p.More.Job != nil
}

func (f *facts) following(e *feedengine.Event, more *feedengine.Following) error {
	if e.Kind == feedengine.KindFollow {
		for _, author := range e.Users {
			if c := f.edge(e.Actor, author); c.since == 0 {
				c.since = e.ID
			}
			if more.Notify {
				f.notify(author, e.ID, note{kind: feedengine.NoteFollow, actor: e.Actor})
			}
		}
		return nil
	}
	if len(more.Since) > 0 && len(more.Since) != len(e.Users) {
		return fmt.Errorf("%w: event %d ends %d follows of %d users", feedengine.ErrRefused, e.ID, len(more.Since), len(e.Users))
	}
	for i, author := range e.Users {
		*f.edge(e.Actor, author) = change{deleted: true}
		if len(more.Since) > 0 {
			f.notes[noteKey{author, more.Since[i]}] = nil
		}
	}
	return nil
}

func (f *facts) like(e *feedengine.Event, of *feedengine.Like) {
	f.postChange(of.Post).likes = of.Likes
	k := likeKey{of.Post, e.Actor}
	if f.likes[k] == nil {
		f.likes[k] = &likeChange{}
	}
	c := f.likes[k]
	if e.Kind == feedengine.KindUnlike {
		*c = likeChange{deleted: true}
		if of.Edge && of.Note != 0 {
			f.notes[noteKey{of.Owner, of.Note}] = nil
		}
		return
	}
	if c.id == 0 {
		c.id, c.note = e.ID, of.Note
	}
	if of.Edge && of.Note != 0 {
		f.notify(of.Owner, of.Note, note{kind: feedengine.NoteLike, actor: e.Actor, post: of.Post})
	}
}

func (f *facts) comment(e *feedengine.Event, of *feedengine.Comment) {
	f.postChange(of.Post).comments++
	f.comments = append(f.comments, e)
	if of.Owner != e.Actor {
		f.notify(of.Owner, e.ID, note{kind: feedengine.NoteComment, actor: e.Actor, post: of.Post, comment: e.ID})
	}
	for _, user := range e.Users {
		if user != of.Owner {
			f.notify(user, e.ID, note{kind: feedengine.NoteMention, actor: e.Actor, post: of.Post, comment: e.ID})
		}
	}
}

func (f *facts) message(e *feedengine.Event, of *feedengine.Message) error {
	more, err := attachedText(of)
	if err != nil {
		return err
	}
	f.messages, f.attached = append(f.messages, e), append(f.attached, more)
	f.last[of.Conversation] = max(f.last[of.Conversation], e.ID)
	if of.Opens {
		f.opened[of.Conversation] = e
	}
	return nil
}

func (f *facts) saw(e *feedengine.Event, of *feedengine.Seen) {
	k := memberKey{of.Conversation, e.Actor}
	if f.seen[k] == nil {
		f.seen[k] = &seen{}
	}
	s := f.seen[k]
	s.got = max(s.got, of.Upto)
	if of.Read {
		s.read = max(s.read, of.Upto)
	}
}

// notify adds a notification, unless the user has one by that event.
func (f *facts) notify(user string, id feedengine.ID, n note) {
	k := noteKey{user, id}
	if _, already := f.notes[k]; !already {
		f.notes[k] = &n
	}
}

func (f *facts) postChange(id feedengine.ID) *postChange {
	if f.changed[id] == nil {
		f.changed[id] = &postChange{likes: -1}
	}
	return f.changed[id]
}

func (f *facts) edge(follower, author string) *change {
	e := edge{follower, author}
	if f.edges[e] == nil {
		f.edges[e] = &change{}
	}
	return f.edges[e]
}

// queue queues the statements that have rows.
func (f *facts) queue(b *pgx.Batch) {
	f.queuePosts(b)
	f.queueEdges(b)
	f.queueLikes(b)
	f.queueNotes(b)
	f.queueHides(b)
	f.queueTalk(b)
	f.queueProfiles(b)
	f.queueJobs(b)
}

func (f *facts) queuePosts(b *pgx.Batch) {
	if ps := f.posts; len(ps) > 0 {
		b.Queue(q.InsertPosts,
			column(ps, func(p *feedengine.Post) int64 { return int64(p.ID) }),
			column(ps, func(p *feedengine.Post) string { return p.Author }),
			column(ps, func(p *feedengine.Post) string { return p.Kind }),
			column(ps, func(p *feedengine.Post) string { return p.Text }),
			column(ps, func(p *feedengine.Post) int32 { return int32(p.Likes) }),
			column(ps, func(p *feedengine.Post) int32 { return int32(p.Comments) }),
			column(ps, (*feedengine.Post).Followers),
			f.mores)
	}
	if len(f.changed) > 0 {
		ids := slices.Sorted(maps.Keys(f.changed))
		of := func(id feedengine.ID) *postChange { return f.changed[id] }
		b.Queue(q.ChangePosts,
			column(ids, func(id feedengine.ID) int64 { return int64(id) }),
			column(ids, func(id feedengine.ID) bool { return of(id).edited != nil }),
			column(ids, func(id feedengine.ID) string {
				if p := of(id).edited; p != nil {
					return p.Text
				}
				return ""
			}),
			column(ids, func(id feedengine.ID) bool { return of(id).edited != nil && of(id).edited.Followers() }),
			column(ids, func(id feedengine.ID) string { return of(id).more }),
			column(ids, func(id feedengine.ID) int32 { return int32(of(id).likes) }),
			column(ids, func(id feedengine.ID) int32 { return int32(of(id).comments) }),
			column(ids, func(id feedengine.ID) bool { return of(id).deleted }))
	}
	if cs := f.comments; len(cs) > 0 {
		b.Queue(q.InsertComments,
			column(cs, func(e *feedengine.Event) int64 { return int64(e.ID) }),
			column(cs, func(e *feedengine.Event) int64 { return int64(e.Fact.(*feedengine.Comment).Post) }),
			column(cs, func(e *feedengine.Event) string { return e.Actor }),
			column(cs, func(e *feedengine.Event) string { return e.Fact.(*feedengine.Comment).Text }))
	}
}

func (f *facts) queueEdges(b *pgx.Batch) {
	gone := sorted(f.edges, edge.compare, func(c *change) bool { return c.deleted })
	made := sorted(f.edges, edge.compare, func(c *change) bool { return c.since != 0 })
	follower := func(e edge) string { return e.follower }
	author := func(e edge) string { return e.author }
	if len(gone) > 0 {
		b.Queue(q.Unfollow, column(gone, follower), column(gone, author))
	}
	if len(made) > 0 {
		b.Queue(q.Follow, column(made, follower), column(made, author),
			column(made, func(e edge) int64 { return int64(f.edges[e].since) }))
	}
}

func (f *facts) queueLikes(b *pgx.Batch) {
	gone := sorted(f.likes, likeKey.compare, func(c *likeChange) bool { return c.deleted })
	made := sorted(f.likes, likeKey.compare, func(c *likeChange) bool { return c.id != 0 })
	post := func(k likeKey) int64 { return int64(k.post) }
	user := func(k likeKey) string { return k.user }
	if len(gone) > 0 {
		b.Queue(q.Unlike, column(gone, post), column(gone, user))
	}
	if len(made) > 0 {
		b.Queue(q.Like, column(made, post), column(made, user),
			column(made, func(k likeKey) int64 { return int64(f.likes[k].id) }),
			column(made, func(k likeKey) int64 { return int64(f.likes[k].note) }))
	}
}

// queueNotes inserts before it deletes: a notification that was withdrawn does not
// come again, and one of a post that is deleted may be new.
func (f *facts) queueNotes(b *pgx.Batch) {
	user := func(k noteKey) string { return k.user }
	id := func(k noteKey) int64 { return int64(k.id) }
	if made := sorted(f.notes, noteKey.compare, func(n *note) bool { return n != nil }); len(made) > 0 {
		b.Queue(q.InsertNotes, column(made, user), column(made, id),
			column(made, func(k noteKey) string { return string(f.notes[k].kind) }),
			column(made, func(k noteKey) string { return f.notes[k].actor }),
			column(made, func(k noteKey) int64 { return int64(f.notes[k].post) }),
			column(made, func(k noteKey) int64 { return int64(f.notes[k].comment) }))
	}
	if gone := sorted(f.notes, noteKey.compare, func(n *note) bool { return n == nil }); len(gone) > 0 {
		b.Queue(q.DeleteNotes, column(gone, user), column(gone, id))
	}
	if deleted := sorted(f.changed, compareIDs, func(c *postChange) bool { return c.deleted }); len(deleted) > 0 {
		b.Queue(q.DeletePostNotes, column(deleted, func(id feedengine.ID) int64 { return int64(id) }))
	}
}

func (f *facts) queueHides(b *pgx.Batch) {
	for _, stands := range []bool{false, true} {
		ks := sorted(f.hides, hideKey.compare, func(s bool) bool { return s == stands })
		if len(ks) == 0 {
			continue
		}
		text := q.Show
		if stands {
			text = q.Hide
		}
		b.Queue(text,
			column(ks, func(k hideKey) string { return k.user }),
			column(ks, func(k hideKey) string { return k.other }),
			column(ks, func(k hideKey) int16 { return int16(k.kind) }))
	}
}

// queueTalk queues what becomes of conversations.
func (f *facts) queueTalk(b *pgx.Batch) {
	message := func(e *feedengine.Event) *feedengine.Message { return e.Fact.(*feedengine.Message) }
	last := func(id feedengine.ID) int64 { return int64(f.last[id]) }
	number := func(id feedengine.ID) int64 { return int64(id) }
	if len(f.opened) > 0 {
		ids := slices.Sorted(maps.Keys(f.opened))
		b.Queue(q.OpenConversations, column(ids, number),
			column(ids, func(id feedengine.ID) []byte {
				e := f.opened[id]
				return conversationKey(feedengine.ConversationMembers(e.Actor, e.Users))
			}),
			column(ids, last))
		var of []int64
		var users []string
		for _, id := range ids {
			for _, user := range feedengine.ConversationMembers(f.opened[id].Actor, f.opened[id].Users) {
				of, users = append(of, int64(id)), append(users, user)
			}
		}
		b.Queue(q.InsertMembers, of, users)
	}
	if ms := f.messages; len(ms) > 0 {
		b.Queue(q.InsertMessages,
			column(ms, func(e *feedengine.Event) int64 { return int64(e.ID) }),
			column(ms, func(e *feedengine.Event) int64 { return int64(message(e).Conversation) }),
			column(ms, func(e *feedengine.Event) string { return e.Actor }),
			column(ms, func(e *feedengine.Event) string { return message(e).Text }),
			column(ms, func(e *feedengine.Event) int64 { return int64(message(e).Reply) }),
			f.attached)
		old := slices.DeleteFunc(slices.Sorted(maps.Keys(f.last)), func(id feedengine.ID) bool { return f.opened[id] != nil })
		if len(old) > 0 {
			b.Queue(q.TouchConversations, column(old, number), column(old, last))
		}
	}
	if len(f.seen) > 0 {
		ks := sorted(f.seen, memberKey.compare, func(*seen) bool { return true })
		b.Queue(q.MergeSeen,
			column(ks, func(k memberKey) int64 { return int64(k.conversation) }),
			column(ks, func(k memberKey) string { return k.user }),
			column(ks, func(k memberKey) int64 { return int64(f.seen[k].got) }),
			column(ks, func(k memberKey) int64 { return int64(f.seen[k].read) }))
	}
}

// conversationKey is the key of the conversation of the members.
func conversationKey(members []string) []byte {
	sum := sha256.Sum256([]byte(feedengine.ConversationKey(members)))
	return sum[:]
}

// queueProfiles keeps the order of the changes, so that one may take what another
// gave up. What two appends take crosswise they would wait for each other for: so
// they change profiles one after the other.
func (f *facts) queueProfiles(b *pgx.Batch) {
	ps := f.profiles
	if len(ps) == 0 {
		return
	}
	of := func(field func(*feedengine.Profile) string) []string {
		return column(ps, func(e *feedengine.Event) string { return field(e.Fact.(*feedengine.Profile)) })
	}
	b.Queue(q.LockProfiles)
	b.Queue(q.PutProfiles,
		column(ps, func(e *feedengine.Event) string { return e.Actor }),
		of(func(p *feedengine.Profile) string { return p.Handle }),
		of(func(p *feedengine.Profile) string { return p.Name }),
		of(func(p *feedengine.Profile) string { return p.Avatar }),
		of(func(p *feedengine.Profile) string { return p.Email }),
		of(func(p *feedengine.Profile) string { return p.Phone }),
		of(func(p *feedengine.Profile) string { return p.Subject }))
}

// sorted are those keys of m whose value is wanted, in order.
func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int, wanted func(V) bool) []K {
	var keys []K
	for k, v := range m {
		if wanted(v) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compare)
	return keys
}

func compareIDs(a, b feedengine.ID) int { return cmp.Compare(a, b) }

func (e edge) compare(to edge) int {
	return cmp.Or(strings.Compare(e.follower, to.follower), strings.Compare(e.author, to.author))
}

func (k likeKey) compare(to likeKey) int {
	return cmp.Or(cmp.Compare(k.post, to.post), strings.Compare(k.user, to.user))
}

func (k noteKey) compare(to noteKey) int {
	return cmp.Or(strings.Compare(k.user, to.user), cmp.Compare(k.id, to.id))
}

func (k hideKey) compare(to hideKey) int {
	return cmp.Or(strings.Compare(k.user, to.user), strings.Compare(k.other, to.other), cmp.Compare(k.kind, to.kind))
}

func (k memberKey) compare(to memberKey) int {
	return cmp.Or(cmp.Compare(k.conversation, to.conversation), strings.Compare(k.user, to.user))
}
