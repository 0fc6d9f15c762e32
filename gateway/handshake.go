package gateway

import (
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
)

// handshakeWriter gives a refused upgrade the error object that every other
// route has: the WebSocket library answers in plain text. The connection is
// hijacked through it (Unwrap, see http.ResponseController).
type handshakeWriter struct {
	http.ResponseWriter
	refused bool
}

func (w *handshakeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *handshakeWriter) WriteHeader(status int) {
	if status < http.StatusBadRequest || w.refused {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
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
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
