package feedengine

import "hash/maphash"

// author names an entry of the follow index: somebody who is followed by at
// least one resident view of this shard.
type author = uint32

// slot names a resident view.
type slot = uint32

// authors is the follow index: author → resident followers. On a power-law
// graph spread over 256 shards most authors have one follower per shard, so an
// entry has to be small: 12 bytes, its name's bytes in a shared arena, 4 to 8
// bytes of hash table, and the single follower's slot inside the entry itself.
// Nothing in here holds a pointer.
type authors struct {
	entries []authorEntry
	free    uint32 // entry+1 of the first free one, chained through authorEntry.run
	live    int    // entries in use
	edges   int

	names []byte // arena of length-prefixed names
	dead  int    // bytes of names that belong to no entry any more

	table []uint32 // open addressing with linear probing: entry+1, 0 when empty
	seed  maphash.Seed

	runs runs
}

// authorEntry is one author. With one follower, run is that follower's slot;
// with more it is the offset of a run of slots with room up to a power of two.
type authorEntry struct {
	name uint32 // offset into names
	run  [1]uint32
	n    uint32 // followers, 0 when the entry is free
}

const minTable = 8

func newAuthors() authors {
	return authors{seed: maphash.MakeSeed(), table: make([]uint32, minTable)}
}

// name is the author's user id. The bytes are the arena's: valid until the next add.
func (a *authors) name(at author) []byte {
	off := a.entries[at].name
	return a.names[off+1 : off+1+uint32(a.names[off])]
}

// find returns the entry of a user whom somebody here follows.
func (a *authors) find(user string) (author, bool) {
	i := a.probe(user)
	if a.table[i] == 0 {
		return 0, false
	}
	return a.table[i] - 1, true
}

// probe is the place in the table where the user stands or would stand.
func (a *authors) probe(user string) uint64 {
	mask := uint64(len(a.table) - 1)
	for i := maphash.String(a.seed, user) & mask; ; i = (i + 1) & mask {
		if e := a.table[i]; e == 0 || string(a.name(e-1)) == user {
			return i
		}
	}
}

// followers are the slots of the views that follow the author, in no
// particular but in a reproducible order. Valid until the index changes.
func (a *authors) followers(at author) []slot {
	e := &a.entries[at]
	if e.n == 1 {
		return e.run[:]
	}
	return a.runs.mem[e.run[0] : e.run[0]+e.n]
}

// add makes the view a follower of the user, which it is not yet.
func (a *authors) add(user string, v slot) author {
	i := a.probe(user)
	if a.table[i] == 0 {
		if (a.live+1)*4 > len(a.table)*3 {
			a.rehash(len(a.table) * 2)
			i = a.probe(user)
		}
		at := a.newEntry(user)
		a.table[i] = at + 1
		a.entries[at].run[0] = v
		a.entries[at].n = 1
		a.edges++
		return at
	}
	at := a.table[i] - 1
	e := &a.entries[at]
	switch {
	case e.n == 1:
		run := a.runs.take(1)
		a.runs.mem[run] = e.run[0]
		e.run[0] = run
	case e.n&(e.n-1) == 0: // the run is full
		class := classOf(e.n)
		run := a.runs.take(class + 1)
		copy(a.runs.mem[run:], a.runs.mem[e.run[0]:e.run[0]+e.n])
		a.runs.give(e.run[0], class)
		e.run[0] = run
	}
	a.runs.mem[e.run[0]+e.n] = v
	e.n++
	a.edges++
	return at
}

// remove takes the view out of the author's followers. The author's entry goes
// with the last of them.
func (a *authors) remove(at author, v slot) {
	e := &a.entries[at]
	a.edges--
	if e.n == 1 {
		a.dropEntry(at)
		return
	}
	run := a.runs.mem[e.run[0] : e.run[0]+e.n]
	for i := range run {
		if run[i] == v {
			run[i] = run[len(run)-1]
			break
		}
	}
	e.n--
	if e.n&(e.n-1) != 0 {
		return
	}
	// What is left fits the next smaller run.
	old, class := e.run[0], classOf(e.n+1)
	if e.n == 1 {
		e.run[0] = a.runs.mem[old]
	} else {
		e.run[0] = a.runs.take(class - 1)
		copy(a.runs.mem[e.run[0]:], a.runs.mem[old:old+e.n])
	}
	a.runs.give(old, class)
}

func (a *authors) newEntry(user string) author {
	at := a.free
	if at != 0 {
		at--
		a.free = a.entries[at].run[0]
	} else {
		at = author(len(a.entries))
		a.entries = grow(a.entries, 1)
	}
	a.entries[at].name = a.store(user)
	a.live++
	return at
}

func (a *authors) store(user string) uint32 {
	off := len(a.names)
	a.names = grow(a.names, 1+len(user))
	a.names[off] = byte(len(user))
	copy(a.names[off+1:], user)
	return uint32(off)
}

func (a *authors) dropEntry(at author) {
	a.unlink(at)
	e := &a.entries[at]
	a.dead += 1 + int(a.names[e.name])
	*e = authorEntry{run: [1]uint32{a.free}}
	a.free = at + 1
	a.live--
	if a.dead > len(a.names)/2 && a.dead > 4096 {
		a.compact()
	}
}

// unlink takes the author out of the table and moves up what had been
// displaced by it, so that no probe ends early.
func (a *authors) unlink(at author) {
	mask := uint64(len(a.table) - 1)
	hole := a.probe(string(a.name(at)))
	for i := (hole + 1) & mask; a.table[i] != 0; i = (i + 1) & mask {
		home := maphash.Bytes(a.seed, a.name(a.table[i]-1)) & mask
		if (i-home)&mask >= (i-hole)&mask {
			a.table[hole] = a.table[i]
			hole = i
		}
	}
	a.table[hole] = 0
}

// compact moves the names that are in use together and fits the table to them.
func (a *authors) compact() {
	old := a.names
	a.names = make([]byte, 0, len(old)-a.dead)
	a.dead = 0
	for i := range a.entries {
		if e := &a.entries[i]; e.n > 0 {
			n := 1 + uint32(old[e.name])
			name := old[e.name : e.name+n]
			e.name = uint32(len(a.names))
			a.names = append(a.names, name...)
		}
	}
	size := minTable
	for size*3 < (a.live+1)*4 {
		size *= 2
	}
	a.rehash(size)
}

func (a *authors) rehash(size int) {
	a.table = make([]uint32, size)
	mask := uint64(size - 1)
	for at := range a.entries {
		if a.entries[at].n == 0 {
			continue
		}
		i := maphash.Bytes(a.seed, a.name(author(at))) & mask
		for a.table[i] != 0 {
			i = (i + 1) & mask
		}
		a.table[i] = author(at) + 1
	}
}

// bytes is what the index occupies.
func (a *authors) bytes() int {
	return 12*cap(a.entries) + cap(a.names) + 4*cap(a.table) + 4*cap(a.runs.mem)
}
