package socket

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// passing is what a front has for other processes: its hatch, through which they pass
// connections to it, and its ways to theirs. The methods of a nil one are those of a
// front that is alone.
type passing struct {
	// Set at construction.
	front *front
	lobby *lobby
	to    func(*http.Request) int
	full  func() bool
	most  int
	path  string
	fd    int // listens there

	// Owned by the poller's goroutine.
	ways    []way
	senders map[int]struct{} // descriptors of those who pass connections here: as many as there are processes
	told    bool             // to be full
	letter  letter
}

// waiting is how many senders the system lets wait until they are let in. Each is one
// process, and comes once.
const waiting = 128

// What those who pass connections to a front are told by it, a byte each.
const (
	sayFull = 'f'
	sayRoom = 'r'
)

func newPassing(f *front, o Passing) (*passing, error) {
	t := &passing{
		front: f, lobby: f.p.lobby, to: o.To, full: o.Full, most: o.Most, path: o.Here,
		senders: map[int]struct{}{},
	}
	for _, path := range o.Others {
		t.ways = append(t.ways, way{passing: t, path: path, fd: -1})
	}
	os.Remove(o.Here) // of a process that was killed; the name is this one's
	var err error
	if t.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("socket: hatch: %w", err)
	}
	if err = unix.Bind(t.fd, &unix.SockaddrUnix{Name: o.Here}); err == nil {
		err = unix.Listen(t.fd, waiting)
	}
	if err != nil {
		rawnet.Close(t.fd)
		return nil, fmt.Errorf("socket: hatch at %s: %w", o.Here, err)
	}
	return t, nil
}

// open lets others pass connections here.
func (t *passing) open() error {
	if t == nil {
		return nil
	}
	if err := t.lobby.p.watch(unix.EPOLL_CTL_ADD, t.fd, uint64(t.fd), unix.EPOLLIN); err != nil {
		return fmt.Errorf("socket: epoll_ctl: %w", err)
	}
	t.lobby.hatches[t.fd] = t.accept
	return nil
}

// accept lets senders in.
func (t *passing) accept() {
	for range acceptsAtOnce {
		fd, _, err := rawnet.Accept(t.fd)
		switch err {
		case nil:
			t.admit(fd)
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN, unix.EINVAL: // the latter once it is closing
			return
		default:
			t.lobby.pause(t.front, err)
			return
		}
	}
}

// admit takes in one. It goes on having its word as long as there is something to
// read, so that those who are here have their turn in between.
func (t *passing) admit(fd int) {
	if err := t.lobby.p.watch(unix.EPOLL_CTL_ADD, fd, uint64(fd), unix.EPOLLIN); err != nil {
		t.lobby.p.srv.opts.Log.Warn("another process cannot pass connections here", "err", err)
		rawnet.Close(fd) // and may try again
		return
	}
	t.senders[fd] = struct{}{}
	t.lobby.hatches[fd] = func() {
		if !t.take(fd, acceptsAtOnce) {
			t.leave(fd)
		}
	}
	if t.told {
		t.say(fd)
	}
}

// take serves at most so many of the connections that a sender has passed. It says
// false when the sender is gone and nothing of it is left.
func (t *passing) take(sender, most int) bool {
	b := t.lobby
	m := &b.p.srv.metrics.taken
	for range most {
		n, fd, remote, err := t.letter.receive(sender, b.room)
		switch {
		case err == nil:
			m[takenGood].Inc()
			b.arrival = visitor{front: t.front, fd: fd, remote: remote, passed: true}
			b.judge(&b.arrival, b.room[:n])
		case err == unix.EAGAIN:
			return true
		case err == unix.EINTR, err == unix.ECONNRESET: // it has not read what it was told: what it sent is still here
		case errors.Is(err, errNoRights):
			m[takenLost].Inc()
			b.p.srv.opts.Log.Warn("a connection that was passed here is lost", "err", err)
		case errors.Is(err, errLetter):
			m[takenBad].Inc()
			b.p.srv.opts.Log.Warn("not a connection that was passed here", "err", err)
		default:
			return false
		}
	}
	return true
}

// leave parts with a sender: it can pass no more, and what it has passed is served.
func (t *passing) leave(fd int) {
	delete(t.senders, fd)
	delete(t.lobby.hatches, fd)
	unix.Shutdown(fd, unix.SHUT_RD) // which leaves what is here
	for t.take(fd, acceptsAtOnce) {
	}
	rawnet.Close(fd)
}

// tell says whether more may come, when that has changed.
func (t *passing) tell() {
	if t == nil {
		return
	}
	full := t.isFull()
	if full == t.told {
		return
	}
	t.told = full
	for fd := range t.senders {
		t.say(fd)
	}
}

// isFull: there is room again when a little more than the last one has left, lest
// every one who comes and goes be told of.
func (t *passing) isFull() bool {
	if t.full != nil && t.full() {
		return true
	}
	if t.most == 0 {
		return false
	}
	held := t.lobby.p.srv.reg.count() + len(t.lobby.visitors) + len(t.senders)*onTheWay
	if t.told {
		held += t.most / 64
	}
	return held >= t.most
}

// say tells a sender. One that does not listen has to come anew, and is told then.
func (t *passing) say(fd int) {
	word := [1]byte{sayRoom}
	if t.told {
		word[0] = sayFull
	}
	if _, err := rawnet.Write(fd, word[:]); err != nil {
		t.leave(fd)
	}
}

// close ends the hatch, whose path is gone at once, and the ways. What others have
// passed here so far is served.
func (t *passing) close() {
	if t == nil {
		return
	}
	os.Remove(t.path)
	unix.Shutdown(t.fd, unix.SHUT_RD) // none come any more: those who wait do not have to be many
	for range waiting / acceptsAtOnce {
		t.accept()
	}
	for fd := range t.senders {
		t.leave(fd)
	}
	delete(t.lobby.hatches, t.fd)
	rawnet.Close(t.fd)
	for i := range t.ways {
		t.ways[i].end()
	}
}
