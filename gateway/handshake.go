package gateway

import (
	"bufio"
	"net"
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
)

// handshakeWriter gives a refused upgrade the error object that every other
// route has: the WebSocket library answers in plain text.
type handshakeWriter struct {
	http.ResponseWriter
	mute bool // the answer has been given, or the connection was handed over
}

// Hijack hands the connection over. What fails after it can be told nobody.
func (w *handshakeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.mute = w.mute || err == nil
	return c, rw, err
}

func (w *handshakeWriter) WriteHeader(status int) {
	if w.mute {
		return
	}
	if status < http.StatusBadRequest {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.mute = true
	code := feedengine.BadRequest
	message := "this is a WebSocket: an upgrade with the subprotocol feedgate.v1.json is needed"
	switch status {
	case http.StatusForbidden:
		code, message = feedengine.Forbidden, "this origin may not connect"
	case http.StatusServiceUnavailable:
		code, message = feedengine.Unavailable, "this node is stopping"
	case http.StatusInternalServerError, http.StatusNotImplemented:
		code, message = feedengine.Internal, "the upgrade failed"
	}
	w.Header().Del("Content-Length")
	writeErrorStatus(w.ResponseWriter, status, feedengine.Refuse(code, message))
}

// Write drops the library's text.
func (w *handshakeWriter) Write(p []byte) (int, error) {
	if w.mute {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
