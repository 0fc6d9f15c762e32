package socket

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// streams is the portable poller: goroutines per connection.
type streams struct{ srv *Server }

func (streams) name() string { return "goroutine" }
func (streams) stop()        {}

func (p streams) take(s *Socket, c net.Conn) (link, error) { return &stream{s: s, c: c}, nil }

// stream is a link over a net.Conn: one goroutine reads, and one writes while
// there is something to write. Both may wait for the peer as long as they like:
// they hold up nobody else.
type stream struct {
	s *Socket
	c net.Conn
}

// readRoom is what each connection holds to read into: enough for common frames.
const readRoom = 1 << 10

// Room for batches and messages is held only while there is something to do.
var (
	batches  = sync.Pool{New: func() any { return new(Batch) }}
	messages = sync.Pool{New: func() any { return new([]byte) }}
)

func (l *stream) start(first []byte) {
	l.s.srv.wg.Go(func() { l.read(first) })
}

// read serves the connection until it ends. It holds the link's reference.
func (l *stream) read(first []byte) {
	defer l.s.exit()
	if len(first) > 0 {
		l.receive(first)
	}
	room := make([]byte, readRoom)
	for {
		n, err := l.c.Read(room)
		if n > 0 {
			l.receive(room[:n])
		}
		if err != nil {
			l.s.kill(l.s.endWhy(CloseGone))
			return
		}
	}
}

func (l *stream) receive(p []byte) {
	buf := messages.Get().(*[]byte)
	l.s.receive(p, buf)
	messages.Put(buf)
}

// wake takes the reference for serve before there is a goroutine to wait for: the
// server may be past waiting for those of a socket that has ended.
func (l *stream) wake() {
	if l.s.enter() {
		l.s.srv.wg.Go(l.serve)
	}
}

// serve flushes until nothing is left. It gives wake's reference back.
func (l *stream) serve() {
	defer l.s.exit()
	b := batches.Get().(*Batch)
	defer batches.Put(b)
	for l.s.flush(b) == more {
	}
	l.s.srv.metrics.sent(&b.sent)
}

func (l *stream) write(p []byte) (int, error) {
	// A peer that takes a little now and then must not hold more than one
	// batch for long, so the deadline is for the whole of it.
	l.c.SetWriteDeadline(time.Now().Add(l.s.srv.opts.WriteTimeout))
	if l.s.killed() {
		return 0, net.ErrClosed // kill's deadline may just have been overwritten
	}
	return l.c.Write(p)
}

// kill ends what read and write wait for.
func (l *stream) kill() { l.c.SetDeadline(time.Unix(1, 0)) }

func (l *stream) close() {
	if l.s.clean() {
		l.c.Close()
		return
	}
	c := raw(l.c)
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// raw is the connection whose Close waits for nobody: TLS would first write its
// farewell.
func raw(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}
