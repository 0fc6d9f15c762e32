package lean

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// Handler is called by a connection's loop, one call at a time. It must not wait:
// thousands of other connections would wait with it.
type Handler interface {
	// Opened: the handshake is done.
	Opened(c *Conn)
	// Text takes a message. p is valid only during the call.
	Text(c *Conn, p []byte)
	// Closed is the last call, exactly once for each Conn that Dial returned.
	Closed(c *Conn, end End)
}

// Conn is one client. Its methods may be called from any goroutine, and never wait.
type Conn struct {
	// Set at construction.
	loop    *loop
	handler Handler
	fd      int32
	source  int32 // index in the pool's sources; -1: none

	// Owned by the loop.
	in      inbound
	opening *opening // nil once open
	end     *End     // set by what ends the connection first

	mu      sync.Mutex
	state   state  // guarded by mu; changed by the loop, and to closing by Close
	paused  bool   // guarded by mu
	dropped bool   // guarded by mu: Drop was called
	armed   uint32 // guarded by mu: what epoll watches for
	out     []byte // guarded by mu: what the kernel has not taken yet, at most maxOut and one message
}

// state is how far a connection is. It only goes forward.
type state uint8

const (
	connecting state = iota
	upgrading        // the request was sent, or is in out
	open
	closing // our close frame was sent
	gone    // the descriptor is closed
)

// maxOut is how many bytes may wait in a connection before Send refuses more.
const maxOut = 256 << 10

// frames are buffers for one frame each, so that connections need none.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// Send sends one text message. What the kernel does not take at once is kept, and
// ErrFull returned when too much of that waits already.
func (c *Conn) Send(text []byte) error { return c.send(bitFin|opText, text) }

// SendParts sends one text message in as many fragments.
func (c *Conn) SendParts(parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range parts {
		first := byte(opContinuation)
		if i == 0 {
			first = opText
		}
		if i == len(parts)-1 {
			first |= bitFin
		}
		if err := c.sendLocked(first, p); err != nil {
			return err
		}
	}
	return nil
}

// Ping sends a ping of at most 125 bytes. Nobody is told of the pong.
func (c *Conn) Ping(p []byte) error { return c.send(bitFin|opPing, p[:min(len(p), maxControl)]) }

// Close begins the close handshake. Closed comes when the server has answered and
// ended the connection, or Options.Timeout later.
func (c *Conn) Close(code int, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := binary.BigEndian.AppendUint16(nil, uint16(code))
	return c.closeLocked(append(p, reason[:min(len(reason), maxControl-2)]...))
}

// Drop resets the connection: no close frame, RST.
func (c *Conn) Drop() {
	c.mu.Lock()
	first := !c.dropped && c.state != gone
	c.dropped = true
	c.mu.Unlock()
	if first {
		c.loop.ask(c)
	}
}

// Pause has the connection read nothing until Resume: the kernel's buffers fill
// up, and the server sees a client that takes no more. A paused connection does
// not notice that the server closed.
func (c *Conn) Pause() { c.setPaused(true) }

// Resume ends Pause.
func (c *Conn) Resume() { c.setPaused(false) }

func (c *Conn) setPaused(paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = paused
	c.arm()
}

func (c *Conn) send(first byte, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendLocked(first, p)
}

func (c *Conn) sendLocked(first byte, p []byte) error {
	if c.state != open {
		return ErrNotOpen
	}
	if len(c.out) > maxOut {
		return ErrFull
	}
	return c.frameLocked(first, p)
}

func (c *Conn) frameLocked(first byte, p []byte) error {
	b := frames.Get().(*[]byte)
	*b = appendFrame((*b)[:0], first, rand.Uint32(), p)
	err := c.write(*b)
	frames.Put(b)
	return err
}

func (c *Conn) closeLocked(payload []byte) error {
	if c.state != open {
		return ErrNotOpen
	}
	c.state = closing
	c.loop.due(c)
	return c.frameLocked(bitFin|opClose, payload)
}

// write sends p, or keeps what the kernel does not take. An error is told again
// by epoll, to the loop. c.mu is held.
func (c *Conn) write(p []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, p...)
		return nil
	}
	n, err := writeSome(int(c.fd), p)
	if err != nil {
		return err
	}
	if n < len(p) {
		c.out = append([]byte(nil), p[n:]...)
		c.arm()
	}
	return nil
}

// flush sends what waits. c.mu is held.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	n, err := writeSome(int(c.fd), c.out)
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
	}
	return err
}

// writeSome writes until the kernel takes no more.
func writeSome(fd int, p []byte) (done int, err error) {
	for done < len(p) {
		n, err := rawnet.Write(fd, p[done:])
		switch err {
		case nil:
			done += n
		case unix.EINTR:
		case unix.EAGAIN:
			return done, nil
		default:
			return done, err
		}
	}
	return done, nil
}

// arm has epoll watch for what the connection needs next. c.mu is held.
func (c *Conn) arm() {
	if c.state == gone {
		return
	}
	want := uint32(0)
	if !c.paused && c.state != connecting {
		want |= unix.EPOLLIN
	}
	if len(c.out) > 0 || c.state == connecting {
		want |= unix.EPOLLOUT
	}
	if want != c.armed {
		c.armed = want
		// Cannot fail: the descriptor is registered as long as it is open.
		c.loop.ep.Ctl(unix.EPOLL_CTL_MOD, int(c.fd), uint64(c.fd), want)
	}
}
