package socket

import (
	"sync/atomic"

	"github.com/coder/websocket"
)

// ending is how far a socket's close handshake has come.
type ending struct {
	faulted  atomic.Bool // Handler.Fault was called
	begun    atomic.Bool // no Frame begins any more
	byPeer   atomic.Bool // the peer began it: nothing but a close frame is still sent
	answered atomic.Bool // the peer's close frame is here
	sealed   atomic.Bool // the library gets nothing more to read
	done     atomic.Bool // our close frame was written

	framed bool // owned by flush: our close frame is in the last batch

	// Guarded by Socket.mu.
	code   int
	reason string
	cause  CloseReason // what the close counts as, unless it comes to something worse
	frame  []byte      // the close frame the library made
}

// Close sends what Fill still gives, then a close frame with code and reason (at
// most 123 bytes of it), waits for the peer's, and ends the connection; all
// within Options.CloseTimeout. The first call wins. No Frame begins after it.
func (s *Socket) Close(code int, reason string) { s.beginClose(code, reason, CloseServer) }

// Abort drops the connection at once: no close frame, and what the peer has not
// yet taken is lost.
func (s *Socket) Abort(why CloseReason) {
	if why == "" {
		why = CloseAborted
	}
	s.kill(why)
}

func (s *Socket) beginClose(code int, reason string, cause CloseReason) {
	s.mu.Lock()
	first := s.end.cause == ""
	if first {
		s.end.code, s.end.reason, s.end.cause = code, reason[:min(len(reason), maxControl-2)], cause
	}
	s.mu.Unlock()
	if !first {
		return
	}
	s.end.begun.Store(true)
	s.disarm(dueRead)
	s.arm(dueClose, s.srv.wheel.in(s.srv.opts.CloseTimeout))
	s.Wake() // a blocked socket comes to it once the peer takes the rest, or dueClose ends it
}

// over says that no Frame may begin any more.
func (s *Socket) over() bool { return s.end.faulted.Load() || s.end.begun.Load() }

// violate tells the handler and closes. Not more than once, and not after Close.
func (s *Socket) violate(f Fault) {
	if s.end.begun.Load() || !s.end.faulted.CompareAndSwap(false, true) {
		return
	}
	s.srv.metrics.fault(f.Code)
	s.handler.Fault(f)
	s.beginClose(f.Code, f.Reason, CloseFault)
}

// peerClosed takes the peer's close frame, which the library has answered.
func (s *Socket) peerClosed() {
	s.end.byPeer.Store(true)
	s.end.answered.Store(true)
	s.beginClose(0, "", ClosePeer)
	s.checkEnd()
}

// closeFrame has the library make the close frame, unless it has made one
// already (to answer the peer's, or to name its violation). It does not wait:
// sealed, the library finds nothing to read and gives up the peer's answer,
// which the reading turn looks for instead.
func (s *Socket) closeFrame() []byte {
	s.end.sealed.Store(true)
	s.mu.Lock()
	code, reason := s.end.code, s.end.reason
	s.mu.Unlock()
	s.ws.Close(websocket.StatusCode(code), reason)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end.frame
}

// checkEnd ends the socket when both close frames have gone their way.
func (s *Socket) checkEnd() {
	if s.clean() {
		s.kill(s.endWhy(ClosePeer))
	}
}

// endWhy is what the close handshake under way counts as, or otherwise why.
func (s *Socket) endWhy(why CloseReason) CloseReason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.cause != "" {
		return s.end.cause
	}
	return why
}
