package socket

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// plainRequest is an upgrade as clients send it.
const plainRequest = "GET /v1/ws HTTP/1.1\r\nHost: a.example:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: feedgate.v1.json\r\n\r\n"

// Each is changed in one place from plainRequest.
var requests = []struct {
	name, from, to string
	ours           bool
}{
	{"plain", "", "", true},
	{"more fields", "\r\n\r\n", "\r\norigin: http://x\r\nUser-Agent: \t a  b \r\nX-Empty:\r\n\r\n", true},
	{"a field twice", "\r\n\r\n", "\r\nX-A: 1\r\nx-a: 2\r\n\r\n", true},
	{"bytes behind it", "\r\n\r\n", "\r\n\r\n\x81\x80", true},
	{"keep-alive too", "Connection: Upgrade", "Connection: keep-alive, upgrade", true},
	{"Pragma with its Cache-Control", "\r\n\r\n", "\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n", true},

	{"another method", "GET", "HEAD", false},
	{"another path", "/v1/ws", "/v1/wsx", false},
	{"a query", "/v1/ws", "/v1/ws?a=b", false},
	{"an absolute form", "/v1/ws", "http://a/v1/ws", false},
	{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", false},
	{"two spaces", "GET ", "GET  ", false},
	{"not whole", "\r\n\r\n", "\r\n", false},
	{"bare newlines", "\r\n", "\n", false},
	{"no fields", plainRequest[strings.Index(plainRequest, "\r\n"):], "\r\n\r\n", false},
	{"a bare return", "Upgrade\r\n", "Upgrade\r\r\n", false},
	{"a folded line", "\r\nUpgrade", "\r\n folded\r\nUpgrade", false},
	{"a space before the colon", "Upgrade:", "Upgrade :", false},
	{"no colon", "\r\nUpgrade: websocket", "\r\nUpgrade", false},
	{"no name", "\r\nUpgrade:", "\r\n:", false},
	{"a NUL", "example", "exa\x00mple", false},
	{"beyond ASCII", "\r\n\r\n", "\r\nX-A: \xc3\xa4\r\n\r\n", false},
	{"no Host", "Host: a.example:8080\r\n", "", false},
	{"an empty Host", "a.example:8080", "", false},
	{"an odd Host", "a.example:8080", "a/b", false},
	{"two Hosts", "\r\n\r\n", "\r\nhost: b\r\n\r\n", false},
	{"no Upgrade", "Upgrade: websocket\r\n", "", false},
	{"Upgrade to something else", "websocket\r\n", "h2c\r\n", false},
	{"no Connection", "Connection: Upgrade\r\n", "", false},
	{"Connection: close", "Connection: Upgrade", "Connection: Upgrade, close", false},
	{"two Connections", "\r\n\r\n", "\r\nConnection: close\r\n\r\n", false},
	{"a length", "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", false},
	{"a length in odd case", "\r\n\r\n", "\r\ncONTENT-lENGTH: 5\r\n\r\nhello", false},
	{"chunks", "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", false},
	{"an expectation", "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", false},
	{"Pragma alone", "\r\n\r\n", "\r\nPragma: no-cache\r\n\r\n", false},
	{"too many fields", "\r\n\r\n", strings.Repeat("\r\nX-A: b", maxFields) + "\r\n\r\n", false},
}

// parseUpgrade reads one request after another.
var parseUpgrade = newUpgradeRequest().parse

func TestParseUpgrade(t *testing.T) {
	for _, c := range requests {
		text := strings.ReplaceAll(plainRequest, c.from, c.to)
		if c.from == "" {
			text = plainRequest
		}
		if _, _, ok := parseUpgrade([]byte(text), "/v1/ws"); ok != c.ours {
			t.Errorf("%s: ours: %v, want %v", c.name, ok, c.ours)
		}
		likeNetHTTP(t, []byte(text))
	}
	for n := range plainRequest { // half a request is none
		if _, _, ok := parseUpgrade([]byte(plainRequest[:n]), "/v1/ws"); ok {
			t.Errorf("took %q", plainRequest[:n])
		}
	}
}

// likeNetHTTP checks that what is taken at all is what net/http reads.
func likeNetHTTP(t *testing.T, p []byte) {
	t.Helper()
	r, rest, ok := parseUpgrade(p, "/v1/ws")
	if !ok {
		return
	}
	br := bufio.NewReader(bytes.NewReader(p))
	want, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("net/http does not take %q: %v", p, err)
	}
	left, _ := io.ReadAll(br)
	if !bytes.Equal(rest, left) {
		t.Errorf("of %q is left %q, want %q", p, rest, left)
	}
	if want.Body != http.NoBody || want.ContentLength != 0 || want.Close {
		t.Errorf("%q has more to it", p)
	}
	if r.Method != want.Method || r.Proto != want.Proto || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Host != want.Host ||
		r.RequestURI != want.RequestURI || *r.URL != *want.URL || !reflect.DeepEqual(r.Header, want.Header) {
		t.Errorf("%q is\n%+v, want\n%+v", p, r, want)
	}
}

func FuzzParseUpgrade(f *testing.F) {
	for _, c := range requests {
		f.Add([]byte(strings.ReplaceAll(plainRequest, c.from, c.to)))
	}
	f.Fuzz(func(t *testing.T, p []byte) { likeNetHTTP(t, p) })
}
