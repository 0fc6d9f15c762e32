package rawnet_test

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

func newEpoll(t *testing.T) *rawnet.Epoll {
	t.Helper()
	ep, err := rawnet.NewEpoll()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ep.Close)
	return ep
}

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rawnet.Close(fds[0]); rawnet.Close(fds[1]) })
	return fds[0], fds[1]
}

// A wait ends with what comes during it, and nothing is left untold, though there is
// more than one wait has room for and each is told of once.
func TestEpollWaits(t *testing.T) {
	const ways, rounds = 5, 200
	ep, events := newEpoll(t), make([]unix.EpollEvent, 2)
	var in, out [ways]int
	for i := range ways {
		in[i], out[i] = pipe(t)
		if err := ep.Ctl(unix.EPOLL_CTL_ADD, in[i], uint64(i+1), unix.EPOLLIN|unix.EPOLLET); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for round := range rounds {
			for _, w := range out {
				rawnet.Write(w, []byte("x"))
			}
			if round%10 == 0 {
				time.Sleep(100 * time.Microsecond) // so that waits are for something, too
			}
		}
	})
	room := make([]byte, 2*rounds)
	for got := 0; got < ways*rounds; {
		for _, e := range events[:ep.Wait(events, time.Time{})] {
			for {
				n, err := rawnet.Read(in[rawnet.ID(e)-1], room)
				if err != nil {
					break // there is no more
				}
				got += n
			}
		}
	}
	wg.Wait()
}

func TestEpollWakes(t *testing.T) {
	ep, events := newEpoll(t), make([]unix.EpollEvent, 2)
	ep.Wake() // before anybody waits
	ep.Wake()
	if n := ep.Wait(events, time.Time{}); n != 1 || rawnet.ID(events[0]) != 0 {
		t.Errorf("two wakes: %d events", n)
	}
	go ep.Wake()
	if n := ep.Wait(events, time.Time{}); n != 1 || rawnet.ID(events[0]) != 0 {
		t.Errorf("a wake: %d events", n)
	}
}

// A wait ends when it is due, an earlier one's end does not end a later one for good.
func TestEpollIsDue(t *testing.T) {
	ep, events := newEpoll(t), make([]unix.EpollEvent, 2)
	for _, after := range []time.Duration{20, 5, 30} {
		due := time.Now().Add(after * time.Millisecond)
		waits := 0
		for ; time.Now().Before(due); waits++ {
			if n := ep.Wait(events, due); n != 0 {
				t.Errorf("%d events", n)
			}
		}
		if waits > 3 { // one, and one for what was armed before
			t.Errorf("%d waits until it was due", waits)
		}
	}
	r, w := pipe(t)
	if err := ep.Ctl(unix.EPOLL_CTL_ADD, r, 1, unix.EPOLLIN); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { rawnet.Write(w, []byte("x")) })
	for ep.Wait(events, time.Time{}) == 0 { // a deadline that has passed may end one
	}
	if rawnet.ID(events[0]) != 1 {
		t.Errorf("event of %d", rawnet.ID(events[0]))
	}
}
