package socket

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

const (
	// acceptsAtOnce is how many connections a front takes, and most likely
	// upgrades, before those who are here have their turn.
	acceptsAtOnce = 16
	// acceptPause is how long a front that the system refuses descriptors waits.
	acceptPause = 50 * time.Millisecond
	// requestRoom is the size in bytes of the largest request that is read here.
	requestRoom = 16 << 10

	visits = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
)

// lobby is where connections are until their first bytes have come, unless these
// were there before it. Only the poller's goroutine uses it. A visitor costs 100
// bytes and no system call but its epoll_ctl, however long it makes up its mind.
type lobby struct {
	p        *epoll
	fronts   map[int]*front   // by listening descriptor
	visitors map[int]*visitor // by descriptor: at most as many as the process may have
	hatches  map[int]func()   // of what is between fronts, by descriptor: takes epoll's word
	arrival  visitor          // who was accepted, or passed here, last
	room     []byte
	request  *upgradeRequest
	fields   http.Header // of the answer
}

// visitor is a connection that has sent nothing so far.
type visitor struct {
	front      *front
	fd         int
	watched    bool // by epoll: it has had to wait
	passed     bool // by another front
	remote     netip.AddrPort
	due        time.Time // when it has sent nothing for too long
	prev, next *visitor  // of the same front, in the order in which they came
}

func newLobby(p *epoll) *lobby {
	return &lobby{p: p, fronts: map[int]*front{}, visitors: map[int]*visitor{}, hatches: map[int]func(){}, request: newUpgradeRequest(), fields: make(http.Header, 8)}
}

// event takes epoll's word for a descriptor of the lobby. What was closed or has
// become a socket in the same round is not known any more.
func (b *lobby) event(fd int) {
	if f := b.fronts[fd]; f != nil {
		b.accept(f)
	} else if v := b.visitors[fd]; v != nil {
		b.hear(v)
	} else if hear := b.hatches[fd]; hear != nil {
		hear()
	}
}

// due is when expire is to be called at the latest; zero: not.
func (b *lobby) due() (due time.Time) {
	for _, f := range b.fronts {
		if !f.paused.IsZero() && (due.IsZero() || f.paused.Before(due)) {
			due = f.paused
		}
		if f.first != nil && (due.IsZero() || f.first.due.Before(due)) {
			due = f.first.due
		}
	}
	return due
}

// expire sends those away who have been silent for too long, and lets fronts
// accept again.
func (b *lobby) expire() {
	for _, f := range b.fronts {
		f.passing.tell()
		if f.first == nil && f.paused.IsZero() {
			continue
		}
		now := time.Now()
		for f.first != nil && !now.Before(f.first.due) {
			b.p.srv.metrics.fronts[frontSilent].Inc()
			b.drop(f.first)
		}
		if !f.paused.IsZero() && !now.Before(f.paused) {
			f.paused = time.Time{}
			b.listen(f, unix.EPOLLIN)
		}
	}
}

// pause has a front accept nothing for a while: the system has no descriptors, or
// no memory, and it would be told again at once.
func (b *lobby) pause(f *front, why error) {
	b.p.srv.opts.Log.Warn("accept: waiting before the next", "err", why, "wait", acceptPause)
	f.paused = time.Now().Add(acceptPause)
	b.listen(f, 0)
}

func (b *lobby) listen(f *front, events uint32) {
	b.p.watch(unix.EPOLL_CTL_MOD, f.fd, uint64(f.fd), events)
	if f.passing != nil {
		b.p.watch(unix.EPOLL_CTL_MOD, f.passing.fd, uint64(f.passing.fd), events)
	}
}

func (b *lobby) accept(f *front) {
	now := time.Now()
	for range acceptsAtOnce {
		fd, from, err := rawnet.Accept(f.fd)
		switch err {
		case nil:
		case unix.EINTR, unix.ECONNABORTED:
			continue
		case unix.EAGAIN:
			return
		default:
			b.pause(f, err)
			return
		}
		b.arrival = visitor{front: f, fd: fd, remote: from, due: now.Add(f.wait)}
		if !b.hear(&b.arrival) {
			v := b.arrival
			b.admit(&v)
		}
	}
}

