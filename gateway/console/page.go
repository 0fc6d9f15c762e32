package console

import (
	"bytes"
	"embed"
	"net/http"
	"time"
)

//go:embed page
var files embed.FS

// policy lets the page load and reach its own origin and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages serves the page and its files.
func pages(m *http.ServeMux) {
	for path, f := range map[string]struct{ name, mime string }{
		"GET /{$}":               {"index.html", "text/html; charset=utf-8"},
		"GET /console/live.js":   {"live.js", "text/javascript; charset=utf-8"},
		"GET /console/chart.js":  {"chart.js", "text/javascript; charset=utf-8"},
		"GET /console/style.css": {"style.css", "text/css; charset=utf-8"},
		"GET /console/icon.svg":  {"icon.svg", "image/svg+xml"},
	} {
		body, err := files.ReadFile("page/" + f.name)
		if err != nil {
			panic(err) // embedded: cannot fail in a binary that was built
		}
		m.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", f.mime)
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		})
	}
}
