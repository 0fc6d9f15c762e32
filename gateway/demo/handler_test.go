package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestHandlerServesThePageAndItsFiles(t *testing.T) {
	for path, want := range map[string]struct{ mime, text string }{
		"/":            {"text/html", `<script type="module" src="app.js">`},
		"/index.html":  {"text/html", "<!doctype html>"},
		"/app.js":      {"text/javascript", "from './feedgate.js'"},
		"/feedgate.js": {"text/javascript", "export class Feedgate"},
		"/style.css":   {"text/css", ":root"},
		"/icon.svg":    {"image/svg+xml", "<svg"},
	} {
		w := get(t, path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, want.mime) {
			t.Errorf("%s: content type %q, want %s", path, got, want.mime)
		}
		if !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%s: %q is not in it", path, want.text)
		}
		if w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: no content security policy", path)
		}
	}
}

func TestHandlerServesNothingElse(t *testing.T) {
	for _, path := range []string{"/v1/feed", "/page/app.js", "/feedgate.test.js", "/package.json", "/../handler.go"} {
		if w := get(t, path); w.Code == http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

func TestHandlerAnswersAKnownETagWithoutTheBody(t *testing.T) {
	etag := get(t, "/app.js").Header().Get("ETag")
	w := get(t, "/app.js", "If-None-Match", etag)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("status %d with %d bytes, want 304 without any", w.Code, w.Body.Len())
	}
}

// The page shows what strangers write: no sink that parses text as markup.
func TestScriptsUseNoMarkupSink(t *testing.T) {
	for _, name := range []string{"app.js", "feedgate.js"} {
		for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"} {
			if strings.Contains(string(load(name).body), sink) {
				t.Errorf("%s uses %s", name, sink)
			}
		}
	}
}
