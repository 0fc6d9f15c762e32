//go:build linux

package lean

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"
)

// patience bounds every wait. Reaching it is a failure.
const patience = 20 * time.Second

// peer is a Handler that hands everything to the test.
type peer struct {
	opened chan *Conn
	texts  chan string
	ends   chan End
}

func newPeer() *peer {
	return &peer{make(chan *Conn, 1), make(chan string, 1000), make(chan End, 2)} // as much as a test sends
}

func (p *peer) Opened(c *Conn)         { p.opened <- c }
func (p *peer) Text(_ *Conn, b []byte) { p.texts <- string(b) }
func (p *peer) Closed(_ *Conn, e End)  { p.ends <- e }

func want[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("not within ", patience, ": ", what)
		panic("not reached")
	}
}

func newTestPool(t testing.TB, o Options) *Pool {
	t.Helper()
	p, err := NewPool(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// serve runs a handler on coder/websocket's server and says where.
func serve(t testing.TB, h func(*websocket.Conn, *http.Request)) *Target {
	t.Helper()
	var wg sync.WaitGroup
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wg.Add(1)
		defer wg.Done()
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"feedgate.v1.json"}})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ws.SetReadLimit(1 << 20)
		h(ws, r)
	}))
	t.Cleanup(func() { web.Close(); wg.Wait() })
	return at(t, web.Listener.Addr())
}

func at(t testing.TB, a net.Addr) *Target {
	t.Helper()
	to, err := ParseTarget("ws://" + a.String())
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// dial opens a connection and waits for it.
func dial(t *testing.T, p *Pool, to *Target, token string) (*Conn, *peer) {
	t.Helper()
	h := newPeer()
	c, err := p.Dial(t.Context(), to, token, h)
	if err != nil {
		t.Fatal(err)
	}
	if got := want(t, "the handshake", h.opened); got != c {
		t.Fatal("Opened came for another Conn")
	}
	return c, h
}

// echo sends back every message until the connection ends.
func echo(ws *websocket.Conn, _ *http.Request) {
	for {
		kind, p, err := ws.Read(context.Background())
		if err != nil || ws.Write(context.Background(), kind, p) != nil {
			return
		}
	}
}

func TestMessagesGoBothWays(t *testing.T) {
	var asked *http.Request
	to := serve(t, func(ws *websocket.Conn, r *http.Request) {
		asked = r
		echo(ws, r)
	})
	pool := newTestPool(t, Options{})
	c, h := dial(t, pool, to, "TOKEN")
	for _, n := range []int{0, 1, 125, 126, 65_535, 65_536, 500_000} {
		text := strings.Repeat("é", n/2) + strings.Repeat("e", n%2)
		if err := c.Send([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := want(t, "the echo", h.texts); got != text {
			t.Fatalf("%d bytes came back as %d", n, len(got))
		}
	}
	if err := c.SendParts([]byte("one "), nil, []byte("message"), nil); err != nil {
		t.Fatal(err)
	}
	if got := want(t, "the echo of fragments", h.texts); got != "one message" {
		t.Fatalf("fragments came back as %q", got)
	}
	if err := c.Close(4000, "done"); err != nil {
		t.Fatal(err)
	}
	if end := want(t, "the end", h.ends); end != (End{Code: 4000, Reason: "done"}) && end != (End{Code: 4000}) {
		t.Errorf("ended with %+v", end)
	}
	if asked.URL.Path != "/v1/ws" || asked.Header.Get("Authorization") != "Bearer TOKEN" || asked.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("asked for %s with %v", asked.URL, asked.Header)
	}
	if err := c.Send(nil); !errors.Is(err, ErrNotOpen) {
		t.Errorf("Send after the end: %v", err)
	}
	if pool.Live() != 0 {
		t.Errorf("%d connections are left", pool.Live())
	}
}

func TestPingsAreAnsweredAndSent(t *testing.T) {
	pinged := make(chan error, 1)
	heard := make(chan string, 1)
	to := serve(t, func(ws *websocket.Conn, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ctx = ws.CloseRead(ctx)
		pinged <- ws.Ping(ctx)
		<-ctx.Done()
	})
	c, _ := dial(t, newTestPool(t, Options{}), to, "")
	if err := want(t, "the pong", pinged); err != nil {
		t.Error("the server's ping: ", err)
	}
	c.Drop()

	to = raw(t, func(c net.Conn, br *bufio.Reader) {
		head := make([]byte, 6+4)
		io.ReadFull(br, head)
		mask(head[6:], uint32(head[2])|uint32(head[3])<<8|uint32(head[4])<<16|uint32(head[5])<<24)
		heard <- fmt.Sprintf("%x %s", head[:2], head[6:])
	})
	c, _ = dial(t, newTestPool(t, Options{}), to, "")
	if err := c.Ping([]byte("beat")); err != nil {
		t.Fatal(err)
	}
	if got := want(t, "our ping", heard); got != "8984 beat" {
		t.Errorf("our ping came as %s", got)
	}
}

func TestTheServersCloseIsAnsweredAndTold(t *testing.T) {
	closed := make(chan error, 1)
	to := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		ws.Write(context.Background(), websocket.MessageText, []byte("bye"))
		closed <- ws.Close(4200, "draining")
	})
	_, h := dial(t, newTestPool(t, Options{}), to, "")
	if got := want(t, "the last message", h.texts); got != "bye" {
		t.Errorf("got %q", got)
	}
	if end := want(t, "the end", h.ends); end != (End{Code: 4200, Reason: "draining"}) {
		t.Errorf("ended with %+v", end)
	}
	if err := want(t, "the server's close", closed); err != nil {
		t.Errorf("the close handshake, as the server saw it: %v", err)
	}
}

