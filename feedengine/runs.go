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
	r.mem = grow(r.mem, 1<<class)
	return at
}

// give takes a run back.
func (r *runs) give(at uint32, class int) {
	r.mem[at] = r.free[class]
	r.free[class] = at + 1
}

// grow lengthens s by n zero elements. It leaves a sixteenth of slack where append
// would leave a quarter or more: the slabs are what the memory budget counts.
func grow[T any](s []T, n int) []T {
	need := len(s) + n
	if need > cap(s) {
		s = append(slices.Grow([]T(nil), need+need/16), s...) // uses what the allocator rounds up to
	}
	return s[:need]
}
