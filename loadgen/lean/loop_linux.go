package lean

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop serves its share of the connections with one goroutine and one epoll
// instance. Level-triggered: one read per event, and what is left comes again.
type loop struct {
	// Set at construction.
	pool   *Pool
	ep     int
	wakeFd int // an eventfd: asks wait, or it is time to stop

	// Owned by the goroutine.
	room  []byte // what is read, at most so much at a time
	ready []*Conn

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
	tickMS   = 250 // how late a timeout may be
)

func newLoop(p *Pool) (*loop, error) {
	l := &loop{pool: p, room: make([]byte, roomSize)}
	var err error
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("lean: epoll_create: %w", err)
	}
	if l.wakeFd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.ep)
		return nil, fmt.Errorf("lean: eventfd: %w", err)
	}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, l.wakeFd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.wakeFd)}); err != nil {
		l.close()
		return nil, fmt.Errorf("lean: epoll_ctl: %w", err)
	}
	return l, nil
}

func (l *loop) close() {
	unix.Close(l.wakeFd)
	unix.Close(l.ep)
}

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
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, int(c.fd), &unix.EpollEvent{Events: c.armed, Fd: c.fd}); err != nil {
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
		l.asks = append(l.asks, c)
		l.wake()
	}
}

// stop has the loop end. The goroutine closes wakeFd only after it has seen
// stopping, so nobody wakes a descriptor that is another's by then.
func (l *loop) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopping {
		l.stopping = true
		l.wake()
	}
}

// wake ends the epoll_wait under way. l.mu is held.
func (l *loop) wake() { unix.Write(l.wakeFd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// run is the loop's goroutine.
func (l *loop) run() {
	defer l.close()
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(l.ep, events, tickMS)
		if err != nil && err != unix.EINTR {
			panic(fmt.Sprintf("lean: epoll_wait: %v", err)) // not possible with a valid descriptor
		}
		// A descriptor is closed only by its own event, or after the batch: no
		// event here is for another connection than the one it was meant for.
		l.resolve(events[:max(n, 0)])
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

// resolve finds the events' connections. The wake's own is nil.
func (l *loop) resolve(events []unix.EpollEvent) {
	l.ready = l.ready[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		if int(e.Fd) == l.wakeFd {
			var b [8]byte
			unix.Read(l.wakeFd, b[:])
		}
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
	for _, c := range asks {
		if c != nil {
			c.drop()
		}
	}
	return stop
}
