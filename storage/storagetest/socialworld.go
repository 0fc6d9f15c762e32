package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// testSocialModel writes random histories of everything and asks everything of
// them, now and then.
func testSocialModel(t *testing.T, h Harness) {
	const rounds, acts, users = 8, 60, 14
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := h.full(t, 5)
			w := &socialWorld{world: newWorld(t, s, seed, users), full: s}
			for range rounds {
				for n := acts; n > 0; {
					some := min(n, 1+w.rnd.IntN(12))
					for range some {
						w.act()
					}
					w.commit()
					n -= some
				}
				w.compareLoad()
				w.comparePages()
				w.compareNotes()
				w.compareTalks()
				w.compareStandings()
				w.compareHides()
			}
			if len(w.likes) < 20 || len(w.comments) < 20 || len(w.talks) < 5 || len(w.hides) < 3 {
				t.Errorf("likes of %d posts, %d comments, %d conversations, %d users who hide: the test shows little",
					len(w.likes), len(w.comments), len(w.talks), len(w.hides))
			}
		})
	}
}

// socialWorld is a world of all kinds of events. The model knows each as soon as it
// is queued, as the shard that decides does.
type socialWorld struct {
	*world
	full storage.Full
}

// commit appends all that was queued, in one commit. The model has it already.
func (w *socialWorld) commit() {
	w.t.Helper()
	var fences []feedengine.Fence
	var writes []feedengine.Write
	for _, wr := range w.writers {
		if len(wr.writes) > 0 {
			fences = append(fences, wr.fence())
			writes = append(writes, wr.take()...)
		}
	}
	if err := w.store.Append(w.t.Context(), fences, writes); err != nil {
		w.t.Fatalf("append: %v", err)
	}
}

func (w *socialWorld) act() {
	user := w.anyone()
	wr := w.of(user)
	before := len(wr.events)
	used := wr
	switch n := w.rnd.IntN(100); {
	case n < 16:
		w.publish(wr, user)
	case n < 20:
		if p := w.anyPost(); p != nil {
			used = w.of(p.Author)
			before = len(used.events)
			now := *p
			now.Text = fmt.Sprint("edited ", wr.tick)
			now.More = &feedengine.More{Followers: w.rnd.IntN(3) == 0, Edited: 7}
			used.edit(now)
		}
	case n < 23:
		if p := w.anyPost(); p != nil {
			used = w.of(p.Author)
			before = len(used.events)
			used.delete(p.Author, p.ID)
		}
	case n < 33:
		var fresh []string
		for _, u := range w.some(user) {
			if _, already := w.follows[user][u]; !already && u != user {
				fresh = append(fresh, u)
			}
		}
		if len(fresh) > 0 {
			wr.followed(user, fresh...)
		}
	case n < 37:
		for u, since := range w.follows[user] {
			wr.unfollowed(user, u, since)
			break
		}
	case n < 53:
		if p := w.anyPost(); p != nil {
			used = w.of(p.Author)
			before = len(used.events)
			w.likeOrNot(used, user, p)
		}
	case n < 63:
		if p := w.anyPost(); p != nil {
			used = w.of(p.Author)
			before = len(used.events)
			used.comment(user, p, fmt.Sprint("comment ", used.tick), w.someBut(user)...)
		}
	case n < 67:
		if to := w.someBut(user); len(to) > 0 && !w.talking(user, to) {
			wr.open(user, "first", to...)
		}
	case n < 80:
		if id, t := w.anyTalk(user); t != nil {
			used = w.writers[id.Shard()]
			before = len(used.events)
			used.message(user, id, fmt.Sprint("message ", used.tick), t.members...)
		}
	case n < 88:
		if id, t := w.anyTalk(user); t != nil {
			m := t.messages[w.rnd.IntN(len(t.messages))]
			wr.saw(user, id, m.ID, w.rnd.IntN(2) == 0)
		}
	case n < 94:
		kind := feedengine.KindBlock + feedengine.EventKind(w.rnd.IntN(4))
		if other := w.anyone(); other != user {
			wr.hide(kind, user, other)
		}
	case n < 96:
		wr.profile(feedengine.Profile{User: user, Name: fmt.Sprint("Name ", wr.tick)})
	default:
		list := feedengine.ListFeed
		if w.rnd.IntN(2) == 0 {
			list = feedengine.ListNotifications
		}
		wr.mark(user, list, w.anyMark())
		w.mark(wr.writes[len(wr.writes)-1].Mark)
	}
	for _, e := range used.events[before:] {
		w.apply(e)
	}
	w.tick = max(w.tick, used.tick)
}

func (w *socialWorld) publish(wr *writer, user string) {
	text := fmt.Sprint("text ", len(w.posted))
	var p *feedengine.Post
	switch w.rnd.IntN(5) {
	case 0:
		p = wr.tell(user, text, w.someBut(user)...)
	case 1:
		p = wr.more(user, text, feedengine.More{Followers: true, Media: []feedengine.Media{{URL: "https://x/y", Type: "image/png", Size: 3}}})
	case 2:
		p = wr.more(user, text, feedengine.More{Job: &feedengine.Job{Title: "cook"}, Alerts: w.someBut(user)})
		wr.events[len(wr.events)-1].Users = w.someBut(user) // mentioned, and perhaps alerted
	default:
		p = wr.post(user, text)
	}
	w.posted = append(w.posted, p)
}

