package gateway

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/gateway/wire"
)

func newSockets(o Options) (*socket.Server, error) {
	so := o.Socket
	so.Metrics, so.Log, so.MaxFrame, so.OriginPatterns = o.Metrics, o.Log, wire.MaxFrame, slices.Clone(o.Origins)
	so.Deflate = o.CompressAbove > 0
	return socket.NewServer(so)
}

// socketPath is where sockets are opened.
const socketPath = "/v1/ws"

// Front is a listener for the http.Server of Handler in place of l: it answers
// plain upgrades by itself, by the same rules (see socket.Server.Front). l may be
// closed then, unless it is what is returned. It ends with its Close, or Close.
func (g *Gateway) Front(l net.Listener) (net.Listener, error) {
	front, err := g.sockets.Front(l, socket.FrontOptions{Path: socketPath, Handler: g.upgrades(), Passing: g.passes()})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return front, nil
}

// subprotocols are the names that a client may ask for, the preferred first.
func subprotocols() []string {
	var all []string
	for _, c := range wire.Codecs {
		all = append(all, c.Subprotocol)
	}
	return all
}

// serveSocket upgrades to a WebSocket. The socket then lives without this
// request's goroutine.
func (g *Gateway) serveSocket(w http.ResponseWriter, r *http.Request) {
	if phase(g.phase.Load()) == draining {
		bye := wire.ByeFor(wire.CloseDraining)
		g.metrics.handshakes.with("draining", "").Inc()
		writeError(w, &feedengine.Error{Code: feedengine.Overloaded, Message: "this node is draining", Retry: bye.Retry})
		return
	}
	now := time.Now()
	if why := g.admission.upgrade(now); why != admitted { // the cheapest refusal there is
		g.metrics.handshakes.with("overloaded", "").Inc()
		g.admission.answer503(w, why, now)
		return
	}
	s := &session{g: g, bearer: bearerOf(r), expires: now.Add(firstFrame).UnixMilli()}
	if !g.sessions.reserve(s) {
		g.metrics.handshakes.with("full", "").Inc()
		g.admission.answer503(w, overSockets, now)
		return
	}
	g.metrics.moved(closed, opening)
	sock, err := g.sockets.Accept(&handshakeWriter{ResponseWriter: w}, r, socket.AcceptOptions{
		Subprotocols: subprotocols(),
		Handler:      func(sock *socket.Socket) socket.Handler { return s.take(sock, sock.Subprotocol()) },
	})
	switch {
	case err == nil:
		g.metrics.handshakes.with("accepted", sock.Subprotocol()).Inc()
		g.log.Debug("socket opened", "session", uint64(s.id), "request", requestID(r), "remote", sock.RemoteAddr())
		s.opened()
		sock.SetTimer(time.Now().Add(firstFrame))
		if phase(g.phase.Load()) == draining { // since it was asked above: Drain may have passed s by
			s.end(wire.ByeFor(wire.CloseDraining))
		}
		return
	case s.sock == nil: // else Closed has been called
		g.metrics.moved(opening, closed)
		g.sessions.remove(s)
	}
	g.metrics.handshakes.with("refused", "").Inc()
	g.log.Debug("handshake refused", "request", requestID(r), "remote", r.RemoteAddr, "err", err)
}

// take gives the session its socket, which must not be used yet.
func (s *session) take(sock conn, subprotocol string) *session {
	s.sock = sock
	s.codec = uint8(wire.CodecOf(subprotocol))
	s.g.sessions.publish(s)
	return s
}