func TestDropResets(t *testing.T) {
	read := make(chan error, 1)
	to := raw(t, func(c net.Conn, br *bufio.Reader) {
		_, err := br.ReadByte()
		read <- err
	})
	c, h := dial(t, newTestPool(t, Options{}), to, "")
	c.Drop()
	c.Drop()
	if end := want(t, "the end", h.ends); !errors.Is(end.Err, ErrDropped) {
		t.Errorf("ended with %+v", end)
	}
	if err := want(t, "the server's read", read); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the server saw %v, want a reset", err)
	}
	if len(h.ends) > 0 {
		t.Error("Closed came twice")
	}
}

func TestPausedReadsNothing(t *testing.T) {
	full := make(chan struct{}, 1)
	go_on := make(chan struct{})
	const frames = 2000
	to := raw(t, func(c net.Conn, _ *bufio.Reader) {
		c.(*net.TCPConn).SetWriteBuffer(8 << 10)
		f := serverFrame(bitFin|opText, bytes.Repeat([]byte("x"), 1000))
		for i := range frames {
			c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := c.Write(f)
			if errors.Is(err, context.DeadlineExceeded) || err != nil && isTimeout(err) {
				full <- struct{}{}
				<-go_on
				c.SetWriteDeadline(time.Time{})
				c.Write(f[n:])
				for range frames - 1 - i {
					c.Write(f)
				}
				break
			}
		}
		io.Copy(io.Discard, c)
	})
	h := newPeer()
	h.texts = make(chan string, frames)
	c, err := newTestPool(t, Options{ReadBuffer: 8 << 10}).Dial(t.Context(), to, "", pausing{h})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the server's write to wait", full)
	if n := len(h.texts); n > 200 {
		t.Errorf("a paused client was given %d messages", n)
	}
	c.Resume()
	close(go_on)
	for range frames {
		want(t, "the rest", h.texts)
	}
}

// pausing pauses as soon as the connection is open.
type pausing struct{ *peer }

func (p pausing) Opened(c *Conn) { c.Pause() }

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestSendIsBounded(t *testing.T) {
	to := raw(t, func(c net.Conn, _ *bufio.Reader) { // reads nothing until the client is gone
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		<-t.Context().Done()
	})
	c, h := dial(t, newTestPool(t, Options{}), to, "")
	text := make([]byte, 64<<10)
	for sent := 0; ; sent++ {
		err := c.Send(text)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil || sent > 1000 {
			t.Fatalf("after %d messages: %v", sent, err)
		}
	}
	c.Drop()
	want(t, "the end", h.ends)
}

// raw is a server that shakes hands and then does as it likes.
func raw(t testing.TB, do func(net.Conn, *bufio.Reader)) *Target {
	return answering(t, func(key string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: upgrade\r\n" +
			"sec-websocket-accept: " + acceptFor(key) + "\r\nSec-WebSocket-Protocol: feedgate.v1.json\r\n\r\n"
	}, do)
}

// answering is a server whose answer to the handshake is said by answer.
func answering(t testing.TB, answer func(key string) string, do func(net.Conn, *bufio.Reader)) *Target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				br := bufio.NewReader(c)
				q, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				// A byte at a time: the client must put it together.
				for _, b := range []byte(answer(q.Header.Get("Sec-WebSocket-Key"))) {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
				}
				if do != nil {
					do(c, br)
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return at(t, ln.Addr())
}