func (w *socialWorld) likeOrNot(wr *writer, user string, p *feedengine.Post) {
	likes := len(w.likes[p.ID])
	if l, is := w.likes[p.ID][user]; is {
		last := l.note != 0 && len(w.likers(p.ID, l.note, func(u string) bool { return u == user })) == 0
		wr.unlike(user, p, l.note, likes-1, last)
		return
	}
	note := w.newestLikes(p)
	if user == p.Author || w.rnd.IntN(4) == 0 {
		note = 0 // none, or a window of its own
	}
	wr.like(user, p, note, likes+1)
}

// someBut is some without the user.
func (w *socialWorld) someBut(user string) []string {
	return slices.DeleteFunc(w.some(user), func(u string) bool { return u == user })
}

// anyPost is a post that was not deleted, as it is now; mostly one of the newest.
func (w *socialWorld) anyPost() *feedengine.Post {
	for range 20 {
		if n := len(w.posted); n > 0 {
			if p := w.posts[w.posted[n-1-w.rnd.IntN(min(n, 1+w.rnd.IntN(60)))].ID]; p != nil {
				return p
			}
		}
	}
	return nil
}

// anyTalk is one of the user's conversations.
func (w *socialWorld) anyTalk(user string) (feedengine.ID, *talk) {
	var ids []feedengine.ID
	for id, t := range w.talks {
		if slices.Contains(t.members, user) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	slices.Sort(ids)
	id := ids[w.rnd.IntN(len(ids))]
	return id, w.talks[id]
}

// talking reports whether the user and those have a conversation.
func (w *socialWorld) talking(user string, to []string) bool {
	for _, t := range w.talks {
		if slices.Equal(t.members, feedengine.ConversationMembers(user, to)) {
			return true
		}
	}
	return false
}

// walk reads a list page by page.
func walk[R any](w *socialWorld, read func(before feedengine.ID, limit int) ([]R, feedengine.ID, error)) (all []R) {
	w.t.Helper()
	for before, limit := feedengine.ID(0), 1+w.rnd.IntN(7); ; {
		rows, next, err := read(before, limit)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(rows) > limit || next != 0 && len(rows) != limit {
			w.t.Fatalf("a page of %d with %d rows, next %d", limit, len(rows), next)
		}
		all = append(all, rows...)
		if next == 0 {
			return all
		}
		before = next
	}
}

func (w *socialWorld) compareNotes() {
	w.t.Helper()
	for _, u := range w.users {
		got := walk(w, func(before feedengine.ID, limit int) ([]*feedengine.Note, feedengine.ID, error) {
			page, err := w.full.Notes(w.t.Context(), u, before, limit)
			if err != nil {
				return nil, 0, err
			}
			return page.Notes, page.Next, nil
		})
		same(w.t, u+"'s notifications", w.notesOf(u), got)
	}
}

func (w *socialWorld) compareTalks() {
	w.t.Helper()
	for _, u := range w.users {
		got := walk(w, func(before feedengine.ID, limit int) ([]*feedengine.Conversation, feedengine.ID, error) {
			page, err := w.full.Conversations(w.t.Context(), u, before, limit)
			if err != nil {
				return nil, 0, err
			}
			return page.Conversations, page.Next, nil
		})
		same(w.t, u+"'s conversations", w.conversationsOf(u), got)
	}
	for id, t := range w.talks {
		for _, u := range t.members {
			var seen []feedengine.MemberSeen
			got := walk(w, func(before feedengine.ID, limit int) ([]*feedengine.Message, feedengine.ID, error) {
				page, err := w.full.Messages(w.t.Context(), u, id, before, limit)
				if err != nil {
					return nil, 0, err
				}
				seen = page.Seen
				return page.Messages, page.Next, nil
			})
			same(w.t, fmt.Sprintf("messages of %d for %s", id, u), w.messagesOf(u, t), got)
			same(w.t, fmt.Sprintf("seen of %d for %s", id, u), w.seenIn(u, t), seen)
		}
		w.compareTalk(id, t)
	}
}

func (w *socialWorld) compareTalk(id feedengine.ID, t *talk) {
	w.t.Helper()
	u := w.anyone()
	reply := t.messages[w.rnd.IntN(len(t.messages))]
	upto := reply.ID
	got, err := w.full.Talk(w.t.Context(), feedengine.TalkAsk{User: u, ID: id, Reply: upto, Upto: upto})
	if err != nil {
		w.t.Fatal(err)
	}
	want := feedengine.Talk{Name: w.names[u]}
	if slices.Contains(t.members, u) {
		want.ID, want.Members, want.Got, want.Read = id, t.members, t.got[u], t.read[u]
		want.Replied = !w.blocked(u, reply.From)
		for _, other := range t.members {
			if w.blocked(u, other) {
				want.Blocked = append(want.Blocked, other)
			}
		}
		senders := func(above feedengine.ID) (list []string) {
			for _, m := range t.messages {
				if m.From != u && m.ID > above && m.ID <= upto {
					list = append(list, m.From)
				}
			}
			slices.Sort(list)
			return slices.Compact(list)
		}
		want.Unread, want.Ungot = senders(want.Read), senders(want.Got)
		others, err := w.full.Members(w.t.Context(), u, id)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, "members", slices.DeleteFunc(slices.Clone(t.members), func(o string) bool { return o == u || w.blocked(u, o) }), others)
	}
	same(w.t, fmt.Sprintf("%s in conversation %d", u, id), want, got)
}

