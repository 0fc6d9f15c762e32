package socket

import (
	"bytes"
	"context"
	"crypto/tls"
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
)

func TestEcho(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.dial()
		p := r.peer()
		for i := range 106 {
			m := bytes.Repeat([]byte("x"), min(i*i*6, 64<<10)) // across 125, 65535 and many reads
			copy(m, fmt.Sprint(i))
			if err := c.Write(t.Context(), websocket.MessageText, m); err != nil {
				t.Fatal(err)
			}
			typ, got, err := c.Read(t.Context())
			if err != nil || typ != websocket.MessageText || !bytes.Equal(got, m) {
				t.Fatalf("message %d: %v, %d bytes of %d, %v", i, typ, len(got), len(m), err)
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
		if why := p.why(); why != ClosePeer {
			t.Fatalf("closed for %q", why)
		}
		if got := p.sock.Subprotocol(); got != testProtocol {
			t.Errorf("subprotocol %q", got)
		}
		if a := p.sock.RemoteAddr(); !a.Addr().IsLoopback() || a.Port() == 0 {
			t.Errorf("remote address %v", a)
		}
	})
}

// Frames of every size that changes the header, in one batch and in several.
func TestFrameSizes(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c, p := r.dial(), r.peer()
		var want [][]byte
		for _, n := range []int{0, 1, 2, 124, 125, 126, 127, 65535, 65536, 65537, batchBytes + 1, 1 << 20, 3} {
			want = append(want, bytes.Repeat([]byte{byte('a' + len(want))}, n))
		}
		for i := range 3 * batchFrames {
			want = append(want, fmt.Append(nil, i))
		}
		for _, m := range want {
			p.send(m)
		}
		for i, m := range want {
			_, got, err := c.Read(t.Context())
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("message %d: %d bytes of %d, %v", i, len(got), len(m), err)
			}
		}
	})
}

// Many goroutines send, the client pings all the time, and each sender's
// messages come whole and in order.
func TestConcurrentSendersAndPings(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		const senders, each = 8, 500
		r := newRig(t, o, nil)
		c, p := r.dial(), r.peer()
		var wg sync.WaitGroup
		for g := range senders {
			wg.Go(func() {
				for i := range each {
					p.send(fmt.Appendf(nil, "%d %d %s", g, i, strings.Repeat("y", i)))
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				if err := c.Ping(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
		var next [senders]int
		for range senders * each {
			_, m, err := c.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var g, i int
			var pad string
			fmt.Sscan(string(m), &g, &i, &pad)
			if i != next[g] || len(pad) != i {
				t.Fatalf("sender %d: got message %d with %d bytes, want %d", g, i, len(pad), next[g])
			}
			next[g]++
		}
		// The pings go on past the last message: somebody must read their answers.
		reading := c.CloseRead(t.Context())
		wg.Wait()
		c.CloseNow()
		<-reading.Done()
		p.why()
	})
}

// A frame cut into fragments with pings in between, one byte at a time.
func TestFragmentsByteByByte(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.raw()
		p := r.peer()
		var all []byte
		all = append(all, clientFrame(opText, []byte("hel"))...)
		all[0] &^= bitFin
		all = append(all, clientFrame(opPing, []byte("are you there"))...)
		mid := clientFrame(opContinuation, bytes.Repeat([]byte("l"), 300))
		mid[0] &^= bitFin
		all = append(all, mid...)
		all = append(all, clientFrame(opContinuation, []byte("o"))...)
		for i := range all {
			c.write(all[i : i+1])
		}
		if f := c.frame(); f.op != opPong || string(f.payload) != "are you there" {
			t.Fatalf("pong: %v", f)
		}
		want := "hel" + strings.Repeat("l", 300) + "o"
		if f := c.frame(); f.op != opText || string(f.payload) != want {
			t.Fatalf("echo: %v", f)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.got) != 1 {
			t.Fatalf("%d messages, want 1", len(p.got))
		}
	})
}

// A client that reads nothing blocks its own socket only; when it reads again,
// everything is there and in order.
func TestSlowReader(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRigOn(t, o, nil, tinyBuffers)
		slow := r.raw()
		slowPeer := r.peer()
		var want []string
		for i := range 600 {
			m := fmt.Sprintf("%d %s", i, strings.Repeat("z", i*7%4000))
			want = append(want, m)
			slowPeer.send([]byte(m))
		}
		again := `feedgate_socket_write_again_total`
		if o.Poller == "epoll" {
			until(t, "the socket is blocked", func() bool { return r.metric(again) > 0 })
		}
		fast := r.dial()
		fastPeer := r.peer()
		for i := range 100 {
			fastPeer.send(fmt.Append(nil, i))
			if _, m, err := fast.Read(t.Context()); err != nil || string(m) != fmt.Sprint(i) {
				t.Fatalf("beside a slow one: %q, %v", m, err)
			}
		}
		for i, m := range want {
			if f := slow.frame(); string(f.payload) != m {
				t.Fatalf("message %d of the slow one: %d bytes, want %d", i, len(f.payload), len(m))
			}
		}
	})
}

