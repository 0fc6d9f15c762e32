package socket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// memLink is a link without a connection: the test plays the poller, in one goroutine.
type memLink struct {
	s     *Socket
	woken bool
	dead  bool
	shut  int
	room  int // bytes the peer takes before it blocks; below 0: all
	out   bytes.Buffer
	batch Batch
	buf   []byte
}

type memPoller struct{}

func (memPoller) name() string { return "memory" }
func (memPoller) stop()        {}
func (memPoller) take(s *Socket, c net.Conn) (link, error) {
	return &memLink{s: s, room: -1}, nil
}

func (l *memLink) start([]byte) {}
func (l *memLink) wake()        { l.woken = true }
func (l *memLink) kill()        { l.s.rouse(true) }
func (l *memLink) close()       { l.shut++ }
func (l *memLink) write(p []byte) (int, error) {
	if l.room < 0 || l.room >= len(p) {
		if l.room >= 0 {
			l.room -= len(p)
		}
		return l.out.Write(p)
	}
	n, _ := l.out.Write(p[:l.room])
	l.room = 0
	return n, errAgain
}

// receive and settle do what a poller's goroutines do.
func (l *memLink) receive(p []byte) {
	if l.s.enter() {
		// A poller's buffers are another's next, so what is kept must be a copy.
		own := bytes.Clone(p)
		l.s.receive(own, &l.buf)
		clear(own)
		clear(l.buf[:cap(l.buf)])
		l.s.exit()
	}
	l.settle()
}

func (l *memLink) settle() {
	for l.woken {
		l.woken = false
		if !l.s.enter() {
			return
		}
		out := l.s.flush(&l.batch)
		l.s.srv.metrics.sent(&l.batch.sent)
		clear(l.batch.buf[:cap(l.batch.buf)]) // the next to use it is another socket
		l.s.exit()
		switch out {
		case more:
			l.woken = true
		case ended:
			l.dead = true
			l.s.exit()
		}
	}
}

// pass lets time go by, tick by tick.
func (l *memLink) pass(d time.Duration) {
	w := l.s.srv.wheel
	for end := w.now.Load() + int64(d/tick); w.now.Load() < end; {
		now := w.now.Load() + 1
		for _, s := range w.advance(now, nil) {
			s.expire(w.base.Add(time.Duration(now) * tick))
		}
		l.settle()
	}
}

// memSocket is a socket over a memLink, after its handshake.
func memSocket(t testing.TB, o Options, h func(*Socket) Handler) (*Server, *memLink) {
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	srv := &Server{opts: o, wheel: newWheel(), reg: newRegistry(), poller: memPoller{}}
	srv.metrics = newCounters(o.Metrics, srv.reg.count, "memory")
	s, err := srv.Accept(&memResponse{}, handshake("http://x/", nil), AcceptOptions{Subprotocols: []string{testProtocol}, Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	l := s.link.(*memLink)
	l.settle()
	return srv, l
}

type memResponse struct {
	header http.Header
	peer   net.Conn // the other end of what was hijacked
}

func (r *memResponse) Header() http.Header {
	if r.header == nil {
		r.header = make(http.Header)
	}
	return r.header
}
func (r *memResponse) Write(p []byte) (int, error) { return len(p), nil }
func (r *memResponse) WriteHeader(int)             {}
func (r *memResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, d := net.Pipe()
	r.peer = d
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// recorder is a handler that only takes note.
type recorder struct {
	got    []string
	faults []Fault
	closed []CloseReason
	queue  [][]byte
	timers int
}

func (r *recorder) Frame(p []byte) { r.got = append(r.got, string(p)) }
func (r *recorder) Fill(b *Batch) {
	for ; len(r.queue) > 0 && !b.Full(); r.queue = r.queue[1:] {
		b.Frame(nil, r.queue[0], nil)
	}
}
func (r *recorder) Timer(time.Time) { r.timers++ }
func (r *recorder) Fault(f Fault) {
	r.faults = append(r.faults, f)
	r.queue = append(r.queue, []byte("bye"))
}
func (r *recorder) Closed(why CloseReason) { r.closed = append(r.closed, why) }

// When the link cannot be had (no descriptor left, say), the connection is closed
// and there is no socket.
func TestNoLink(t *testing.T) {
	o, _ := Options{}.withDefaults()
	srv := &Server{opts: o, wheel: newWheel(), reg: newRegistry(), poller: brokenPoller{}}
	srv.metrics = newCounters(o.Metrics, srv.reg.count, "broken")
	w := &memResponse{}
	_, err := srv.Accept(w, handshake("http://x/", nil), AcceptOptions{
		Subprotocols: []string{testProtocol},
		Handler:      func(*Socket) Handler { t.Error("a handler was made"); return nil },
	})
	if !errors.Is(err, errNoLink) || srv.reg.count() != 0 || srv.metrics.refused.Get() != 1 {
		t.Fatalf("%v, %d open, %d refused", err, srv.reg.count(), srv.metrics.refused.Get())
	}
	w.peer.SetReadDeadline(time.Now().Add(patience))
	if _, err := w.peer.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("the connection is still open: %v", err)
	}
}

type brokenPoller struct{ memPoller }

var errNoLink = errors.New("no link")

func (brokenPoller) take(*Socket, net.Conn) (link, error) { return nil, errNoLink }
