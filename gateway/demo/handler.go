package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed page
var files embed.FS

// policy lets the page load and reach its own origin and nothing else; should
// text from others ever get into the markup, no script of theirs runs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are written down here: what the mime package says depends on the machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is one embedded file, ready to be served.
type file struct {
	body []byte
	mime string
	etag string
}

// Handler serves the demo page at / and its files beside it; every other path
// is not found.
func Handler() http.Handler {
	mux := http.NewServeMux()
	entries, err := fs.ReadDir(files, "page")
	if err != nil {
		panic(err) // embedded: cannot fail in a binary that was built
	}
	for _, e := range entries {
		f := load(e.Name())
		if e.Name() == "index.html" {
			mux.Handle("GET /{$}", f)
		}
		mux.Handle("GET /"+e.Name(), f)
	}
	return mux
}

func load(name string) file {
	body, err := files.ReadFile("page/" + name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(body)
	return file{
		body: body,
		mime: types[path.Ext(name)],
		etag: `"` + hex.EncodeToString(sum[:8]) + `"`,
	}
}

func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.mime)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // ask again each time; the etag makes it cheap
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