func TestWriteTimeout(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.WriteTimeout = 300 * time.Millisecond
		r := newRigOn(t, o, nil, tinyBuffers)
		r.raw()
		p := r.peer()
		for range 200 {
			p.send(make([]byte, 64<<10))
		}
		if why := p.why(); why != CloseWriteTimeout {
			t.Fatalf("closed for %q", why)
		}
	})
}

// Close sends what is queued, then the close frame, and answers nothing more.
func TestCloseFlushesFirst(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c, p := r.dial(), r.peer()
		for i := range 3000 {
			p.send(fmt.Append(nil, i))
		}
		p.sock.Close(4102, "slow consumer")
		p.sock.Close(4200, "the first call wins")
		for i := range 3000 {
			if _, m, err := c.Read(t.Context()); err != nil || string(m) != fmt.Sprint(i) {
				t.Fatalf("%q, %v", m, err)
			}
		}
		_, _, err := c.Read(t.Context())
		var ce websocket.CloseError
		if !errors.As(err, &ce) || ce.Code != 4102 || ce.Reason != "slow consumer" {
			t.Fatal(err)
		}
		if why := p.why(); why != CloseServer {
			t.Fatalf("closed for %q", why)
		}
		p.sock.Wake()
		p.sock.SetTimer(time.Now())
		p.sock.Close(1000, "")
		p.sock.Abort("late")
	})
}

// A peer that does not answer the close frame, and one that does not even take it.
func TestCloseUnanswered(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.CloseTimeout = 300 * time.Millisecond
		r := newRigOn(t, o, nil, tinyBuffers)
		c := r.raw()
		p := r.peer()
		p.sock.Close(4200, "draining")
		if f := c.frame(); f.op != opClose || f.code() != 4200 {
			t.Fatalf("%v", f)
		}
		c.write(clientFrame(opText, []byte("not an answer")))
		if why := p.why(); why != CloseServer {
			t.Fatalf("closed for %q", why)
		}
		r.raw()
		p = r.peer()
		for range 100 {
			p.send(make([]byte, 64<<10))
		}
		p.sock.Close(4102, "slow")
		if why := p.why(); why != CloseTimeout {
			t.Fatalf("closed for %q", why)
		}
	})
}

// The answer to the server's close frame may come behind other frames, in pieces.
func TestCloseAnsweredLate(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.CloseTimeout = patience
		r := newRig(t, o, nil)
		late := clientFrame(opText, bytes.Repeat([]byte("v"), 300))
		late = append(late, clientFrame(opPing, []byte("ping"))...)
		late = append(late, clientFrame(opClose, []byte{16, 104})...)
		for cut := range len(late) {
			c := r.raw()
			p := r.peer()
			c.write(late[:cut])
			p.sock.Close(4200, "draining")
			for c.frame().op != opClose {
			}
			c.write(late[cut:])
			if why := p.why(); why != CloseServer && !(why == ClosePeer && cut == len(late)-1) {
				t.Fatalf("cut at %d: closed for %q", cut, why)
			}
			c.Close()
		}
	})
}

