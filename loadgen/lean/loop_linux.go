package lean

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// loop serves its share of the connections with one goroutine and one epoll
// instance. Level-triggered: one read per event, and what is left comes again.
type loop struct {
	// Set at construction.
	pool *Pool
	ep   *rawnet.Epoll // woken when asks wait, or it is time to stop

	// Owned by the goroutine.
	room  []byte // what is read, at most so much at a time
	ready []*Conn
	tick  time.Time // when to look at overdues

	mu       sync.Mutex
	conns    []*Conn   // guarded by mu: by descriptor
	asks     []*Conn   // guarded by mu: to be dropped; each at most once
	overdues []overdue // guarded by mu: in the order in which they are due
	stopping bool      // guarded by mu
}

// overdue is a moment by which a connection should be further than it was. Every
// wait is Options.Timeout long, so the first to begin is the first to be due.
type overdue struct {
	c  *Conn
	at time.Time
}

const (
	roomSize = 64 << 10
	// atOnce is how many events, or asks, are served before somebody else in the process, whose
	// post is due, has a turn: a millisecond of them. On a full machine a process has a
	// seventh of a core, and that is what its posts wait for.
	atOnce = 16
	tick   = 250 * time.Millisecond // how late a timeout may be
)

func newLoop(p *Pool) (*loop, error) {
	l := &loop{pool: p, room: make([]byte, roomSize), tick: time.Now().Add(tick)}
	var err error
	if l.ep, err = rawnet.NewEpoll(); err != nil {
		return nil, fmt.Errorf("lean: %w", err)
	}
	return l, nil
}

func (l *loop) close() { l.ep.Close() }

// add begins to serve a connection, in the state connecting.
func (l *loop) add(c *Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return ErrStopped
	}
	if n := int(c.fd) + 1 - len(l.conns); n > 0 {
		l.conns = append(l.conns, make([]*Conn, n)...)
	}
	c.armed = unix.EPOLLOUT
	if err := l.ep.Ctl(unix.EPOLL_CTL_ADD, int(c.fd), uint64(c.fd), c.armed); err != nil {
		return fmt.Errorf("lean: epoll_ctl: %w", err)
	}
	l.conns[c.fd] = c
	l.pool.live.Add(1)
	l.dueLocked(c)
	return nil
}

func (l *loop) forget(c *Conn) {
	l.mu.Lock()
	l.conns[c.fd] = nil
	l.mu.Unlock()
}

// due begins a wait.
func (l *loop) due(c *Conn) {
	l.mu.Lock()
	l.dueLocked(c)
	l.mu.Unlock()
}

func (l *loop) dueLocked(c *Conn) {
	l.overdues = append(l.overdues, overdue{c, time.Now().Add(l.pool.opts.Timeout)})
}

// ask has the connection dropped.
func (l *loop) ask(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopping { // else it is dropped with all others
		if l.asks = append(l.asks, c); len(l.asks) == 1 {
			l.ep.Wake()
		}
	}
}

// stop has the loop end. The goroutine closes ep only after it has seen
// stopping, so nobody wakes a descriptor that is another's by then.
func (l *loop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopping {
		l.stopping = true
		l.ep.Wake()
	}
}

// run is the loop's goroutine.
func (l *loop) run() {
	defer l.close()
	events := make([]unix.EpollEvent, atOnce)
	for ; ; runtime.Gosched() {
		n := l.ep.Wait(events, l.tick)
		// A descriptor is closed only by its own event, or after the batch: no
		// event here is for another connection than the one it was meant for.
		l.resolve(events[:n])
		for i, c := range l.ready {
			if c != nil {
				c.event(events[i].Events)
			}
		}
		clear(l.ready)
		if l.others() {
			return
		}
	}
}

// resolve finds the events' connections. A wake's is nil.
func (l *loop) resolve(events []unix.EpollEvent) {
	l.ready = l.ready[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		var c *Conn
		if int(e.Fd) < len(l.conns) {
			c = l.conns[e.Fd]
		}
		l.ready = append(l.ready, c)
	}
}

// others does what is not told by a descriptor. It says whether to stop.
func (l *loop) others() (stop bool) {
	now := time.Now()
	if now.After(l.tick) {
		l.tick = now.Add(tick)
	}
	l.mu.Lock()
	asks := l.asks
	l.asks = nil
	late := 0
	for late < len(l.overdues) && now.After(l.overdues[late].at) {
		late++
	}
	overdues := l.overdues[:late]
	if l.overdues = l.overdues[late:]; len(l.overdues) == 0 {
		l.overdues = nil
	}
	stop = l.stopping
	if stop {
		asks = append(asks, l.conns...)
	}
	l.mu.Unlock()
	for _, o := range overdues {
		o.c.overdue()
	}
	for i, c := range asks {
		if c != nil {
			c.drop()
		}
		if i%atOnce == atOnce-1 {
			runtime.Gosched() // all are dropped at once in a storm
		}
	}
	return stop
}
