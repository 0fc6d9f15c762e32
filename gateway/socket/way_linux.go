package socket

import (
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// way is a front's way to another process's hatch. Only the poller's goroutine uses it.
type way struct {
	passing *passing
	path    string
	fd      int       // connected to the hatch; -1: not
	full    bool      // the other side takes no more
	after   time.Time // it is not tried again before
}

const (
	// wayPause is after how long one tries again to reach a process that is not there.
	wayPause = 100 * time.Millisecond
	// wayRoom is what the system is asked to let wait on a way, in bytes. It doubles
	// that (socket(7)), and counts a message with its own buffers: at least 900 bytes.
	wayRoom = 64 << 10
	// onTheWay is how many connections can be in there.
	onTheWay = 2 * wayRoom / 900
)

// pass gives a visitor to the process that is to serve it. It says false when that is
// this one, or has to be.
func (t *passing) pass(v *visitor, r *http.Request, read []byte) bool {
	if t == nil || v.passed {
		return false
	}
	i := t.to(r)
	if i < 0 || i >= len(t.ways) {
		return false
	}
	p := t.lobby.p
	w := &t.ways[i]
	switch {
	case w.fd < 0 && !w.begin():
		p.srv.metrics.kept[keptAlone].Inc()
		return false
	case w.full:
		p.srv.metrics.kept[keptFull].Inc()
		return false
	}
	switch err := t.letter.send(w.fd, v.fd, v.remote, read); err {
	case nil:
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.ETOOMANYREFS:
		p.srv.metrics.kept[keptQueued].Inc()
		return false
	default:
		w.end()
		p.srv.metrics.kept[keptAlone].Inc()
		return false
	}
	p.srv.metrics.fronts[frontPassed].Inc()
	if v.watched { // closing it does not end that: the other process has the same description
		p.watch(unix.EPOLL_CTL_DEL, v.fd, 0, 0)
	}
	rawnet.Close(v.fd)
	return true
}

// begin connects to the hatch. That is done at once, or not at all.
func (w *way) begin() bool {
	now := time.Now()
	if w.path == "" || now.Before(w.after) {
		return false
	}
	w.after = now.Add(wayPause)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	b := w.passing.lobby
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, wayRoom)
	if err = unix.Connect(fd, &unix.SockaddrUnix{Name: w.path}); err == nil {
		err = b.p.watch(unix.EPOLL_CTL_ADD, fd, uint64(fd), unix.EPOLLIN)
	}
	if err != nil {
		b.p.srv.opts.Log.Debug("no way to another process", "path", w.path, "err", err)
		rawnet.Close(fd)
		return false
	}
	w.fd, w.full = fd, false
	b.hatches[fd] = w.hear
	return true
}

// hear takes what the other side says, or its end.
func (w *way) hear() {
	var words [16]byte
	for {
		n, err := rawnet.Read(w.fd, words[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return
		case n <= 0:
			w.end()
			return
		default:
			w.full = words[n-1] == sayFull
		}
	}
}

// end lets go of the hatch, if it is connected.
func (w *way) end() {
	if w.fd < 0 {
		return
	}
	delete(w.passing.lobby.hatches, w.fd)
	rawnet.Close(w.fd)
	w.fd = -1
}