// admit lets a connection wait for its first bytes.
func (b *lobby) admit(v *visitor) {
	v.watched = true
	if err := b.p.watch(unix.EPOLL_CTL_ADD, v.fd, uint64(v.fd), visits); err != nil {
		b.p.srv.opts.Log.Warn("connection not polled", "err", err)
		rawnet.Close(v.fd)
		return
	}
	b.visitors[v.fd] = v
	v.front.append(v)
}

// hear reads a visitor's first bytes, and decides. It says false when there are none.
func (b *lobby) hear(v *visitor) bool {
	n, err := rawnet.Read(v.fd, b.room)
	for err == unix.EINTR {
		n, err = rawnet.Read(v.fd, b.room)
	}
	switch {
	case err == unix.EAGAIN:
		return false
	case n <= 0:
		b.p.srv.metrics.fronts[frontGone].Inc()
		b.drop(v)
		return true
	}
	b.forget(v)
	b.judge(v, b.room[:n])
	return true
}

// judge decides what becomes of a connection that has sent this.
func (b *lobby) judge(v *visitor, read []byte) {
	r, rest, ok := b.request.parse(read, v.front.path)
	defer b.request.forget() // lest a token stay
	if !ok {
		b.hand(v, read)
		return
	}
	if v.front.passing.pass(v, r, read) {
		return
	}
	r.RemoteAddr = v.remote.String()
	clear(b.fields)
	b.serve(&reply{srv: b.p.srv, visitor: v, rest: rest, header: b.fields}, r)
}

// serve has the handler answer, and does with the connection what the answer says.
func (b *lobby) serve(w *reply, r *http.Request) {
	v := w.visitor
	defer func() {
		if why := recover(); why != nil { // as net/http: a handler ends its connection, not the process
			b.p.srv.opts.Log.Error("panic in an upgrade", "why", fmt.Sprint(why))
			if !w.taken {
				rawnet.Close(v.fd)
			}
		}
	}()
	v.front.handler.ServeHTTP(w, r)
	if w.taken {
		return
	}
	b.p.srv.metrics.fronts[frontRefused].Inc()
	w.WriteHeader(http.StatusOK)
	if err := w.send(); err != nil || w.header.Get("Connection") == "close" {
		rawnet.Close(v.fd)
		return
	}
	b.hand(v, w.rest) // it may ask for something else
}

// hand leaves a connection to net/http.
func (b *lobby) hand(v *visitor, read []byte) {
	b.p.srv.metrics.fronts[frontHanded].Inc()
	if v.watched {
		b.p.watch(unix.EPOLL_CTL_DEL, v.fd, 0, 0)
	}
	if !v.front.push(handed{v.fd, append([]byte(nil), read...)}) {
		rawnet.Close(v.fd)
	}
}

// forget takes a visitor out of the lobby.
func (b *lobby) forget(v *visitor) {
	if !v.watched {
		return
	}
	delete(b.visitors, v.fd)
	v.front.remove(v)
}

func (b *lobby) drop(v *visitor) {
	b.forget(v)
	rawnet.Close(v.fd)
}

// open begins to accept for f.
func (b *lobby) open(f *front) error {
	if err := b.p.watch(unix.EPOLL_CTL_ADD, f.fd, uint64(f.fd), unix.EPOLLIN); err != nil {
		return fmt.Errorf("socket: epoll_ctl: %w", err)
	}
	if b.room == nil {
		b.room = make([]byte, requestRoom)
	}
	if err := f.passing.open(); err != nil {
		b.p.watch(unix.EPOLL_CTL_DEL, f.fd, 0, 0)
		return err
	}
	b.fronts[f.fd] = f
	return nil
}

// close ends a front and those who wait in it.
func (b *lobby) close(f *front) {
	if b.fronts[f.fd] != f {
		return
	}
	for f.first != nil {
		b.drop(f.first)
	}
	f.passing.close()
	delete(b.fronts, f.fd)
	rawnet.Close(f.fd)
	f.end()
}

// closeAll ends all fronts.
func (b *lobby) closeAll() {
	for _, f := range b.fronts {
		b.close(f)
	}
}
