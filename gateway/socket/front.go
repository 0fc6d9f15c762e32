package socket

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/feedgate/feedgate/rawnet"
)

// FrontOptions say what a front does itself.
type FrontOptions struct {
	Path    string        // of the upgrades, such as /v1/ws
	Handler http.Handler  // of such requests, as they would come from net/http; it calls Accept or answers, does not wait, and keeps neither request nor writer
	Wait    time.Duration // for the first byte of a connection; default 5 s
	Passing *Passing      // to and from other processes at this address; optional
}

// Front returns a listener for an http.Server in place of l, which may be closed
// then. With epoll it accepts by itself, where it can only those that have sent
// something (for a second, see deferAccept), keeps others in epoll until they have, and gives those that begin with a plain upgrade, whole and
// well-formed, to the handler at once. All others are the http.Server's: with what
// they have sent, as if nobody had looked. Where there is no epoll, or l is no TCP
// listener, it is l.
//
// That leaves out, per handshake: a goroutine and its stack, two buffers of 4 KB,
// the runtime's poller (two epoll_ctl and a wake-up for every event), a duplicate
// of the descriptor and its timers. Together with plain TCP in place of MPTCP that
// was 50 of the 200 µs of CPU that a handshake took (cmd/benchsockets, 2 cores).
//
// The listener's Close ends the connections that have sent nothing.
func (s *Server) Front(l net.Listener, o FrontOptions) (net.Listener, error) {
	orElse(&o.Wait, 5*time.Second)
	p, ok := s.poller.(fronter)
	t, tcp := l.(*net.TCPListener)
	if !ok || !tcp {
		return l, nil
	}
	return p.front(t, o)
}

// fronter is a poller that can have fronts.
type fronter interface {
	front(*net.TCPListener, FrontOptions) (net.Listener, error)
	tell()
}

// visit is a connection that a front has upgraded: what Accept's Hijack gets in
// place of a net.Conn. It only carries; the link reads and writes.
type visit struct {
	net.Conn // nil: nothing is ever read or written through it
	fd       int
	watched  bool // by epoll
	remote   netip.AddrPort
	first    []byte // what came behind the request
	end      func() // closes the descriptor
}

func (v *visit) Close() error { v.end(); return nil }

// ahead is a connection that a front left to net/http, with what was read of it.
type ahead struct {
	*net.TCPConn
	raw  net.Conn // the same, as rawnet reads and writes it
	read []byte
}

// newAhead is the connection, of which p has been read.
func newAhead(c *net.TCPConn, p []byte) *ahead { return &ahead{TCPConn: c, raw: rawnet.Of(c), read: p} }

func (c *ahead) Write(p []byte) (int, error) { return c.raw.Write(p) }

func (c *ahead) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.raw.Read(p)
	}
	n := copy(p, c.read)
	c.read = c.read[n:]
	return n, nil
}
