package shard

import (
	"math/bits"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/feedgate/feedgate/feedengine"
)

// interest is which events a shard wants to be woken for: those that would change
// anything in it, and some that would not. The ring asks, the actor says.
//
// Nothing depends on it but when a shard reads. Whatever it was not woken for it
// finds in the ring in its place, before the next message, before the next event
// that it is woken for, or at the next tick. So it may name too much at any time,
// and must not name too little for longer than it takes the actor to look once
// more: having named more, it reads on (see actor.arrive). Either it finds an
// event there, or who appended that one found what was named.
type interest struct {
	shard   feedengine.ShardID
	all     atomic.Bool            // there are loads that wait for what may be in any log
	due     atomic.Uint64          // position in the ring that it was last woken for
	authors atomic.Pointer[sketch] // who has followers here, and who had

	// Owned by the actor.
	named int // bits set in authors
}

// sketch is a set of names that has more in it than was put there: for each name
// one bit, which others may share.
type sketch []atomic.Uint64

const (
	leastSketch = 8  // words
	sketchRoom  = 12 // bits for each name when it is made …
	sketchFull  = 8  // … and when it is made anew: one other in eight is taken for one of them
)

func newInterest(shard feedengine.ShardID) *interest {
	i := &interest{shard: shard}
	s := make(sketch, leastSketch)
	i.authors.Store(&s)
	return i
}

// hashOf is what a sketch knows of a name.
func hashOf(name string) uint64 { return xxhash.Sum64String(name) }

// place is where a hash has its bit.
func (s sketch) place(hash uint64) (word *atomic.Uint64, bit uint64) {
	at, _ := bits.Mul64(hash, uint64(len(s))*64)
	return &s[at/64], 1 << (at % 64)
}

func (s sketch) has(hash uint64) bool {
	word, bit := s.place(hash)
	return word.Load()&bit != 0
}

// put says whether the bit is new. One goroutine puts.
func (s sketch) put(hash uint64) bool {
	word, bit := s.place(hash)
	old := word.Load()
	if old&bit != 0 {
		return false
	}
	word.Store(old | bit)
	return true
}

// bearing is whom an event is about, for all shards to look at.
type bearing struct {
	actor uint64                            // the hash of who did it
	homes [feedengine.MaxShards / 64]uint64 // the shards of those whom Event.About names, a bit each
}

func bearingOf(ev *feedengine.Event, shards int) (b bearing) {
	b.actor = hashOf(ev.Actor)
	for user := range ev.About() {
		home := Of(user, shards)
		b.homes[home/64] |= 1 << (home % 64)
	}
	return b
}

func (b *bearing) on(shard feedengine.ShardID) bool { return b.homes[shard/64]>>(shard%64)&1 != 0 }

// in reports whether the shard wants an event.
func (i *interest) in(ev *feedengine.Event, b *bearing) bool {
	if ev.Shard == i.shard || b.on(i.shard) || i.all.Load() {
		return true
	}
	switch ev.Kind {
	case feedengine.KindPost, feedengine.KindPostEdited, feedengine.KindPostDeleted: // followers take it, as in feedengine's fanOut
		return i.authors.Load().has(b.actor)
	}
	return !ev.Kind.Stored() // of a kind of which it is not known whom it concerns
}

// any is in for some events.
func (i *interest) any(events []*feedengine.Event, bearings []bearing) bool {
	for n, ev := range events {
		if i.in(ev, &bearings[n]) {
			return true
		}
	}
	return false
}

// follow names an author who is about to have a follower here.
func (i *interest) follow(author string) {
	if (*i.authors.Load()).put(hashOf(author)) {
		i.named++
	}
}

// settle takes note of what the engine has come to. A sketch that is full is made
// anew, of whom the views follow by now; but not while loads wait, of whom the
// engine does not say whom they follow.
func (i *interest) settle(engine *feedengine.Engine) {
	waits := engine.Waits()
	if i.all.Load() != waits {
		i.all.Store(waits)
	}
	if !waits && i.named > len(*i.authors.Load())*64/sketchFull {
		i.renew(engine)
	}
}

// renew names all whom the engine's views follow, and nobody else.
func (i *interest) renew(engine *feedengine.Engine) {
	s := make(sketch, max(leastSketch, engine.Authors()*sketchRoom/64+1))
	i.named = 0
	engine.EachAuthor(func(user []byte) {
		if s.put(xxhash.Sum64(user)) {
			i.named++
		}
	})
	i.authors.Store(&s)
}