func TestAbort(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.raw()
		p := r.peer()
		p.mu.Lock() // as a session might
		p.sock.Abort("evicted")
		p.mu.Unlock()
		if why := p.why(); why != "evicted" {
			t.Fatalf("closed for %q", why)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Fatal("connection still there")
		}
		if n := r.metric(`feedgate_socket_closes_total{reason="evicted"}`); n != 1 {
			t.Fatalf("counted %d", n)
		}
	})
}

func TestTimer(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		r.dial()
		p := r.peer()
		fired := func(n int) func() bool {
			return func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.timers == n }
		}
		p.sock.SetTimer(time.Now().Add(time.Hour))
		p.sock.SetTimer(time.Now().Add(50 * time.Millisecond))
		until(t, "the earlier moment", fired(1))
		p.sock.SetTimer(time.Now().Add(-time.Hour))
		until(t, "a past moment", fired(2))
		p.sock.SetTimer(time.Now().Add(200 * time.Millisecond))
		p.sock.SetTimer(time.Time{})
		other := r.dial()
		q := r.peer()
		q.sock.SetTimer(time.Now().Add(500 * time.Millisecond))
		until(t, "a later socket's timer", func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.timers == 1 })
		if !fired(2)() {
			t.Fatal("a timer that was taken back fired")
		}
		other.CloseNow()
	})
}

func TestHeard(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.raw()
		p := r.peer()
		for _, f := range [][]byte{
			clientFrame(opPing, nil), clientFrame(opPong, []byte("unasked")), clientFrame(opText, []byte("x")),
		} {
			was := p.sock.Heard()
			until(t, "the clock moves", func() bool { return r.srv.wheel.base.Add(time.Duration(r.srv.wheel.now.Load()) * tick).After(was) })
			c.write(f)
			until(t, "it is heard", func() bool { return p.sock.Heard().After(was) })
			if d := time.Since(p.sock.Heard()); d < -tick {
				t.Fatalf("heard in the future: %v", d)
			}
		}
	})
}

func TestHandshakeRefusals(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.OriginPatterns = []string{"app.example.org"}
		r := newRig(t, o, nil)
		for _, tc := range []struct {
			name   string
			header map[string]string
			want   int
		}{
			{"good", nil, 101},
			{"one of several", map[string]string{"Sec-WebSocket-Protocol": "a, " + testProtocol}, 101},
			{"allowed origin", map[string]string{"Origin": "https://app.example.org"}, 101},
			{"foreign origin", map[string]string{"Origin": "https://evil.example.org"}, 403},
			{"no subprotocol", map[string]string{"Sec-WebSocket-Protocol": ""}, 400},
			{"other subprotocol", map[string]string{"Sec-WebSocket-Protocol": "feedgate.v9.json"}, 400},
			{"no key", map[string]string{"Sec-WebSocket-Key": ""}, 400},
			{"old version", map[string]string{"Sec-WebSocket-Version": "8"}, 400},
			{"no upgrade", map[string]string{"Upgrade": ""}, 426},
		} {
			q := handshake(r.web.URL, tc.header)
			c := r.connect()
			if err := q.Write(c); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(c.br, q)
			if err != nil || resp.StatusCode != tc.want {
				t.Errorf("%s: %v, %v, want %d", tc.name, resp, err, tc.want)
			}
			if ext := resp.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
				t.Errorf("%s: extension %q although none is on offer", tc.name, ext)
			}
			c.Close()
		}
		if n := r.metric(`feedgate_socket_handshakes_total{result="refused"}`); n != 6 {
			t.Errorf("%d refused handshakes counted, want 6", n)
		}
	})
}

// Frames sent together with the upgrade request are not lost.
func TestEagerClient(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.connect()
		var b bytes.Buffer
		q := handshake(r.web.URL, nil)
		q.Write(&b)
		b.Write(clientFrame(opText, []byte("first")))
		second := clientFrame(opText, []byte("second"))
		b.Write(second[:5])
		c.write(b.Bytes())
		if _, err := http.ReadResponse(c.br, q); err != nil {
			t.Fatal(err)
		}
		if f := c.frame(); string(f.payload) != "first" {
			t.Fatalf("%v", f)
		}
		c.write(second[5:])
		if f := c.frame(); string(f.payload) != "second" {
			t.Fatalf("%v", f)
		}
	})
}

