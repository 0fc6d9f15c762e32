package storagetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// world writes random facts to a store and to a model of it.
type world struct {
	*model
	t       testing.TB
	rnd     *rand.Rand
	store   storage.Store
	writers []*writer
	users   []string
	posted  []*feedengine.Post // deleted ones too
	tick    feedengine.Tick    // the latest of all writers
}

func newWorld(t testing.TB, s storage.Store, seed uint64, users int) *world {
	w := &world{model: newModel(), t: t, rnd: rand.New(rand.NewPCG(seed, 1)), store: s}
	for shard := range s.Shards() {
		w.writers = append(w.writers, claim(t, s, "a", feedengine.ShardID(shard)))
		w.tick = max(w.tick, w.writers[shard].tick)
	}
	// Names whose order by bytes is not that of any language.
	for i := range users {
		w.users = append(w.users, fmt.Sprintf("%c%c%d", "aZ_.b"[i%5], ":-Aa@"[i/5%5], i))
	}
	return w
}

func (w *world) anyone() string { return w.users[w.rnd.IntN(len(w.users))] }

// of is the writer of the shard of a user. Mostly its clock is set past all
// others' first, so that ids are given out in order; else its next id lies below
// some that are committed already, as another node's may.
func (w *world) of(user string) *writer {
	at := 0
	for i, u := range w.users {
		if u == user {
			at = i
		}
	}
	wr := w.writers[at%len(w.writers)]
	if w.rnd.IntN(8) > 0 {
		wr.tick = max(wr.tick, w.tick)
	}
	return wr
}

// act queues one random fact.
func (w *world) act() {
	user := w.anyone()
	wr := w.of(user)
	switch n := w.rnd.IntN(100); {
	case n < 50:
		w.posted = append(w.posted, wr.post(user, fmt.Sprint("text ", len(w.posted))))
	case n < 60 && len(w.posted) > 0:
		p := w.posted[w.rnd.IntN(len(w.posted))]
		w.of(p.Author).delete(p.Author, p.ID) // perhaps again
	case n < 78:
		wr.follow(user, w.some(user)...)
	case n < 88:
		wr.unfollow(user, w.some(user)...)
	default:
		wr.mark(user, feedengine.ListFeed, w.anyMark())
		wr.mark(user, feedengine.ListMessages, feedengine.MaxID) // another list's: counts for nothing here
	}
	w.tick = max(w.tick, wr.tick)
}

// some is one to four users, perhaps with the user among them.
func (w *world) some(user string) (users []string) {
	for _, i := range w.rnd.Perm(len(w.users))[:1+w.rnd.IntN(4)] {
		if w.users[i] != user || w.rnd.IntN(10) == 0 {
			users = append(users, w.users[i])
		}
	}
	if users == nil {
		return []string{"nobody"}
	}
	return users
}

// anyMark is a read mark at, beside or far from a post.
func (w *world) anyMark() feedengine.ID {
	if len(w.posted) == 0 {
		return 1
	}
	id := w.posted[w.rnd.IntN(len(w.posted))].ID
	switch w.rnd.IntN(12) {
	case 0:
		return w.tick.ID(0) + 1<<40
	case 1:
		return 1
	case 2:
		return id - 1
	case 3:
		return id + 1
	}
	return id
}

// commit appends all that was queued, in one commit.
func (w *world) commit() {
	w.t.Helper()
	var fences []feedengine.Fence
	var writes []feedengine.Write
	for _, wr := range w.writers {
		if len(wr.writes) > 0 {
			fences = append(fences, wr.fence())
			writes = append(writes, w.take(wr)...)
		}
	}
	if err := w.store.Append(w.t.Context(), fences, writes); err != nil {
		w.t.Fatalf("append: %v", err)
	}
}
