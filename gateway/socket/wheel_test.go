package socket

import (
	"math/rand/v2"
	"testing"
)

// The wheel against a list: sockets come back at the tick asked for, never
// before, and exactly once, whatever the order of adding, removing and advancing.
func TestWheelAgainstList(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w := newWheel()
		socks := make([]*Socket, 40)
		for i := range socks {
			socks[i] = new(Socket)
		}
		want := map[*Socket]int64{} // when each is due
		now := int64(0)
		for range 2000 {
			s := socks[rnd.IntN(len(socks))]
			switch rnd.IntN(4) {
			case 0, 1:
				at := now - 5 + rnd.Int64N(1500) // beyond one turn, and in the past
				w.add(s, at)
				if old, ok := want[s]; !ok || at < old {
					want[s] = max(at, now+1)
				}
			case 2:
				if rnd.IntN(10) == 0 {
					w.remove(s)
					delete(want, s)
				}
			case 3:
				step := rnd.Int64N(20)
				if rnd.IntN(50) == 0 {
					step = 2000 // the process was stopped for a while
				}
				now += step
				for _, d := range w.advance(now, nil) {
					at, ok := want[d]
					if !ok || at > now {
						t.Fatalf("seed %d: came back at %d, due %d (%v)", seed, now, at, ok)
					}
					delete(want, d)
				}
				for _, at := range want {
					if at <= now {
						t.Fatalf("seed %d: due at %d, not back at %d", seed, at, now)
					}
				}
			}
		}
	}
}

// BenchmarkTimers is what timers cost with 100,000 sockets: setting one anew, as
// after every delivery, and one tick of the wheel.
func BenchmarkTimers(b *testing.B) {
	srv := &Server{wheel: newWheel()}
	socks := make([]Socket, 100_000)
	for i := range socks {
		socks[i].srv = srv
	}
	b.Run("set", func(b *testing.B) {
		at := srv.wheel.base.Add(250 * tick)
		for i := 0; b.Loop(); i++ {
			socks[i%len(socks)].SetTimer(at.Add(tick * (1 << (i % 8))))
		}
	})
	b.Run("tick", func(b *testing.B) {
		var due []*Socket
		for now := int64(1); b.Loop(); now++ {
			due = srv.wheel.advance(now, due[:0])
			for _, s := range due {
				srv.wheel.add(s, now+250)
			}
		}
	})
}
