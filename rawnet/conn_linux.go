package rawnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// conn is a connection with its descriptor's way in and out.
type conn struct {
	net.Conn
	raw     syscall.RawConn
	in, out half
}

// half is one direction: what one call at a time has to do. It is kept, and so is the
// method value, lest each call allocate them.
type half struct {
	mu   sync.Mutex
	p    []byte // guarded by mu: to be filled, or sent
	n    int    // guarded by mu: done of it
	err  error  // guarded by mu
	step func(fd uintptr) bool
}

// Of is the connection with such calls if it is a plain one, itself if not. The
// connection must not be used beside what is returned.
func Of(c net.Conn) net.Conn {
	var raw syscall.RawConn
	var err error
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return c
	}
	if err != nil {
		return c // closed: let it say so
	}
	w := &conn{Conn: c, raw: raw}
	w.in.step, w.out.step = w.in.read, w.out.write
	return w
}

// Read reads what is there, or waits for it.
func (c *conn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err = c.in.do(p, c.raw.Read)
	switch {
	case err != nil:
		return n, c.failed("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all of p, or says why not.
func (c *conn) Write(p []byte) (n int, err error) {
	if n, err = c.out.do(p, c.raw.Write); err != nil {
		return n, c.failed("write", err)
	}
	return n, nil
}

// failed is the error as the net package would give it.
func (c *conn) failed(op string, err error) error {
	if errno, ok := err.(unix.Errno); ok { // else it is the net package's own
		err = &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
	}
	return err
}

// do calls step until it is done, waiting in between.
func (h *half) do(p []byte, until func(func(uintptr) bool) error) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.p, h.n, h.err = p, 0, nil
	err := until(h.step)
	if h.err != nil {
		err = h.err
	}
	h.p = nil
	return h.n, err
}

func (h *half) read(fd uintptr) bool {
	for {
		switch h.n, h.err = Read(int(fd), h.p); h.err {
		case unix.EINTR:
		case unix.EAGAIN:
			h.err = nil
			return false
		default:
			return true
		}
	}
}

func (h *half) write(fd uintptr) bool {
	for h.n < len(h.p) {
		n, err := Write(int(fd), h.p[h.n:])
		switch err {
		case nil:
			h.n += n
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			h.err = err
			return true
		}
	}
	return true
}