func (w *socialWorld) compareStandings() {
	w.t.Helper()
	for range 40 {
		u := w.anyone()
		id := w.posted[w.rnd.IntN(len(w.posted))].ID
		want := feedengine.Standing{Name: w.names[u]}
		var comments []*feedengine.Comment
		p := w.posts[id]
		if p != nil {
			want = w.standing(u, p)
		}
		told := w.rnd.IntN(2) == 0
		if !told {
			want.Told = nil
		}
		got, err := w.full.Standing(w.t.Context(), u, id, told)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, fmt.Sprintf("%s to post %d", u, id), want, got)
		post, err := w.full.PostFor(w.t.Context(), u, id)
		if want.Post == nil && !errors.Is(err, feedengine.ErrNotFound) {
			w.t.Fatalf("post %d for %s: %+v, %v, want ErrNotFound", id, u, post, err)
		}
		if want.Post == nil {
			if page, err := w.full.Comments(w.t.Context(), u, id, 0, 5); !errors.Is(err, feedengine.ErrNotFound) {
				w.t.Fatalf("comments of post %d for %s: %+v, %v, want ErrNotFound", id, u, page, err)
			}
			continue
		}
		same(w.t, "post for "+u, want.Post, post)
		comments = walk(w, func(before feedengine.ID, limit int) ([]*feedengine.Comment, feedengine.ID, error) {
			page, err := w.full.Comments(w.t.Context(), u, id, before, limit)
			if err != nil {
				return nil, 0, err
			}
			return page.Comments, page.Next, nil
		})
		same(w.t, fmt.Sprintf("comments of %d for %s", id, u), w.commentsOf(u, id), comments)
	}
}

func (w *socialWorld) compareHides() {
	w.t.Helper()
	ctx := w.t.Context()
	everybody := slices.Sorted(slices.Values(w.users))
	for _, u := range w.users {
		var blocked, acquainted, following, followers []string
		lists := map[feedengine.HideKind][]string{}
		for _, o := range everybody {
			if w.blocked(u, o) {
				blocked = append(blocked, o)
			}
			for _, kind := range []feedengine.HideKind{feedengine.HideBlock, feedengine.HideMute} {
				want := w.hides[u][feedengine.Hide{Other: o, Kind: kind}]
				if want {
					lists[kind] = append(lists[kind], o)
				}
				if got, err := w.full.Hides(ctx, u, o, kind); err != nil || got != want {
					w.t.Fatalf("%s hides %s by %d: %v, %v, want %v", u, o, kind, got, err, want)
				}
			}
			_, knows := w.follows[u][o]
			for _, t := range w.talks {
				knows = knows || u != o && slices.Contains(t.members, u) && slices.Contains(t.members, o)
			}
			if _, is := w.follows[o][u]; is && !w.blocked(u, o) {
				followers = append(followers, o)
			}
			if knows && !w.blocked(u, o) {
				acquainted = append(acquainted, o)
			}
		}
		for kind, want := range lists {
			after, limit := w.anyone(), 1+w.rnd.IntN(4)
			got, err := w.full.Hidden(ctx, u, kind, after, limit)
			if err != nil {
				w.t.Fatal(err)
			}
			same(w.t, fmt.Sprintf("hidden from %s by %d", u, kind), listed(want, after, limit), got)
		}
		for o := range w.follows[u] {
			if !w.blocked(u, o) {
				following = append(following, o)
			}
		}
		slices.Sort(following)
		for _, list := range []struct {
			name string
			want []string
			read func(ctx context.Context, user, after string, limit int) ([]string, error)
		}{{"following", following, w.full.Following}, {"followers", followers, w.full.Followers}} {
			got, err := list.read(ctx, u, "", 5)
			if err != nil {
				w.t.Fatal(err)
			}
			same(w.t, list.name+" of "+u, listed(list.want, "", 5), got)
		}
		got, err := w.full.Blocked(ctx, u, w.users)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, "blocked for "+u, blocked, got)
		ties, err := w.full.Ties(ctx, u, w.users)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, "blocked among the ties of "+u, blocked, ties.Blocked)
		edges, total, err := w.full.Followed(ctx, u, w.users)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, "followed among the ties of "+u, edges, ties.Follows)
		if total != ties.Following {
			w.t.Fatalf("%s has ties to %d, and follows %d", u, ties.Following, total)
		}
		got, err = w.full.Acquainted(ctx, u, w.users)
		if err != nil {
			w.t.Fatal(err)
		}
		same(w.t, "acquainted with "+u, acquainted, got)
	}
}
