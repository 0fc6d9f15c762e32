package feedengine

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// author names an entry of the follow index: somebody who is followed by at
// least one resident view of this shard.
type author = uint32

// slot names a resident view.
type slot = uint32

// authors is the follow index: author → resident followers. On a power-law
// graph spread over 256 shards most authors have one follower per shard, so an
// entry has to be small: 8 bytes, its name's bytes in a shared arena, 5 to 6
// bytes of hash table, and the single follower's slot inside the entry itself.
// Nothing in here holds a pointer.
//
// Measured for 100,000 users who follow 50 each (see BenchmarkFootprint): half
// of an edge's cost is the table and the names, which no map of Go's can share.
type authors struct {
	entries []*entryChunk
	used    uint32 // entries that were ever in use
	free    uint32 // entry+1 of the first free one, chained through authorEntry.run
	live    int    // entries in use
	edges   int

	names  []*nameChunk // arena of length-prefixed names
	next   uint32       // where in names the next one goes, if it fits the chunk
	stored int          // bytes of names
	dead   int          // of them such as belong to no entry any more

	table []uint32 // open addressing with linear probing: entry+1 below a tag, 0 when empty
	index uint32   // the bits of a place in table that are entry+1
	seed  maphash.Seed

	runs runs
}

// authorEntry is one author. With one follower, run is that follower's slot;
// with more it is the offset of a run that holds their number and their slots.
type authorEntry struct {
	name uint32 // offset into names, with the bit many; or unused
	run  [1]uint32
}

// Entries and names are in chunks, so that growing copies nothing: in one piece
// they would be copied sixteen times over if a sixteenth was to be their slack.
type (
	entryChunk [1 << entryBits]authorEntry
	nameChunk  [1 << nameBits]byte
)

const (
	entryBits = 7
	nameBits  = 11

	many   = 1 << 31
	unused = 1<<32 - 1

	minTable = 8
)

func newAuthors() authors {
	return authors{seed: maphash.MakeSeed(), table: make([]uint32, minTable), index: 1<<bits.Len(minTable) - 1}
}

func (a *authors) entry(at author) *authorEntry {
	return &a.entries[at>>entryBits][at&(1<<entryBits-1)]
}

// name is the author's user id. The bytes are the arena's: valid until the author's
// last follower has left.
func (a *authors) name(at author) []byte { return a.nameAt(a.entry(at).name &^ many) }

func (a *authors) nameAt(off uint32) []byte {
	chunk, i := a.names[off>>nameBits], off&(1<<nameBits-1)
	return chunk[i+1 : i+1+uint32(chunk[i])]
}

// find returns the entry of a user whom somebody here follows.
func (a *authors) find(user string) (author, bool) {
	i, _ := a.probe(user)
	if a.table[i] == 0 {
		return 0, false
	}
	return a.at(i), true
}

// at is the entry at a place in the table that is not empty.
func (a *authors) at(i int) author { return a.table[i]&a.index - 1 }

// tag is what a place keeps of a hash, in the bits that its entry leaves free: 18 with
// 12,000 authors. All shards are asked about every event, and most find nobody. With
// four of five places taken that is a walk past thirteen; each whose name had to be
// looked at was two cache misses, and all together a twentieth of what a node did at
// 100 posts/s.
func (a *authors) tag(hash uint64) uint32 { return uint32(hash) &^ a.index }

// probe is the place in the table where the user stands or would stand, and the tag
// there.
func (a *authors) probe(user string) (at int, tag uint32) {
	hash := maphash.String(a.seed, user)
	tag = a.tag(hash)
	for i := a.home(hash); ; i = a.after(i) {
		if e := a.table[i]; e == 0 || e&^a.index == tag && string(a.name(a.at(i))) == user {
			return i, tag
		}
	}
}

// home is where the search for a hash begins. The table's size is no power of
// two, so that it can grow by a quarter.
func (a *authors) home(hash uint64) int {
	i, _ := bits.Mul64(hash, uint64(len(a.table)))
	return int(i)
}

// after is the place after i, the first one after the last.
func (a *authors) after(i int) int {
	if i++; i == len(a.table) {
		return 0
	}
	return i
}

// followers are the slots of the views that follow the author, in no
// particular but in a reproducible order. Valid until the index changes.
func (a *authors) followers(at author) []slot {
	e := a.entry(at)
	if e.name&many == 0 {
		return e.run[:]
	}
	return a.runs.mem[e.run[0]+1:][:a.runs.mem[e.run[0]]]
}

// count is how many followers an entry has, 0 when it is not in use.
func (a *authors) count(at author) int {
	if a.entry(at).name == unused {
		return 0
	}
	return len(a.followers(at))
}

