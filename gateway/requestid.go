package gateway

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// requestHeader names a request in logs on both sides.
const requestHeader = "X-Request-Id"

// maxRequestID is the length of the longest request id taken from a client.
const maxRequestID = 64

// withRequestID keeps a request's id, or gives it one, and tells it in the answer.
func withRequestID(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestHeader)
		if !goodRequestID(id) {
			id = rand.Text()
			r.Header.Set(requestHeader, id)
		}
		w.Header().Set(requestHeader, id)
		h.ServeHTTP(w, r)
	})
}

// requestID is the id that withRequestID settled.
func requestID(r *http.Request) string { return r.Header.Get(requestHeader) }

// goodRequestID takes only what cannot confuse a log.
func goodRequestID(id string) bool {
	return id != "" && len(id) <= maxRequestID && strings.IndexFunc(id, func(c rune) bool {
		return c <= ' ' || c > '~' || c == '"' || c == '\\'
	}) < 0
}
