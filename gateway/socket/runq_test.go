package socket

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// alive is a socket that has not ended.
func alive() *Socket {
	s := new(Socket)
	s.refs.Store(1)
	return s
}

// A model that looks at every descriptor, from the last one served upwards.
func TestRunqServesLikeALift(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		q := newRunq(1 + rng.IntN(3))
		model := make(map[int]*Socket)
		highest := 1 << (1 + rng.IntN(14))
		from := 0
		for range 2000 {
			if rng.IntN(3) > 0 {
				fd := rng.IntN(highest)
				s := alive()
				if model[fd] != nil {
					s = model[fd] // it may be pushed again
				}
				q.push(fd, s)
				model[fd] = s
				continue
			}
			if len(model) == 0 {
				continue
			}
			room := make([]*Socket, 1+rng.IntN(20))
			got := q.pop(room)
			if want := min(len(room), (len(model)+q.takers-1)/q.takers); len(got) != want {
				t.Fatalf("seed %d: took %d of %d that wait, want %d", seed, len(got), len(model), want)
			}
			for _, s := range got {
				for model[from] == nil {
					if from++; from > highest {
						from = 0
					}
				}
				if s != model[from] {
					t.Fatalf("seed %d: at descriptor %d somebody else was served", seed, from)
				}
				delete(model, from)
				from++
			}
		}
		for len(model) > 0 {
			model = rest(t, q, model)
		}
		if i := slices.IndexFunc(q.sockets, func(s *Socket) bool { return s != nil }); i >= 0 {
			t.Fatalf("seed %d: the queue holds on to a socket at %d", seed, i)
		}
	}
}

// rest takes what is left, in whatever order.
func rest(t *testing.T, q *runq, model map[int]*Socket) map[int]*Socket {
	got := q.pop(make([]*Socket, 100))
	for fd, s := range model {
		if slices.Contains(got, s) {
			delete(model, fd)
		}
	}
	if len(got) == 0 {
		t.Fatal("nobody is left, but some wait")
	}
	return model
}

// A descriptor goes to somebody else once its socket has ended. An event for the
// former that comes late must not take the latter's place.
func TestRunqForgetsWhoHasEnded(t *testing.T) {
	q := newRunq(1)
	former, latter := alive(), alive()
	q.push(7, former)
	former.refs.Store(0)
	q.push(7, latter)
	q.push(7, former)
	got := q.pop(make([]*Socket, 4))
	if len(got) != 1 || got[0] != latter {
		t.Fatalf("%d were served, or the wrong one", len(got))
	}
	q.push(7, former)
	if q.n != 0 {
		t.Fatal("who has ended waits")
	}
}

func TestRunqLeavesOthersTheirShare(t *testing.T) {
	q := newRunq(3)
	for fd := range 10 {
		q.push(fd, alive())
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
	for fd := range 500 {
		q.push(fd, alive())
	}
	q.end()
	wg.Wait()
	if sum := took[0] + took[1] + took[2] + took[3]; sum != 500 {
		t.Errorf("%d were taken of 500", sum)
	}
}

// BenchmarkRunq is a round of 15,000 sockets through the queue, woken in any order.
func BenchmarkRunq(b *testing.B) {
	const sockets = 15000
	all := make([]*Socket, sockets)
	for i := range all {
		all[i] = alive()
	}
	order := rand.New(rand.NewPCG(1, 1)).Perm(sockets)
	q := newRunq(2)
	var room [atOnce]*Socket
	for b.Loop() {
		for _, fd := range order {
			q.push(fd, all[fd])
		}
		for n := 0; n < sockets; {
			n += len(q.pop(room[:]))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sockets, "ns/socket")
}
