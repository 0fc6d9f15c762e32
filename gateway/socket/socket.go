package socket

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Socket is one client's WebSocket. All its methods may be called from any
// goroutine, never block, and do nothing once the socket is gone.
type Socket struct {
	// Set at construction.
	srv     *Server
	handler Handler
	link    link
	ws      *websocket.Conn
	id      uint64 // of the registry
	remote  netip.AddrPort
	deflate bool // messages may be compressed, both ways

	// refs counts who works with the socket, and one for the link while it
	// serves it. At zero the socket ends, and enter fails for good.
	refs atomic.Int32
	why  atomic.Pointer[CloseReason] // set once, by the kill that won

	born   atomic.Bool   // handler is set: Accept's last word
	waking atomic.Uint32 // one of the wake states
	heard  atomic.Int64  // the wheel's tick of the last frame
	due    [dues]atomic.Int64
	node   wheelNode // guarded by the wheel's mu

	in   inbound // owned by the reading turn
	rest []byte  // owned by flush: what the peer has not yet taken of the last batch

	end ending

	mu   sync.Mutex
	pong []byte // guarded by mu: the pong to send next. A newer one replaces it (RFC 6455, 5.5.3)
}

// Heard is when the last whole frame was received, control frames included; at
// most about 100 ms off. At first it is when the socket was accepted.
func (s *Socket) Heard() time.Time {
	return s.srv.wheel.base.Add(time.Duration(s.heard.Load()) * tick)
}

// RemoteAddr is the peer's address as the listener saw it.
func (s *Socket) RemoteAddr() netip.AddrPort { return s.remote }

// Subprotocol is the one agreed in the handshake.
func (s *Socket) Subprotocol() string { return s.ws.Subprotocol() }

// enter takes a reference. It fails once the socket has ended.
func (s *Socket) enter() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// exit gives a reference back. The last one ends the socket.
func (s *Socket) exit() {
	if s.refs.Add(-1) == 0 {
		s.finish()
	}
}

// kill has the socket end as soon as nobody works with it. The first call wins.
func (s *Socket) kill(why CloseReason) {
	if s.why.CompareAndSwap(nil, &why) {
		s.link.kill()
	}
}

func (s *Socket) killed() bool { return s.why.Load() != nil }

// clean says that the close handshake is complete: nothing is lost by an orderly
// end. Otherwise the connection is reset, lest a dead peer's bytes stay in the
// kernel for the minutes that TCP goes on trying.
func (s *Socket) clean() bool { return s.end.answered.Load() && s.end.done.Load() }

// finish runs once, when the last reference is gone.
func (s *Socket) finish() {
	s.srv.wheel.remove(s)
	s.ws.CloseNow() // only lets go of the library's state; its error says that it was closed before
	s.link.close()
	s.in, s.rest = inbound{}, nil
	why := *s.why.Load() // the link gives its reference back only after a kill
	s.srv.metrics.closed(why)
	s.handler.Closed(why)
	s.srv.forget(s)
}

// addrPort is the peer's address, the zero value if it has no port.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
