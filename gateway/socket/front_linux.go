package socket

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// front is a listener whose connections are in the lobby first.
type front struct {
	// Set at construction.
	p       *epoll
	addr    net.Addr
	fd      int // listens; closed by the poller's goroutine
	path    string
	handler http.Handler
	wait    time.Duration
	passing *passing // nil: there is nobody to pass to

	// Owned by the poller's goroutine.
	first, last *visitor
	paused      time.Time // accepts nothing before; zero: accepts

	mu     sync.Mutex
	more   sync.Cond
	handed []handed // guarded by mu: for Accept. At most as many as there are descriptors
	ended  bool     // guarded by mu
}

// deferAccept is for how many seconds the kernel keeps a connection to itself that
// has sent nothing. Who then has is read at once: one wake-up and one epoll_ctl less.
const deferAccept = 1

// handed is a connection that net/http is to have.
type handed struct {
	fd   int
	read []byte
}

// front has the poller accept l's connections.
func (p *epoll) front(l *net.TCPListener, o FrontOptions) (net.Listener, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("socket: listener: %w", err)
	}
	f := &front{p: p, addr: l.Addr(), path: o.Path, handler: o.Handler, wait: o.Wait}
	f.more.L = &f.mu
	ctl := raw.Control(func(fd uintptr) {
		if f.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			// Linux hands it on to the connections: a system call less for each.
			unix.SetsockoptInt(f.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
			unix.SetsockoptInt(f.fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferAccept)
		}
	})
	if err = errors.Join(ctl, err); err != nil {
		return nil, fmt.Errorf("socket: listener: %w", err)
	}
	if o.Passing != nil {
		if f.passing, err = newPassing(f, *o.Passing); err != nil {
			rawnet.Close(f.fd)
			return nil, err
		}
	}
	if !p.do(func() { err = p.lobby.open(f) }) {
		err = net.ErrClosed
	}
	if err != nil {
		rawnet.Close(f.fd)
		if f.passing != nil {
			rawnet.Close(f.passing.fd)
		}
		return nil, err
	}
	return f, nil
}

// tell has the fronts tell others whether they take more.
func (p *epoll) tell() {
	p.do(func() {
		for _, f := range p.lobby.fronts {
			f.passing.tell()
		}
	})
}

func (f *front) Addr() net.Addr { return f.addr }

// Accept waits for a connection that is net/http's.
func (f *front) Accept() (net.Conn, error) {
	for {
		h, ok := f.pop()
		if !ok {
			return nil, &net.OpError{Op: "accept", Net: f.addr.Network(), Addr: f.addr, Err: net.ErrClosed}
		}
		c, err := h.conn()
		if err == nil {
			return c, nil
		}
		f.p.srv.opts.Log.Debug("connection lost on its way to net/http", "err", err)
	}
}

// conn makes a net.Conn of the descriptor.
func (h handed) conn() (net.Conn, error) {
	file := os.NewFile(uintptr(h.fd), "connection")
	c, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("socket: no TCP connection"), c.Close())
	}
	t.SetKeepAlive(false) // which FileConn has turned on
	return newAhead(t, h.read), nil
}

// Close ends the front and those in the lobby that have sent nothing.
func (f *front) Close() error {
	f.p.do(func() { f.p.lobby.close(f) }) // if the poller has ended, it has done so
	return nil
}

// end has Accept fail, now that all is closed but what waits for it.
func (f *front) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	for _, h := range f.handed {
		rawnet.Close(h.fd)
	}
	f.handed = nil
	f.more.Broadcast()
}

// push leaves a connection to Accept, unless nobody will call it.
func (f *front) push(h handed) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return false
	}
	f.handed = append(f.handed, h)
	f.more.Signal()
	return true
}

func (f *front) pop() (h handed, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.handed) == 0 {
		if f.ended {
			return h, false
		}
		f.more.Wait()
	}
	h, f.handed = f.handed[0], f.handed[1:]
	return h, true
}

func (f *front) append(v *visitor) {
	if v.prev = f.last; f.last != nil {
		f.last.next = v
	} else {
		f.first = v
	}
	f.last = v
}

func (f *front) remove(v *visitor) {
	if v.prev != nil {
		v.prev.next = v.next
	} else {
		f.first = v.next
	}
	if v.next != nil {
		v.next.prev = v.prev
	} else {
		f.last = v.prev
	}
	v.prev, v.next = nil, nil
}
