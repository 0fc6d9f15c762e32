package storefake_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/migrations"
	"github.com/feedgate/feedgate/shard/storefake"
	"github.com/feedgate/feedgate/storage"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// schemas stands for the one part of a database that a fake has no use for.
var schemas sync.Map

func TestConformance(t *testing.T) {
	storagetest.Run(t, storagetest.Harness{
		Open: func(_ testing.TB, shards int) storage.Store {
			s := storefake.New(shards)
			s.Slow = func(call string) time.Duration {
				switch call { // so that they take turns, and do not run wild
				case "append":
					return 100 * time.Microsecond
				case "load":
					return 2 * time.Millisecond
				}
				return 0
			}
			return s
		},
		OpenFaulty: func(_ testing.TB, shards int) storagetest.Faulty {
			s := storefake.New(shards)
			once := func(f storefake.Fault) func() {
				return func() {
					s.SetFail(func(call string) storefake.Fault {
						if call != "append" && call != "claim" {
							return storefake.Works
						}
						s.SetFail(nil)
						return f
					})
				}
			}
			return storagetest.Faulty{Store: s, LoseReply: once(storefake.Committed), LoseCommit: once(storefake.NotCommitted)}
		},
		Reopen: func(_ testing.TB, s storage.Store, shards int) (storage.Store, error) {
			if v, newer := schemas.Load(s); newer {
				return nil, fmt.Errorf("version %d: %w", v, migrations.ErrNewerSchema)
			}
			if shards != 0 && shards != s.Shards() {
				return nil, fmt.Errorf("set up with %d shards, asked for %d", s.Shards(), shards)
			}
			return s.(*storefake.Store).Connect(), nil
		},
		SetSchema: func(_ testing.TB, s storage.Store, version int64) { schemas.Store(s, version) },
	})
}

func TestMembers(t *testing.T) {
	storagetest.RunMembers(t, storagetest.MembersHarness{
		Open: func(_ testing.TB, shards int) storagetest.Members { return storefake.New(shards) },
		Age:  func(_ testing.TB, m storagetest.Members, d time.Duration) { m.(*storefake.Store).Age(d) },
	})
}

// TestLose: what is lost is gone from logs, facts, keys and marks; a claim stays.
func TestLose(t *testing.T) {
	s := storefake.New(2)
	ctx := t.Context()
	claim := func(epoch uint64) feedengine.Head {
		c, err := s.Claim(ctx, "a", []feedengine.Fence{{Shard: 1, Epoch: epoch}})
		if err != nil || !c[0].Won {
			t.Fatal(c, err)
		}
		return c[0].Head
	}
	post := func(epoch, seq uint64) {
		id := (feedengine.TickAt(time.Now()) + feedengine.Tick(seq)).ID(1)
		e := &feedengine.Event{Shard: 1, Epoch: epoch, Seq: seq, ID: id, Kind: feedengine.KindPost, Actor: "alice",
			Post: &feedengine.Post{ID: id, Author: "alice", Kind: "post", Text: fmt.Sprint(seq)}}
		err := s.Append(ctx, []feedengine.Fence{{Shard: 1, Epoch: epoch}}, []feedengine.Write{
			{Shard: 1, Event: e, Key: &feedengine.Key{User: "alice", Op: "publish", Key: fmt.Sprint(seq), ID: id}},
			{Shard: 1, Mark: &feedengine.Mark{User: "bob", List: feedengine.ListFeed, Upto: id}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	claim(0)
	post(1, 1)
	claim(1)
	post(2, 2)
	mark := s.Mark("bob", feedengine.ListFeed)
	post(2, 3)
	if lost := s.Lose(1, 0); len(lost) != 1 || lost[0].Seq != 3 {
		t.Errorf("lost: %v", lost)
	}
	keys, err := s.Keys(ctx, []feedengine.Key{{User: "alice", Op: "publish", Key: "2"}, {User: "alice", Op: "publish", Key: "3"}})
	if err != nil || keys[0] == nil || keys[1] != nil {
		t.Errorf("keys: %v, %v", keys, err)
	}
	if got := s.Mark("bob", feedengine.ListFeed); got != mark {
		t.Errorf("mark %v, want %v", got, mark)
	}
	if page, err := s.Feed(ctx, "alice", 0, 10); err != nil || len(page.Posts) != 2 {
		t.Errorf("feed: %v, %v", page, err)
	}
	if lost := s.Lose(5, 1); len(lost) != 1 {
		t.Errorf("lost up to the claim: %v", lost)
	}
	if h := claim(2); h.Seq != 1 || h.First != 2 || h.Epoch != 3 {
		t.Errorf("head %+v", h)
	}
}

// TestGhost: a commit under way is not seen, and a claim of its shard waits for it.
func TestGhost(t *testing.T) {
	s := storefake.New(2)
	ctx := t.Context()
	if _, err := s.Claim(ctx, "a", []feedengine.Fence{{Shard: 0}, {Shard: 1}}); err != nil {
		t.Fatal(err)
	}
	for i, end := range []func(){
		func() {},
		func() { s.EndGhosts(true) },
		func() { s.EndGhosts(false) },
	} {
		before := s.Log(0)
		owners, _ := s.Owners(ctx)
		s.SetFail(func(string) storefake.Fault { return storefake.Ghost })
		seq := uint64(len(before) + 1)
		id := (feedengine.TickAt(time.Now()) + feedengine.Tick(seq)).ID(0)
		fence := []feedengine.Fence{{Shard: 0, Epoch: owners[0].Epoch}}
		e := &feedengine.Event{Shard: 0, Epoch: owners[0].Epoch, Seq: seq, ID: id, Kind: feedengine.KindFollow, Actor: "a", Users: []string{"b"}}
		if err := s.Append(ctx, fence, []feedengine.Write{{Shard: 0, Event: e}}); err == nil {
			t.Fatal("no error")
		}
		s.SetFail(nil)
		if n := len(s.Log(0)); n != len(before) {
			t.Errorf("%d: a ghost is seen", i)
		}
		end()
		c, err := s.Claim(ctx, "b", fence)
		if err != nil {
			t.Fatal(err)
		}
		want := seq
		if i == 2 {
			want--
		}
		if c[0].Head.Seq != want || c[0].Head.First != want+1 {
			t.Errorf("%d: head %+v, want seq %d", i, c[0].Head, want)
		}
	}
}
