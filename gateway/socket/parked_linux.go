package socket

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// parked is a link whose descriptor waits in epoll. The descriptor is used only
// with a reference to the socket held, and closed when there is none, so a
// number that the system gives to somebody else is never touched.
type parked struct {
	s     *Socket
	p     *epoll
	fd    int
	known bool // to epoll, from the lobby

	reading atomic.Uint32 // idle, queued, running or again, as of a flush
	hup     atomic.Bool   // the peer ended its side: read on until that shows
	filled  bool          // owned by flush: it had no room once, and epoll tells when it has

	first []byte // owned by the reading turn: what came before the handshake's answer
}

func (l *parked) start(first []byte) {
	l.first = first
	l.reading.Store(idle) // whoever takes the first event sees all that was set up to here
	op := unix.EPOLL_CTL_ADD
	if l.known {
		op = unix.EPOLL_CTL_MOD // after which epoll tells of what is there, as after the other
	}
	if err := l.p.watch(op, l.fd, l.s.id, edges); err != nil {
		l.p.srv.opts.Log.Warn("socket not polled", "err", err)
		l.s.kill(CloseAborted)
		return
	}
	if len(first) > 0 {
		l.readable()
	}
}

func (l *parked) wake() { l.p.writes.push(l.fd, l.s) }
func (l *parked) kill() { l.s.rouse(true) } // the flush that comes of it gives back the reference

func (l *parked) close() {
	if !l.s.clean() {
		unix.SetsockoptLinger(l.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	rawnet.Close(l.fd)
}

// event is epoll's word. An edge that comes while the socket is being served is
// noted, and served after.
func (l *parked) event(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		l.s.writable()
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		l.hup.Store(true)
	}
	if events&^unix.EPOLLOUT != 0 {
		l.readable()
	}
}

func (l *parked) readable() {
	for {
		st, to := l.reading.Load(), uint32(queued)
		switch st {
		case queued, again:
			return
		case running:
			to = again
		}
		if l.reading.CompareAndSwap(st, to) {
			if to == queued {
				l.p.reads.push(l.fd, l.s)
			}
			return
		}
	}
}

// turn reads what is there. The caller holds a reference.
func (l *parked) turn(room []byte, msg *[]byte) {
	l.reading.Store(running)
	if len(l.first) > 0 {
		l.s.receive(l.first, msg)
		l.first = nil
	}
	// A peer that sends without pause gives way to others every 256 KiB.
	for range 16 {
		if l.s.killed() {
			return // and stays running: nothing queues it again
		}
		hup := l.hup.Load()
		n, err := rawnet.Read(l.fd, room)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			l.park()
			return
		case n <= 0:
			l.s.kill(l.s.endWhy(CloseGone))
			return
		}
		l.s.receive(room[:n], msg)
		if n < len(room) && !hup {
			l.park() // a short read emptied it: what comes now is a new edge
			return
		}
	}
	l.reading.CompareAndSwap(running, again)
	l.park()
}

// park ends a turn, or queues the next one if an edge came meanwhile.
func (l *parked) park() {
	if !l.reading.CompareAndSwap(running, idle) {
		l.reading.Store(queued)
		l.p.reads.push(l.fd, l.s)
	}
}

// write goes on until the kernel takes no more: only then does it tell when it does.
func (l *parked) write(p []byte) (done int, err error) {
	for done < len(p) {
		n, err := rawnet.Write(l.fd, p[done:])
		switch err {
		case nil:
			done += n
		case unix.EINTR:
		case unix.EAGAIN:
			if err := l.awaitRoom(); err != nil {
				return done, err
			}
			return done, errAgain
		default:
			return done, err
		}
	}
	return done, nil
}

// awaitRoom has epoll tell when there is room to write, now or later.
func (l *parked) awaitRoom() error {
	if l.filled {
		return nil
	}
	l.filled = true
	return l.p.watch(unix.EPOLL_CTL_MOD, l.fd, l.s.id, edges|unix.EPOLLOUT)
}