// add makes the view a follower of the user, which it is not yet.
func (a *authors) add(user string, v slot) author {
	a.edges++
	i, tag := a.probe(user)
	if a.table[i] == 0 {
		if (a.live+1)*5 > len(a.table)*4 {
			a.rehash(len(a.table) + len(a.table)/4 + 1)
			i, tag = a.probe(user)
		}
		at := a.newEntry(user)
		a.table[i] = tag | (at + 1)
		a.entry(at).run[0] = v
		return at
	}
	at := a.at(i)
	e := a.entry(at)
	if e.name&many == 0 {
		run := a.runs.take(classOf(3))
		a.runs.mem[run], a.runs.mem[run+1], a.runs.mem[run+2] = 2, e.run[0], v
		e.name, e.run[0] = e.name|many, run
		return at
	}
	n := a.runs.mem[e.run[0]]
	if (n+1)&n == 0 { // the run is full
		class := classOf(n + 1)
		run := a.runs.take(class + 1)
		copy(a.runs.mem[run:], a.runs.mem[e.run[0]:][:n+1])
		a.runs.give(e.run[0], class)
		e.run[0] = run
	}
	a.runs.mem[e.run[0]] = n + 1
	a.runs.mem[e.run[0]+n+1] = v
	return at
}

// remove takes the view out of the author's followers. The author's entry goes
// with the last of them.
func (a *authors) remove(at author, v slot) {
	a.edges--
	e := a.entry(at)
	if e.name&many == 0 {
		a.dropEntry(at)
		return
	}
	slots, old := a.followers(at), e.run[0]
	n := uint32(len(slots) - 1)
	slots[slices.Index(slots, v)] = slots[n]
	a.runs.mem[old] = n
	class := classOf(n + 2)
	switch {
	case n == 1:
		e.name, e.run[0] = e.name&^many, slots[0]
	case (n+1)&n == 0: // what is left fits the next smaller run
		e.run[0] = a.runs.take(class - 1)
		copy(a.runs.mem[e.run[0]:], a.runs.mem[old:][:n+1])
	default:
		return
	}
	a.runs.give(old, class)
}

func (a *authors) newEntry(user string) author {
	at := a.free
	if at != 0 {
		at--
		a.free = a.entry(at).run[0]
	} else {
		at = a.used
		a.used++
		if int(at>>entryBits) == len(a.entries) {
			a.entries = append(a.entries, new(entryChunk))
		}
	}
	a.entry(at).name = a.store(user)
	a.live++
	return at
}

// store puts a name into the arena, whole into one chunk.
func (a *authors) store(user string) uint32 {
	if need := uint32(1 + len(user)); a.next>>nameBits != (a.next+need-1)>>nameBits || int(a.next>>nameBits) == len(a.names) {
		a.next = uint32(len(a.names)) << nameBits
		a.names = append(a.names, new(nameChunk))
	}
	off := a.next
	at := a.names[off>>nameBits][off&(1<<nameBits-1):]
	at[0] = byte(len(user))
	copy(at[1:], user)
	a.next += uint32(1 + len(user))
	a.stored += 1 + len(user)
	return off
}

func (a *authors) dropEntry(at author) {
	a.unlink(at)
	e := a.entry(at)
	a.dead += 1 + len(a.name(at))
	*e = authorEntry{name: unused, run: [1]uint32{a.free}}
	a.free = at + 1
	a.live--
	if a.dead > a.stored/2 && a.dead > 4096 {
		a.compact()
	}
}

// unlink takes the author out of the table and moves up what had been
// displaced by it, so that no probe ends early.
func (a *authors) unlink(at author) {
	hole, _ := a.probe(string(a.name(at)))
	for i := a.after(hole); a.table[i] != 0; i = a.after(i) {
		home := a.home(maphash.Bytes(a.seed, a.name(a.at(i))))
		if a.distance(home, i) >= a.distance(hole, i) {
			a.table[hole] = a.table[i]
			hole = i
		}
	}
	a.table[hole] = 0
}

// distance is how many steps after lead from one place to another.
func (a *authors) distance(from, to int) int {
	if to < from {
		to += len(a.table)
	}
	return to - from
}

// compact moves the names that are in use together and fits the table to them.
func (a *authors) compact() {
	old := authors{names: a.names}
	a.names, a.next, a.stored, a.dead = nil, 0, 0, 0
	for at := range a.used {
		if e := a.entry(at); e.name != unused {
			e.name = a.store(string(old.nameAt(e.name&^many))) | e.name&many
		}
	}
	a.rehash(max(minTable, a.live*4/3))
}

func (a *authors) rehash(size int) {
	a.table = slices.Grow([]uint32(nil), size)
	a.table = a.table[:cap(a.table)]
	// Until the next time, no more entries than places: who leaves makes room for who comes.
	a.index = 1<<bits.Len32(max(a.used, uint32(len(a.table)))) - 1
	for at := range a.used {
		if a.entry(at).name == unused {
			continue
		}
		hash := maphash.Bytes(a.seed, a.name(at))
		i := a.home(hash)
		for a.table[i] != 0 {
			i = a.after(i)
		}
		a.table[i] = a.tag(hash) | (at + 1)
	}
}

// bytes is what the index occupies.
func (a *authors) bytes() int {
	return len(a.entries)<<(entryBits+3) + len(a.names)<<nameBits + 8*cap(a.entries) + 8*cap(a.names) +
		4*cap(a.table) + 4*cap(a.runs.mem)
}
