package main

import (
	"io"
	"net/http"
	"sync/atomic"
)

// door is a listener's handler: until the node is ready it says so, then it
// lets everybody through.
type door struct{ inside atomic.Pointer[http.Handler] }

func (d *door) open(h http.Handler) { d.inside.Store(&h) }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := d.inside.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	status, body := http.StatusServiceUnavailable, `{"error":{"code":"unavailable","message":"the node is starting","retryable":true,"retry_ms":1000}}`
	switch r.URL.Path {
	case "/healthz":
		status, body = http.StatusOK, `{"status":"ok"}`
	case "/readyz":
		body = `{"status":"starting"}`
	default:
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	io.WriteString(w, body+"\n")
}
