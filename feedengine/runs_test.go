package feedengine

import (
	"math/rand/v2"
	"testing"
)

// checkRuns verifies that the taken runs (offset → class) and the free ones
// cover the slab, each word once.
func checkRuns(t *testing.T, r *runs, taken map[uint32]int) {
	t.Helper()
	owner := make([]bool, len(r.mem))
	own := func(at uint32, class int) {
		for i := range uint32(1) << class {
			if owner[at+i] {
				t.Fatalf("word %d belongs to two runs", at+i)
			}
			owner[at+i] = true
		}
	}
	for at, class := range taken {
		own(at, class)
	}
	for class, head := range r.free {
		for ; head != 0; head = r.mem[head-1] {
			own(head-1, class)
		}
	}
	for i := range owner {
		if !owner[i] {
			t.Fatalf("word %d is lost", i)
		}
	}
}

func TestRuns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var r runs
	taken := map[uint32]int{}
	var order []uint32
	for step := range 5000 {
		if rnd.IntN(5) < 3 {
			class := rnd.IntN(8)
			at := r.take(class)
			if _, twice := taken[at]; twice {
				t.Fatalf("step %d: run %d was given out twice", step, at)
			}
			for i := range uint32(1) << class {
				r.mem[at+i] = at
			}
			taken[at] = class
			order = append(order, at)
		} else if len(order) > 0 {
			i := rnd.IntN(len(order))
			at := order[i]
			order[i] = order[len(order)-1]
			order = order[:len(order)-1]
			for i := range uint32(1) << taken[at] {
				if r.mem[at+i] != at {
					t.Fatalf("step %d: run %d was written by another", step, at)
				}
			}
			r.give(at, taken[at])
			delete(taken, at)
		}
		if step%500 == 0 {
			checkRuns(t, &r, taken)
		}
	}
	checkRuns(t, &r, taken)
}

func TestClassOf(t *testing.T) {
	for n, want := range map[uint32]int{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 8: 3, 9: 4, 1 << 20: 20} {
		if got := classOf(n); got != want {
			t.Errorf("classOf(%d) = %d, want %d", n, got, want)
		}
	}
}
