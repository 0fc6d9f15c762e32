package storagetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// testSnapshotAgreesWithHeads loads while a writer appends to all shards. What a
// snapshot says of its users must be exactly what the events up to its heads
// make of them.
func testSnapshotAgreesWithHeads(t *testing.T, h Harness) {
	const shards, appends, loaders = 4, 150, 3
	s := h.Open(t, shards)
	ask := []feedengine.LoadUser{{User: "u0", Page: 10}, {User: "u1"}, {User: "u2", Page: 3}, {User: "nobody"}}

	var mu sync.Mutex
	var snaps []*feedengine.Snapshot
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range loaders {
		wg.Go(func() {
			for {
				snap, err := s.Load(t.Context(), ask, 5)
				if err != nil {
					t.Errorf("load beside appends: %v", err)
					return
				}
				mu.Lock()
				snaps = append(snaps, snap)
				mu.Unlock()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	churn(t, s, shards, appends)
	close(done)
	wg.Wait()

	var events []*feedengine.Event
	for shard := range feedengine.ShardID(shards) {
		log, err := s.ReadLog(t.Context(), shard, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, log...)
	}
	distinct := map[string]bool{}
	for _, snap := range snaps {
		facts := replay(events, snap.Heads)
		for i, got := range snap.Users {
			want := facts.user(ask[i], 5)
			if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s at heads %v (-replayed +loaded):\n%s", want.User, snap.Heads, diff)
			}
		}
		distinct[fmt.Sprint(snap.Heads)] = true
	}
	if len(distinct) < 5 {
		t.Errorf("only %d different positions were loaded at: the test shows nothing", len(distinct))
	}
}

// churn appends posts, deletions, follows and unfollows of six users to all
// shards, in commits of a few shards each.
func churn(t *testing.T, s storage.Store, shards, appends int) {
	rnd := rand.New(rand.NewPCG(7, 7))
	writers := make([]*writer, shards)
	for i := range writers {
		writers[i] = claim(t, s, "a", feedengine.ShardID(i))
	}
	posts := make([][]*feedengine.Post, shards)
	for range appends {
		var fences []feedengine.Fence
		var writes []feedengine.Write
		for _, shard := range rnd.Perm(shards)[:1+rnd.IntN(shards)] {
			w := writers[shard]
			for range 1 + rnd.IntN(3) {
				user := fmt.Sprintf("u%d", shard+shards*rnd.IntN(2)) // each has one shard
				whom := fmt.Sprintf("u%d", rnd.IntN(2*shards))
				switch old := posts[shard]; {
				case rnd.IntN(4) == 0 && whom != user:
					w.follow(user, whom)
				case rnd.IntN(8) == 0:
					w.unfollow(user, whom)
				case rnd.IntN(5) == 0 && len(old) > 0:
					p := old[rnd.IntN(len(old))]
					w.delete(p.Author, p.ID)
				default:
					posts[shard] = append(old, w.post(user, "text"))
				}
			}
			fences = append(fences, w.fence())
			writes = append(writes, w.take()...)
		}
		if err := s.Append(t.Context(), fences, writes); err != nil {
			t.Errorf("append beside loads: %v", err)
			return
		}
	}
}

// facts are what a stretch of the logs means.
type facts struct {
	posts   map[feedengine.ID]*feedengine.Post
	follows map[string]map[string]feedengine.ID // follower, author, since
}

// replay applies the events up to heads. Each shard's events are in order.
func replay(events []*feedengine.Event, heads []feedengine.Head) facts {
	f := facts{posts: map[feedengine.ID]*feedengine.Post{}, follows: map[string]map[string]feedengine.ID{}}
	for _, e := range events {
		if e.Seq > heads[e.Shard].Seq {
			continue
		}
		switch e.Kind {
		case feedengine.KindPost:
			f.posts[e.ID] = e.Post
		case feedengine.KindPostDeleted:
			delete(f.posts, e.Target)
		case feedengine.KindFollow:
			edges := f.follows[e.Actor]
			if edges == nil {
				edges = map[string]feedengine.ID{}
				f.follows[e.Actor] = edges
			}
			for _, author := range e.Users {
				if edges[author] == 0 {
					edges[author] = e.ID
				}
			}
		case feedengine.KindUnfollow:
			for _, author := range e.Users {
				delete(f.follows[e.Actor], author)
			}
		}
	}
	return f
}

// user is what a load of the user should answer, for users without a read mark.
func (f facts) user(ask feedengine.LoadUser, keep int) feedengine.LoadedUser {
	u := feedengine.LoadedUser{User: ask.User}
	for author, since := range f.follows[ask.User] {
		u.Follows = append(u.Follows, feedengine.Edge{Author: author, Since: since})
	}
	slices.SortFunc(u.Follows, func(a, b feedengine.Edge) int { return cmp.Compare(a.Author, b.Author) })

	var page []*feedengine.Post
	for _, p := range f.posts {
		since, followed := f.follows[ask.User][p.Author]
		if followed || p.Author == ask.User {
			page = append(page, p)
		}
		if followed && p.Author != ask.User && p.ID > since {
			u.Feed.Unread = append(u.Feed.Unread, feedengine.UnreadID{ID: p.ID, Author: p.Author})
		}
	}
	u.Feed.Total = len(u.Feed.Unread)
	slices.SortFunc(u.Feed.Unread, func(a, b feedengine.UnreadID) int { return cmp.Compare(a.ID, b.ID) })
	u.Feed.Unread = u.Feed.Unread[max(0, len(u.Feed.Unread)-keep):]

	if ask.Page > 0 {
		slices.SortFunc(page, func(a, b *feedengine.Post) int { return cmp.Compare(b.ID, a.ID) })
		u.Page = &feedengine.Page{Posts: page}
		if len(page) > ask.Page {
			u.Page = &feedengine.Page{Posts: page[:ask.Page], Next: page[ask.Page-1].ID}
		}
	}
	return u
}
