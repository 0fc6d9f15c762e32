package socket

import (
	"sync"
	"testing"
)

func TestRunqKeepsTheOrderWhileItGrows(t *testing.T) {
	q := newRunq(1)
	all := make([]*Socket, 1000)
	for i := range all {
		all[i] = &Socket{id: uint64(i)}
	}
	// In steps, so that the ring wraps around before it grows.
	room := make([]*Socket, 7)
	in, out := 0, 0
	for out < len(all) {
		for range 11 {
			if in < len(all) {
				q.push(all[in])
				in++
			}
		}
		got := q.pop(room)
		if want := min(len(room), in-out); len(got) != want {
			t.Fatalf("took %d of %d that wait, want %d", len(got), in-out, want)
		}
		for _, s := range got {
			if s != all[out] {
				t.Fatalf("got %d, want %d", s.id, out)
			}
			out++
		}
	}
	for i, s := range q.ring {
		if s != nil {
			t.Fatalf("the ring holds on to a socket at %d", i)
		}
	}
}

func TestRunqLeavesOthersTheirShare(t *testing.T) {
	q := newRunq(3)
	for range 10 {
		q.push(&Socket{})
	}
	for _, want := range []int{4, 2, 2, 1, 1} {
		if got := q.pop(make([]*Socket, 16)); len(got) != want {
			t.Errorf("took %d, want %d", len(got), want)
		}
	}
}

func TestRunqEndsOnceItIsEmpty(t *testing.T) {
	q := newRunq(2)
	var wg sync.WaitGroup
	took := make([]int, 4)
	for i := range took {
		wg.Go(func() {
			for {
				got := q.pop(make([]*Socket, 3))
				if len(got) == 0 {
					return
				}
				took[i] += len(got)
			}
		})
	}
	for range 500 {
		q.push(&Socket{})
	}
	q.end()
	wg.Wait()
	if sum := took[0] + took[1] + took[2] + took[3]; sum != 500 {
		t.Errorf("%d were taken of 500", sum)
	}
}
