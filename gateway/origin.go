package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// origins are the browser origins that may use the node besides its own.
type origins []string

func newOrigins(patterns []string) (origins, error) {
	o := make(origins, len(patterns))
	for i, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("gateway: origin %q: %w", p, err)
		}
		o[i] = strings.ToLower(p)
	}
	return o, nil
}

// match reports whether an Origin header names one of them. The rules are those
// of coder/websocket's OriginPatterns, which judges the sockets.
func (o origins) match(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	for _, p := range o {
		target := strings.ToLower(u.Host)
		if strings.Contains(p, "://") {
			target = strings.ToLower(u.Scheme + "://" + u.Host)
		}
		if ok, _ := path.Match(p, target); ok {
			return true
		}
	}
	return false
}

// allow adds what a browser needs to let pages of those origins in (CORS). Tokens
// travel in a header, so no cookie is ever needed or allowed.
func (o origins) allow(h http.Handler) http.Handler {
	if len(o) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin != "" && o.match(origin) {
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Expose-Headers", "Retry-After, "+requestHeader)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
				header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Feedgate-User, "+requestHeader)
				header.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}
