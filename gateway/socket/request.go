package socket

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// maxFields is how many header fields an upgrade that is read here may have.
// Browsers send about 15.
const maxFields = 40

// upgradeRequest is a request and what it points to, in one piece that is used for
// one request after the other: a new one for each would be 2 KB of the 12 that a
// handshake allocates. Only the strings are the request's own.
type upgradeRequest struct {
	request http.Request
	url     url.URL
	header  http.Header
	values  [maxFields]string
}

func newUpgradeRequest() *upgradeRequest {
	return &upgradeRequest{header: make(http.Header, 16)}
}

// forget lets go of the last request.
func (u *upgradeRequest) forget() {
	u.request = http.Request{}
	clear(u.header)
	clear(u.values[:])
}

var requestEnd = []byte("\r\n\r\n")

// parse reads a request if it is a WebSocket upgrade of path, whole, and of
// a form about which no two readers can differ: one request line, one Host, one
// Connection that says Upgrade, no body, nothing but printable ASCII. Of all else
// it says false, and net/http decides. rest is what follows the request.
func (u *upgradeRequest) parse(p []byte, path string) (r *http.Request, rest []byte, ok bool) {
	head, ok := bytes.CutPrefix(p, []byte("GET "))
	if !ok {
		return nil, nil, false
	}
	end := bytes.Index(p, requestEnd)
	if end < 0 {
		return nil, nil, false
	}
	rest = p[end+len(requestEnd):]
	text := string(head[:end-len("GET ")]) // all strings of the request are parts of this one
	line, fields, ok := strings.Cut(text, "\r\n")
	if !ok || line != path+" HTTP/1.1" {
		return nil, nil, false
	}
	u.forget()
	u.url = url.URL{Path: path}
	u.request = http.Request{
		Method: http.MethodGet, URL: &u.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: u.header, Body: http.NoBody, RequestURI: path,
	}
	n := 0
	for more := true; more; n++ {
		var field string
		field, fields, more = strings.Cut(fields, "\r\n")
		name, value, ok := strings.Cut(field, ":")
		if !ok || n == maxFields || !isToken(name) || !isPrintable(value) {
			return nil, nil, false
		}
		name, value = canonical(name), strings.Trim(value, " \t")
		if name == "Host" {
			if u.request.Host != "" || !isHost(value) {
				return nil, nil, false
			}
			u.request.Host = value
			continue
		}
		if have := u.header[name]; have != nil {
			u.header[name] = append(have, value)
			continue
		}
		u.values[n] = value
		u.header[name] = u.values[n : n+1 : n+1]
	}
	return &u.request, rest, u.request.Host != "" && plainUpgrade(u.header)
}

// canonical is the name as it stands in an http.Header. Those of a WebSocket would
// be made anew each time: net/textproto does not know them by heart.
func canonical(name string) string {
	switch name {
	case "Sec-WebSocket-Key":
		return "Sec-Websocket-Key"
	case "Sec-WebSocket-Version":
		return "Sec-Websocket-Version"
	case "Sec-WebSocket-Protocol":
		return "Sec-Websocket-Protocol"
	case "Sec-WebSocket-Extensions":
		return "Sec-Websocket-Extensions"
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// plainUpgrade says that the header asks for a WebSocket, has no body behind it
// and wants nothing else of the connection.
func plainUpgrade(h http.Header) bool {
	connection, upgrade := h["Connection"], h["Upgrade"]
	if len(connection) != 1 || len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") ||
		!strings.EqualFold(connection[0], "Upgrade") && !strings.EqualFold(connection[0], "keep-alive, Upgrade") {
		return false
	}
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect", "Pragma"} {
		if _, has := h[name]; has {
			// Pragma: net/http makes a Cache-Control of it where there is none.
			if _, both := h["Cache-Control"]; name != "Pragma" || !both {
				return false
			}
		}
	}
	return true
}

// isToken: RFC 9110, 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}

// isHost takes names, addresses and a port; whatever else a Host may be is net/http's.
func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') && strings.IndexByte(".-:[]_", c) < 0 {
			return false
		}
	}
	return s != ""
}
