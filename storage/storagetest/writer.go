package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// writer is one shard's log writer: it gives out seqs and ids as a node would,
// and collects writes until commit. Its clock begins an hour ago.
type writer struct {
	store  storage.Store
	shard  feedengine.ShardID
	head   feedengine.Head
	tick   feedengine.Tick
	writes []feedengine.Write
	events []*feedengine.Event // of writes
}

// claim claims the shard for node and returns its writer.
func claim(t testing.TB, s storage.Store, node string, shard feedengine.ShardID) *writer {
	t.Helper()
	w := &writer{store: s, shard: shard, head: Claim(t, s, node, shard)[0]}
	w.tick = max(feedengine.TickAt(time.Now().Add(-time.Hour)), w.head.ID.Tick())
	return w
}

func (w *writer) fence() feedengine.Fence {
	return feedengine.Fence{Shard: w.shard, Epoch: w.head.Epoch}
}

// at sets the clock, for events of another time.
func (w *writer) at(when time.Time) { w.tick = feedengine.TickAt(when) }

// event queues e at the next position of the log.
func (w *writer) event(e feedengine.Event) *feedengine.Event {
	w.tick++
	w.head.Seq++
	w.head.ID = w.tick.ID(w.shard)
	e.Shard, e.Epoch, e.Seq, e.ID = w.shard, w.head.Epoch, w.head.Seq, w.head.ID
	if e.Kind == feedengine.KindPost && e.Post != nil {
		e.Post.ID = e.ID
	}
	w.events = append(w.events, &e)
	w.writes = append(w.writes, feedengine.Write{Shard: w.shard, Event: &e})
	return &e
}

func (w *writer) post(author, text string) *feedengine.Post {
	return w.event(feedengine.Event{
		Kind: feedengine.KindPost, Actor: author,
		Post: &feedengine.Post{Author: author, Kind: "post", Text: text},
	}).Post
}

// keyed is post with an idempotency key.
func (w *writer) keyed(author, text, key string) feedengine.Key {
	p := w.post(author, text)
	k := feedengine.Key{User: author, Op: "publish", Key: key, ID: p.ID}
	copy(k.Hash[:], text)
	w.writes[len(w.writes)-1].Key = &k
	return k
}

func (w *writer) delete(actor string, post feedengine.ID) *feedengine.Event {
	return w.event(feedengine.Event{Kind: feedengine.KindPostDeleted, Actor: actor, Target: post})
}

func (w *writer) follow(actor string, users ...string) feedengine.ID {
	return w.event(feedengine.Event{Kind: feedengine.KindFollow, Actor: actor, Users: users}).ID
}

func (w *writer) unfollow(actor string, users ...string) feedengine.ID {
	return w.event(feedengine.Event{Kind: feedengine.KindUnfollow, Actor: actor, Users: users}).ID
}

func (w *writer) mark(user string, list feedengine.List, upto feedengine.ID) {
	w.writes = append(w.writes, feedengine.Write{
		Shard: w.shard, Mark: &feedengine.Mark{User: user, List: list, Upto: upto},
	})
}

// take returns what was queued and forgets it.
func (w *writer) take() []feedengine.Write {
	writes := w.writes
	w.writes, w.events = nil, nil
	return writes
}

// append commits what was queued.
func (w *writer) append(t testing.TB) error {
	return w.store.Append(t.Context(), []feedengine.Fence{w.fence()}, w.take())
}

// commit is append that must succeed.
func (w *writer) commit(t testing.TB) {
	t.Helper()
	if err := w.append(t); err != nil {
		t.Fatalf("append: %v", err)
	}
}

// written reads the whole log of the shard.
func (w *writer) written(t testing.TB) []*feedengine.Event {
	t.Helper()
	events, err := w.store.ReadLog(t.Context(), w.shard, 0, 1<<20)
	if err != nil {
		t.Fatalf("read log: %v", err)
	}
	return events
}

// gone fails the test if the post is there.
func (w *writer) gone(t testing.TB, id feedengine.ID) {
	t.Helper()
	if p, err := w.store.Post(t.Context(), id); !errors.Is(err, feedengine.ErrNotFound) {
		t.Errorf("post %d: %+v, %v, want ErrNotFound", id, p, err)
	}
}
