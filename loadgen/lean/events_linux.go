package lean

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// What the loop does with one connection's events. All here runs on the loop's
// goroutine, the only one that closes descriptors.

// event takes epoll's word.
func (c *Conn) event(events uint32) {
	c.mu.Lock()
	st, paused := c.state, c.paused
	var err error
	if st == connecting {
		err = c.connected()
		st = upgrading
	} else if events&unix.EPOLLOUT != 0 {
		err = c.flush()
	}
	c.arm()
	c.mu.Unlock()
	switch {
	case err != nil:
		c.finish(err)
	case events&unix.EPOLLIN != 0 && !paused, events&(unix.EPOLLHUP|unix.EPOLLERR) != 0:
		c.read()
	}
}

// connected sends the request, or says why there is no connection. c.mu is held.
func (c *Conn) connected() error {
	if no, err := rawnet.Getsockopt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || no != 0 {
		if err == nil {
			err = unix.Errno(no)
		}
		return fmt.Errorf("lean: connect: %w", err)
	}
	c.state = upgrading
	request := c.opening.request
	c.opening.request = nil
	return c.write(request)
}

// read takes what is there, up to the loop's room: epoll tells again of the rest.
func (c *Conn) read() {
	n, err := rawnet.Read(int(c.fd), c.loop.room)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		c.finish(fmt.Errorf("lean: read: %w", err))
	default:
		c.take(c.loop.room[:n], n == 0)
	}
}

// take takes bytes from the server, or with ended the end of its side.
func (c *Conn) take(p []byte, ended bool) {
	if c.opening != nil {
		rest, done, err := c.opening.answer(p, ended)
		if err != nil {
			c.finish(err)
			return
		}
		if !done {
			return
		}
		c.opening = nil
		c.mu.Lock()
		c.state = open
		c.mu.Unlock()
		<-c.loop.pool.opening
		c.handler.Opened(c)
		p = rest
	}
	if c.end == nil { // else its close frame has been taken
		closed, err := c.in.feed(p, c.loop.pool.opts.MaxMessage, c)
		if closed {
			c.in = inbound{}
		}
		if err != nil {
			c.answerClose(1002)
			c.finish(err)
			return
		}
	}
	if ended {
		c.finish(ErrGone)
	}
}

// text and control make Conn a sink.
func (c *Conn) text(p []byte) { c.handler.Text(c, p) }

func (c *Conn) control(op byte, p []byte) {
	switch op {
	case opPing:
		c.send(bitFin|opPong, p) // when it fails, the end is near and told by epoll
	case opClose:
		c.end = &End{Code: 1005}
		if len(p) >= 2 {
			c.end.Code, c.end.Reason = int(binary.BigEndian.Uint16(p)), string(p[2:])
		}
		c.answerClose(c.end.Code)
	}
}

// answerClose sends a close frame unless one was sent.
func (c *Conn) answerClose(code int) {
	var p []byte
	if code != 1005 {
		p = binary.BigEndian.AppendUint16(p, uint16(code))
	}
	c.mu.Lock()
	c.closeLocked(p) // fails when we began, or when all is over
	c.mu.Unlock()
}

// overdue: the handshake, or the server's end after the close, took too long.
func (c *Conn) overdue() {
	c.mu.Lock()
	st := c.state
	c.mu.Unlock()
	switch st {
	case connecting, upgrading:
		c.finish(ErrTimeout)
	case closing:
		c.finish(ErrClosing)
	}
}

// drop does what Drop asked for.
func (c *Conn) drop() { c.finish(ErrDropped) }

// finish closes the descriptor and tells the handler, once.
func (c *Conn) finish(why error) {
	c.mu.Lock()
	if c.state == gone {
		c.mu.Unlock()
		return
	}
	c.state, c.out = gone, nil
	if c.dropped {
		why = ErrDropped
	}
	c.loop.forget(c)
	if why != ErrGone {
		// RST, lest the kernel keep what the server does not take.
		unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	rawnet.Close(int(c.fd))
	c.mu.Unlock()

	p := c.loop.pool
	if c.source >= 0 {
		p.sources.give(int(c.source))
	}
	if c.opening != nil {
		c.opening = nil
		<-p.opening
	}
	c.in = inbound{}
	end := End{Err: why}
	if c.end != nil {
		end = *c.end
		if why != ErrGone {
			end.Err = why
		}
	}
	p.live.Add(-1)
	c.handler.Closed(c, end)
}
