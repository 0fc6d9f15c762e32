package feedengine

import (
	"math/bits"
	"slices"
)

// runs hands out runs of uint32 words from one growing slab, in sizes that are
// powers of two. It holds no pointers, so the garbage collector never looks
// inside, and a run costs its words and nothing else.
type runs struct {
	mem  []uint32
	free [32]uint32 // per size class: offset+1 of the first free run, chained through their first words
}

// classOf is the smallest class whose runs hold n words.
func classOf(n uint32) int { return bits.Len32(n - 1) }

// take returns the offset of a run of 1<<class words.
func (r *runs) take(class int) uint32 {
	if head := r.free[class]; head != 0 {
		r.free[class] = r.mem[head-1]
		return head - 1
	}
	at := uint32(len(r.mem))
	r.grow(1 << class)
	return at
}

// give takes a run back.
func (r *runs) give(at uint32, class int) {
	r.mem[at] = r.free[class]
	r.free[class] = at + 1
}

// grow lengthens the slab by n words. It leaves a sixteenth of slack, or a little,
// where append would leave a quarter or more: slabs are what the memory budget counts.
func (r *runs) grow(n int) {
	need := len(r.mem) + n
	if need > cap(r.mem) {
		r.mem = append(slices.Grow([]uint32(nil), need+max(need/16, leastSlack)), r.mem...) // uses what the allocator rounds up to
	}
	r.mem = r.mem[:need]
}

// leastSlack is half a kilobyte: the edges of a new view take about so much.
const leastSlack = 128
