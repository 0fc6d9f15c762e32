package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
)

// handshakeFields are those of a good upgrade.
const handshakeFields = "Host: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + wire.JSONv1 + "\r\n"

// TestHandshakesBothWays sends each handshake through the front and through
// net/http alone: the answers must be the same.
func TestHandshakesBothWays(t *testing.T) {
	const get = "GET /v1/ws HTTP/1.1\r\n"
	replaced := func(from, to string) string { return get + strings.Replace(handshakeFields, from, to, 1) }
	cases := []struct {
		name, request string
		change        func(*Options)
		prepare       func(*Gateway)
		status        int
		front         bool // it is the front that answers
	}{
		{name: "plain", request: get + handshakeFields, status: 101, front: true},
		{name: "a request id", request: get + handshakeFields + "x-request-id: abc\r\n", status: 101, front: true},
		{name: "an odd request id", request: get + handshakeFields + "X-Request-Id: a b\r\n", status: 101, front: true},
		{name: "a bearer", request: get + handshakeFields + "Authorization: Bearer ok:bob\r\n", status: 101, front: true},
		{name: "its own origin", request: get + handshakeFields + "Origin: https://a.example\r\n", status: 101, front: true},
		{name: "an allowed origin", request: get + handshakeFields + "Origin: https://b.example\r\n", status: 101, front: true,
			change: func(o *Options) { o.Origins = []string{"*.example"} }},
		{name: "another origin", request: get + handshakeFields + "Origin: https://evil.test\r\n", status: 403, front: true},
		{name: "deflate", request: get + handshakeFields + "Sec-WebSocket-Extensions: permessage-deflate\r\n", status: 101, front: true,
			change: func(o *Options) { o.CompressAbove = 100 }},
		{name: "another subprotocol", request: replaced(wire.JSONv1, "chat"), status: 400, front: true},
		{name: "no subprotocol", request: replaced("Sec-WebSocket-Protocol: "+wire.JSONv1+"\r\n", ""), status: 400, front: true},
		{name: "two subprotocols", request: replaced(wire.JSONv1, "chat, "+wire.JSONv1), status: 101, front: true},
		{name: "another version", request: replaced("Version: 13", "Version: 12"), status: 400, front: true},
		{name: "a short key", request: replaced("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), status: 400, front: true},
		{name: "two keys", request: get + handshakeFields + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", status: 400, front: true},
		{name: "draining", request: get + handshakeFields, status: 503, front: true, prepare: func(g *Gateway) { g.phase.Store(int32(draining)) }},
		{name: "over the rate", request: get + handshakeFields, status: 503, front: true, change: func(o *Options) { o.Limits.Handshakes = 1 },
			prepare: func(g *Gateway) { g.admission.upgrade(time.Now()) }},
		{name: "a long token", request: get + handshakeFields + "Authorization: Bearer " + strings.Repeat("x", 9<<10) + "\r\n", status: 101, front: true},

		{name: "fields beyond the limit", request: get + handshakeFields + "X-A: " + strings.Repeat("x", 40<<10) + "\r\n", status: 431},
		{name: "a query", request: strings.Replace(get, "ws", "ws?a=b", 1) + handshakeFields, status: 101},
		{name: "another method", request: strings.Replace(get, "GET", "POST", 1) + handshakeFields + "Content-Length: 0\r\n", status: 405},
		{name: "no upgrade", request: replaced("Upgrade: websocket\r\n", ""), status: 426},
		{name: "no connection", request: replaced("Connection: Upgrade\r\n", "Connection: close\r\n"), status: 426},
		{name: "HTTP/1.0", request: strings.Replace(get, "1.1", "1.0", 1) + handshakeFields, status: 426},
		{name: "no host", request: replaced("Host: a.example\r\n", ""), status: 400},
		{name: "two hosts", request: get + handshakeFields + "Host: b\r\n", status: 400},
		{name: "a bad field", request: get + handshakeFields + "a b: c\r\n", status: 400},
		{name: "no HTTP", request: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", status: 400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var answers [2]string
			for way, front := range []bool{false, true} {
				r := newRigOn(t, front, func(o *Options) {
					o.Limits.Handshakes = 1000
					if c.change != nil {
						c.change(o)
					}
				})
				if c.prepare != nil {
					c.prepare(r.g)
				}
				conn, err := net.Dial("tcp", r.srv.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				io.WriteString(conn, c.request+"\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("front %v: %v", front, err)
				}
				if resp.StatusCode != c.status {
					t.Errorf("front %v: status %d, want %d", front, resp.StatusCode, c.status)
				}
				answered := r.counter(`feedgate_front_total{end="upgraded"}`) != r.counter(`feedgate_front_total{end="refused"}`)
				if front && answered != c.front {
					t.Errorf("answered by the front: %v, want %v", answered, c.front)
				}
				if id := resp.Header.Get(requestHeader); id != "" && id != "abc" {
					resp.Header.Set(requestHeader, "made here")
				}
				for _, name := range []string{"Date", "Retry-After"} { // a moment, and in part random
					if resp.Header.Get(name) != "" {
						resp.Header.Set(name, "some")
					}
				}
				if resp.StatusCode == http.StatusSwitchingProtocols {
					resp.Header.Del("Date")
				}
				if resp.StatusCode >= 500 {
					resp.Body = http.NoBody // it says the random part too
					resp.Header.Del("Content-Length")
				}
				var b bytes.Buffer
				resp.Header.Write(&b)
				if resp.StatusCode != http.StatusSwitchingProtocols {
					io.Copy(&b, resp.Body)
				}
				answers[way] = b.String()
			}
			if answers[0] != answers[1] {
				t.Errorf("net/http answers\n%s\nthe front\n%s", answers[0], answers[1])
			}
		})
	}
}

// serveOn serves the gateway as a node does, with a front or with net/http alone.
func serveOn(t testing.TB, g *Gateway, front bool) *httptest.Server {
	srv := httptest.NewUnstartedServer(g.Handler())
	srv.Config.MaxHeaderBytes = 16 << 10
	if front {
		bare := srv.Listener
		l, err := g.Front(bare)
		if err != nil {
			t.Fatal(err)
		}
		if l != bare {
			bare.Close()
		}
		srv.Listener = l
	}
	srv.Start()
	return srv
}