func TestEveryByteMayComeAlone(t *testing.T) {
	medium := strings.Repeat("m", 200)
	to := raw(t, func(c net.Conn, br *bufio.Reader) {
		var all []byte
		all = append(all, serverFrame(bitFin|opText, []byte(medium))...)
		all = append(all, serverFrame(opText, []byte("a"))...)
		all = append(all, serverFrame(bitFin|opPing, []byte("p"))...)
		all = append(all, serverFrame(bitFin|opContinuation, []byte("b"))...)
		all = append(all, serverFrame(bitFin|opClose, []byte("\x10\x04slow"))...)
		for _, b := range all {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
		io.Copy(io.Discard, io.LimitReader(br, 2+4+1+2+4+2)) // the pong, and the close frame
	})
	_, h := dial(t, newTestPool(t, Options{}), to, "")
	for _, text := range []string{medium, "ab"} {
		if got := want(t, "a message", h.texts); got != text {
			t.Errorf("got %q", got)
		}
	}
	if end := want(t, "the end", h.ends); end != (End{Code: 4100, Reason: "slow"}) {
		t.Errorf("ended with %+v", end)
	}
}

func TestAServersFaultEndsTheConnection(t *testing.T) {
	said := make(chan []byte, 1)
	to := raw(t, func(c net.Conn, br *bufio.Reader) {
		c.Write(serverFrame(bitFin|opBinary, []byte("x")))
		frame := make([]byte, 8)
		io.ReadFull(br, frame)
		said <- frame
	})
	_, h := dial(t, newTestPool(t, Options{}), to, "")
	var v Violation
	if end := want(t, "the end", h.ends); !errors.As(end.Err, &v) {
		t.Errorf("ended with %+v", end)
	}
	if f := want(t, "our close frame", said); f[0] != bitFin|opClose || f[6]^f[2] != 1002>>8 || f[7]^f[3] != 1002&0xff {
		t.Errorf("we said %x, want a close with 1002", f)
	}
}

func TestHandshakesThatFail(t *testing.T) {
	ok := func(key string) string {
		return "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptFor(key) + "\r\nSec-WebSocket-Protocol: feedgate.v1.json\r\n"
	}
	for name, test := range map[string]struct {
		answer func(key string) string
		why    string
	}{
		"refused":             {func(string) string { return "HTTP/1.1 503 No\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy" }, "refused with 503: busy"},
		"no end of the body":  {func(string) string { return "HTTP/1.1 400 No\r\n\r\nwhy" }, "refused with 400: why"},
		"not HTTP":            {func(string) string { return "SSH-2.0-x\r\n\r\n" }, "is not HTTP"},
		"a line":              {func(string) string { return "HTTP/1.1 101 X\r\nUpgrade\r\n\r\n" }, "a line in"},
		"too long":            {func(string) string { return strings.Repeat("x", maxAnswer+1) }, "too long"},
		"nothing":             {func(string) string { return "" }, "without a close frame"},
		"another key":         {func(string) string { return ok("x") + "\r\n" }, "Sec-WebSocket-Accept"},
		"another subprotocol": {func(k string) string { return strings.Replace(ok(k), "v1.json", "v2", 1) + "\r\n" }, "another subprotocol"},
		"an extension": {func(k string) string {
			return ok(k) + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
		}, "an extension"},
		"no upgrade": {func(k string) string { return strings.Replace(ok(k), "Upgrade:", "X:", 1) + "\r\n" }, "without an upgrade"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, h := newTestPool(t, Options{}), newPeer()
			if _, err := pool.Dial(t.Context(), answering(t, test.answer, nil), "", h); err != nil {
				t.Fatal(err)
			}
			end := want(t, "the end", h.ends)
			if end.Err == nil || !strings.Contains(end.Err.Error(), test.why) {
				t.Errorf("ended with %+v, want %q", end, test.why)
			}
			var refused *RefusedError
			if name == "refused" && (!errors.As(end.Err, &refused) || refused.RetryAfter != "3") {
				t.Errorf("the refusal is %+v", refused)
			}
			if len(h.opened) > 0 || pool.Live() != 0 || len(pool.opening) != 0 {
				t.Errorf("opened %d, live %d, opening %d", len(h.opened), pool.Live(), len(pool.opening))
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := at(t, ln.Addr())
	ln.Close()
	pool, h := newTestPool(t, Options{}), newPeer()
	if _, err := pool.Dial(t.Context(), to, "", h); err != nil {
		if !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatal(err)
		}
		return
	}
	if end := want(t, "the end", h.ends); !errors.Is(end.Err, unix.ECONNREFUSED) {
		t.Errorf("ended with %+v", end)
	}
}

func TestSilenceIsBounded(t *testing.T) {
	silent := answering(t, func(string) string { return "HTTP/1.1 101" }, func(c net.Conn, _ *bufio.Reader) { io.Copy(io.Discard, c) })
	pool, h := newTestPool(t, Options{Timeout: 50 * time.Millisecond}), newPeer()
	if _, err := pool.Dial(t.Context(), silent, "", h); err != nil {
		t.Fatal(err)
	}
	if end := want(t, "the handshake's end", h.ends); !errors.Is(end.Err, ErrTimeout) {
		t.Errorf("a handshake without an answer ended with %+v", end)
	}

	deaf := raw(t, func(c net.Conn, _ *bufio.Reader) { io.Copy(io.Discard, c) })
	c, h := dial(t, newTestPool(t, Options{Timeout: time.Second}), deaf, "")
	if err := c.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	if end := want(t, "the close's end", h.ends); !errors.Is(end.Err, ErrClosing) {
		t.Errorf("a close without an answer ended with %+v", end)
	}
}

func TestSourcesAreSpread(t *testing.T) {
	from := make(chan string, 10) // one for each connection
	to := raw(t, func(c net.Conn, _ *bufio.Reader) {
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		from <- host
		io.Copy(io.Discard, c)
	})
	pool := newTestPool(t, Options{PerSource: 2, FirstSource: 253})
	var first *Conn
	var h *peer
	hosts := map[string]int{}
	for i := range 5 {
		c, p := dial(t, pool, to, "")
		if i == 0 {
			first, h = c, p
		}
		hosts[want(t, "a connection", from)]++
	}
	if len(hosts) != 3 || hosts["127.0.1.254"] != 2 || hosts["127.0.2.1"] != 2 || hosts["127.0.2.2"] != 1 {
		t.Errorf("they came from %v", hosts)
	}
	first.Drop()
	want(t, "the end of the first", h.ends)
	dial(t, pool, to, "")
	if host := want(t, "another connection", from); host != "127.0.1.254" {
		t.Errorf("the room at the first address was not used, but %s", host)
	}
}

func TestOpeningIsBounded(t *testing.T) {
	silent := answering(t, func(string) string { return "HTTP/1.1 101" }, func(c net.Conn, _ *bufio.Reader) { io.Copy(io.Discard, c) })
	pool := newTestPool(t, Options{Opening: 1, Rate: 1000})
	h := newPeer()
	c, err := pool.Dial(t.Context(), silent, "", h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := pool.Dial(ctx, silent, "", newPeer()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second handshake beside the one allowed: %v", err)
	}
	c.Drop()
	want(t, "the end", h.ends)
	if _, err := pool.Dial(t.Context(), silent, "", newPeer()); err != nil {
		t.Errorf("after the first has gone: %v", err)
	}
}

func TestCloseEndsAll(t *testing.T) {
	to := serve(t, echo)
	pool := newTestPool(t, Options{})
	var peers []*peer
	for range 50 {
		_, h := dial(t, pool, to, "")
		peers = append(peers, h)
	}
	pool.Close()
	for _, h := range peers {
		if len(h.ends) != 1 {
			t.Fatalf("Closed came %d times before Close returned", len(h.ends))
		}
	}
	if pool.Live() != 0 {
		t.Errorf("%d are left", pool.Live())
	}
	if _, err := pool.Dial(t.Context(), to, "", newPeer()); !errors.Is(err, ErrStopped) {
		t.Errorf("Dial after Close: %v", err)
	}
}

func TestPace(t *testing.T) {
	p := &pace{every: 10 * time.Millisecond}
	start := time.Now()
	for i := range 10 {
		if got, want := p.at(start), start.Add(-paceSlack+time.Duration(i)*p.every); got != want {
			t.Fatalf("the %d. at %v, want %v", i, got.Sub(start), want.Sub(start))
		}
	}
	later := start.Add(time.Second)
	if got := p.at(later); got != later.Add(-paceSlack) {
		t.Errorf("after a pause %v are made up for", later.Sub(got))
	}
}

func TestParseTarget(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://127.0.0.1:80":      "127.0.0.1:80 127.0.0.1:80 /v1/ws",
		"ws://127.0.0.1":         "127.0.0.1:80 127.0.0.1 /v1/ws",
		"ws://[::1]:1/x?y=1":     "[::1]:1 [::1]:1 /x?y=1",
		"wss://127.0.0.1:1":      "",
		"http://127.0.0.1:1":     "",
		"ws://127.0.0.1:notport": "",
	} {
		got := ""
		if to, err := ParseTarget(raw); err == nil {
			got = fmt.Sprint(to.addr, " ", to.host, " ", to.path)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}
