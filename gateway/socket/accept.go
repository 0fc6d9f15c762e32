package socket

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// AcceptOptions are for one handshake.
type AcceptOptions struct {
	// Subprotocols are those on offer, best first. A request that names none of
	// them is refused with HTTP 400.
	Subprotocols []string

	// Handler makes the socket's handler. It is called once, before any of the
	// handler's methods; it may use the socket.
	Handler func(*Socket) Handler
}

// Errors of Accept. The HTTP answer has been given.
var (
	ErrSubprotocol = errors.New("socket: no common subprotocol")
	ErrShutdown    = errors.New("socket: server is shut down")
)

// Accept does the handshake and takes over the connection. It returns once the
// socket is live; the HTTP handler then returns and holds nothing of it. On an
// error it has answered the request, and Handler was not called.
func (s *Server) Accept(w http.ResponseWriter, r *http.Request, opts AcceptOptions) (*Socket, error) {
	if s.reg.closed() {
		s.metrics.refused.Inc()
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return nil, ErrShutdown
	}
	protocol := choose(r.Header, opts.Subprotocols)
	if protocol == "" {
		s.metrics.refused.Inc()
		http.Error(w, "a subprotocol is required: "+strings.Join(opts.Subprotocols, ", "), http.StatusBadRequest)
		return nil, ErrSubprotocol
	}
	// The library compares without regard to case and answers with the peer's
	// spelling, which nobody here knows: it is shown our choice only.
	r.Header.Set("Sec-WebSocket-Protocol", protocol)
	hj := &hijack{ResponseWriter: w, srv: s, deflate: s.opts.Deflate && offersDeflate(r.Header)}
	ws, err := websocket.Accept(hj, r, &websocket.AcceptOptions{
		Subprotocols:    opts.Subprotocols,
		OriginPatterns:  s.opts.OriginPatterns,
		CompressionMode: websocket.CompressionDisabled, // see deflate.go
	})
	if err != nil {
		s.metrics.refused.Inc()
		return nil, err
	}
	if hj.err != nil {
		s.metrics.refused.Inc()
		ws.CloseNow()
		return nil, hj.err
	}
	sock := hj.sock
	hj.br.Reset((*library)(sock)) // the library put a reader of its own before it
	ws.SetReadLimit(s.opts.MaxFrame)
	sock.ws = ws
	if !s.reg.add(sock) {
		s.metrics.refused.Inc()
		ws.CloseNow()
		sock.link.close()
		return nil, ErrShutdown
	}
	s.metrics.accepted.Inc()
	sock.handler = opts.Handler(sock)
	sock.born.Store(true)
	sock.link.start(hj.first)
	if sock.settle(idle) == more { // somebody woke it meanwhile
		sock.link.wake()
	}
	return sock, nil
}

// hijack stands between the library and net/http: it takes the connection for
// the link, and gives the library buffers just large enough for it.
type hijack struct {
	http.ResponseWriter
	srv   *Server
	sock  *Socket
	br    *bufio.Reader
	first []byte // what the peer sent ahead of our answer
	err   error  // the link could not be had

	deflate bool // permessage-deflate has been agreed to
}

// WriteHeader adds to the library's answer what it does not know of.
func (h *hijack) WriteHeader(status int) {
	if h.deflate && status == http.StatusSwitchingProtocols {
		h.Header().Set("Sec-WebSocket-Extensions", deflateAnswer)
	}
	h.ResponseWriter.WriteHeader(status)
}

func (h *hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s := &Socket{srv: h.srv, deflate: h.deflate}
	if v, ok := c.(*visit); ok {
		s.remote = v.remote
		h.first = append(h.first, v.first...)
	} else {
		s.remote = addrPort(c.RemoteAddr())
		buffered, _ := rw.Reader.Peek(rw.Reader.Buffered())
		h.first = append(h.first, buffered...)
	}
	if a, ok := c.(*ahead); ok {
		h.first = append(h.first, a.read...)
		c = a.TCPConn
	}
	s.refs.Store(1)
	s.waking.Store(running) // holds off flush until the handler is there
	s.heard.Store(h.srv.wheel.now.Load())
	if s.link, h.err = h.srv.poller.take(s, c); h.err != nil {
		c.Close() // not told to the library: it would answer over a connection that is no longer HTTP's
	}
	h.sock = s
	l := (*library)(s)
	h.br = bufio.NewReaderSize(l, headerBuffer)
	return l, bufio.NewReadWriter(h.br, bufio.NewWriterSize(l, controlBuffer)), nil
}

// choose is the first of protocols that the request names, as it is spelled here;
// "" if it names none.
func choose(h http.Header, protocols []string) string {
	for _, p := range protocols {
		for _, line := range h.Values("Sec-WebSocket-Protocol") {
			for token := range strings.SplitSeq(line, ",") {
				if strings.TrimSpace(token) == p {
					return p
				}
			}
		}
	}
	return ""
}