func TestShutdown(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.CloseTimeout = patience
		r := newRig(t, o, nil)
		good, goodPeer := r.dial(), r.peer()
		reading := good.CloseRead(t.Context())
		r.raw() // does not answer
		badPeer := r.peer()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := r.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		<-reading.Done()
		if why := goodPeer.why(); why != CloseServer {
			t.Errorf("the good one closed for %q", why)
		}
		if why := badPeer.why(); why != CloseShutdown {
			t.Errorf("the bad one closed for %q", why)
		}
		if _, fronted := fronted.Load(t); fronted { // it has gone with the server
			if c, err := net.Dial("tcp", r.web.Listener.Addr().String()); err == nil {
				c.Close()
				t.Error("a front is there after Shutdown")
			}
			return
		}
		c := r.connect()
		q := handshake(r.web.URL, nil)
		q.Write(c)
		if resp, err := http.ReadResponse(c.br, q); err != nil || resp.StatusCode != 503 {
			t.Errorf("after Shutdown: %v, %v", resp, err)
		}
	})
}

// Everything at once from many goroutines: what must hold is checked by the
// handler (one call at a time, nothing after Closed) and by the race detector.
func TestConcurrentCloses(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.CloseTimeout = time.Second
		r := newRig(t, o, nil)
		for i := range 60 {
			c, p := r.dial(), r.peer()
			var wg sync.WaitGroup
			wg.Go(func() {
				for range 100 {
					p.send([]byte("out"))
				}
			})
			wg.Go(func() {
				for c.Write(t.Context(), websocket.MessageText, []byte("in")) == nil {
				}
			})
			wg.Go(func() {
				for {
					if _, _, err := c.Read(t.Context()); err != nil {
						return
					}
				}
			})
			ends := []func(){
				func() { p.sock.Close(4200, "draining") },
				func() { c.Close(websocket.StatusNormalClosure, "") },
				func() { p.sock.Abort(CloseAborted) },
				func() { c.CloseNow() },
				func() { p.sock.SetTimer(time.Now()) },
			}
			for j := range 3 {
				wg.Go(ends[(i+j)%len(ends)])
			}
			if i%len(ends) == 2 { // Abort, CloseNow, SetTimer: all end it
				p.sock.Close(1000, "")
			}
			p.why()
			c.CloseNow()
			wg.Wait()
		}
	})
}

// TLS in the process works whatever the poller: such sockets have goroutines.
func TestTLS(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		before := census(t)
		srv, err := NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		peers := make(chan *peer, 10)
		web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			srv.Accept(w, q, AcceptOptions{Subprotocols: []string{testProtocol}, Handler: func(s *Socket) Handler {
				p := &peer{rig: &rig{t: t}, sock: s, done: make(chan struct{})}
				peers <- p
				return p
			}})
		}))
		tc, err := tls.Dial("tcp", web.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		c := upgraded(t, tc, web.URL)
		p := <-peers
		c.write(clientFrame(opText, []byte("over tls")))
		if f := c.frame(); string(f.payload) != "over tls" {
			t.Fatalf("%v", f)
		}
		p.sock.Close(4200, "draining")
		if f := c.frame(); f.op != opClose || f.code() != 4200 {
			t.Fatalf("%v", f)
		}
		c.write(clientFrame(opClose, []byte{16, 104}))
		if _, err := c.br.ReadByte(); err != io.EOF {
			t.Fatalf("after the close handshake: %v, want TLS's own farewell", err)
		}
		if why := p.why(); why != CloseServer {
			t.Fatalf("closed for %q", why)
		}
		c.Close()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		web.Close()
		before.compare(t)
	})
}

// tinyBuffers gives accepted connections the smallest send buffer there is.
func tinyBuffers(l net.Listener) net.Listener { return tiny{l} }

type tiny struct{ net.Listener }

func (l tiny) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(1)
	}
	return c, err
}
