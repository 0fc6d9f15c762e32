package socket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"
)

// unfinished takes the FIN bit from a frame.
func unfinished(f []byte) []byte { f[0] &^= bitFin; return f }

func join(fs ...[]byte) []byte { return bytes.Join(fs, nil) }

// with sets bits of a frame's first byte.
func with(bits byte, f []byte) []byte { f[0] |= bits; return f }

func unmasked(op byte, payload string) []byte {
	return append([]byte{bitFin | op, byte(len(payload))}, payload...)
}

type violation struct {
	name  string
	bytes []byte
	code  int
}

var violations = []violation{
	{"unmasked text", unmasked(opText, "hello"), CodeProtocol},
	{"unmasked ping", unmasked(opPing, ""), CodeProtocol},
	{"unmasked close", unmasked(opClose, "\x03\xe8"), CodeProtocol},
	{"unmasked, after a good one", join(clientFrame(opText, []byte("good")), unmasked(opText, "bad")), CodeProtocol},
	{"reserved bit 1", with(0x40, clientFrame(opText, []byte("x"))), CodeProtocol},
	{"reserved bit 2", with(0x20, clientFrame(opText, []byte("x"))), CodeProtocol},
	{"reserved bit 3", with(0x10, clientFrame(opPing, nil)), CodeProtocol},
	{"opcode 3", clientFrame(3, []byte("x")), CodeProtocol},
	{"opcode 15", clientFrame(15, nil), CodeProtocol},
	{"another protocol", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), CodeProtocol},
	{"oversized ping", clientFrame(opPing, make([]byte, 126)), CodeProtocol},
	{"oversized ping, header only", clientFrame(opPing, make([]byte, 1<<17))[:14], CodeProtocol},
	{"fragmented ping", unfinished(clientFrame(opPing, nil)), CodeProtocol},
	{"continuation of nothing", clientFrame(opContinuation, []byte("x")), CodeProtocol},
	{"text within fragments", join(unfinished(clientFrame(opText, []byte("a"))), clientFrame(opText, []byte("b"))), CodeProtocol},
	{"bad frame within fragments", join(unfinished(clientFrame(opText, []byte("a"))), clientFrame(opPing, nil), clientFrame(11, nil)), CodeProtocol},
	{"close with half a code", clientFrame(opClose, []byte{3}), CodeProtocol},
	{"close with a reserved code", clientFrame(opClose, []byte{3, 237}), CodeProtocol},
	{"binary", clientFrame(opBinary, []byte("x")), CodeProtocolError},
	{"fragmented binary", unfinished(clientFrame(opBinary, []byte("x"))), CodeProtocolError},
	{"too big", clientFrame(opText, make([]byte, 64<<10+1)), CodeTooBig},
	{"too big, header only", clientFrame(opText, make([]byte, 64<<10+1))[:14], CodeTooBig},
	{"as big as can be said", []byte{bitFin | opText, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}, CodeTooBig},
	{"too big in sum", join(unfinished(clientFrame(opText, make([]byte, 40<<10))), clientFrame(opContinuation, make([]byte, 40<<10))), CodeTooBig},
	{"half a header", clientFrame(opText, []byte("x"))[:1], CodeFrameTimeout},
	{"half a long header", clientFrame(opText, make([]byte, 1000))[:3], CodeFrameTimeout},
	{"half a frame", clientFrame(opText, []byte("hello"))[:8], CodeFrameTimeout},
	{"half a message", unfinished(clientFrame(opText, []byte("hello"))), CodeFrameTimeout},
	{"half a message kept alive", join(unfinished(clientFrame(opText, []byte("hello"))), clientFrame(opPing, nil)), CodeFrameTimeout},
	{"half a close", clientFrame(opClose, []byte{3, 232})[:5], CodeFrameTimeout},
}

// Each violation is named to the handler once; what it has to say then goes
// before a close frame with the code, and nothing follows.
func TestViolations(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		o.ReadTimeout = time.Second
		o.CloseTimeout = 2 * time.Second
		r := newRig(t, o, nil)
		var wg sync.WaitGroup
		for _, v := range violations {
			for _, wholly := range []bool{true, false} {
				c := r.raw()
				p := r.peer()
				wg.Go(func() { violate(t, c, p, v, wholly) })
			}
		}
		wg.Wait()
	})
}

func violate(t *testing.T, c *rawClient, p *peer, v violation, wholly bool) {
	name := fmt.Sprintf("%s (at once: %v)", v.name, wholly)
	slow := v.bytes[:min(len(v.bytes), 50)]
	if wholly {
		slow = nil
	}
	for i := range slow {
		c.Write(slow[i : i+1]) // fails once the server has had enough
	}
	c.Write(v.bytes[len(slow):])
	f, err := c.tryFrame()
	for err == nil && !(f.op == opText && string(f.payload) == `{"bye":1}`) {
		f, err = c.tryFrame() // echoes and pongs before it
	}
	if err != nil {
		t.Errorf("%s: no bye: %v", name, err)
	} else if f, err = c.tryFrame(); f.op != opClose || f.code() != v.code {
		t.Errorf("%s: frame %v, %v, want close %d", name, f, err, v.code)
	}
	c.Write(clientFrame(opText, []byte("never to be heard")))
	c.Write(clientFrame(opClose, []byte{3, 232}))
	if _, err := c.tryFrame(); err == nil {
		t.Errorf("%s: frames after the close frame", name)
	}
	c.Close()
	if why := p.why(); why != CloseFault {
		t.Errorf("%s: closed for %q", name, why)
	}
	if f := p.fault(); f.Code != v.code || f.Reason == "" {
		t.Errorf("%s: fault %v, want %d", name, f, v.code)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.got {
		if s := string(m); s != "good" {
			t.Errorf("%s: message %.20q got through", name, s)
		}
	}
}

// legal is a stream of every kind of frame a client may send, and its messages.
func legal() (all []byte, messages []string) {
	long := strings.Repeat("m", 200)
	all = join(
		clientFrame(opText, nil),
		clientFrame(opPing, []byte("p")),
		clientFrame(opText, []byte("one")),
		clientFrame(opPong, []byte("unasked")),
		unfinished(clientFrame(opText, []byte("t"))),
		unfinished(clientFrame(opContinuation, nil)),
		clientFrame(opPing, bytes.Repeat([]byte("p"), maxControl)),
		clientFrame(opContinuation, []byte("wo")),
		clientFrame(opText, bytes.Repeat([]byte("x"), 126)),
		clientFrame(opText, []byte("\xff\xfe not UTF-8")),
		longHeader([]byte(long)),
		clientFrame(opClose, []byte{3, 232}),
	)
	return all, []string{"", "one", "two", strings.Repeat("x", 126), "\xff\xfe not UTF-8", long}
}

// longHeader is a text frame with eight bytes of length, however short it is.
func longHeader(payload []byte) []byte {
	f := clientFrame(opText, payload)
	b := binary.BigEndian.AppendUint64([]byte{f[0], bitMask | 127}, uint64(len(payload)))
	return append(b, f[len(f)-len(payload)-4:]...)
}

// The same stream cut in two at every position around the headers.
func TestSplitEverywhere(t *testing.T) {
	all, want := legal()
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, func(*peer, []byte) {})
		for cut := 1; cut < len(all); cut++ {
			c := r.raw()
			p := r.peer()
			c.write(all[:cut])
			if cut%7 == 0 {
				until(t, "the first part is taken", func() bool { return p.sock.refs.Load() <= 1 })
			}
			c.write(all[cut:])
			if why := p.why(); why != ClosePeer {
				t.Fatalf("cut at %d: closed for %q", cut, why)
			}
			p.mu.Lock()
			if got := texts(p.got); strings.Join(got, "|") != strings.Join(want, "|") {
				t.Fatalf("cut at %d: %d messages %.200q", cut, len(got), got)
			}
			p.mu.Unlock()
			c.Close()
		}
	})
}

func texts(ms [][]byte) (s []string) {
	for _, m := range ms {
		s = append(s, string(m))
	}
	return s
}

// Connections that end, in order or by a reset, wherever that may happen.
func TestGoneAtEveryStep(t *testing.T) {
	request := new(bytes.Buffer)
	handshake("http://127.0.0.1:80/", nil).Write(request)
	half := clientFrame(opText, []byte("hello"))[:8]
	steps := []struct {
		name   string
		socket bool // the handshake is done
		do     func(*rig, *rawClient, *peer)
		why    []CloseReason
	}{
		{"connected", false, nil, nil},
		{"half a request", false, func(r *rig, c *rawClient, _ *peer) { c.write(request.Bytes()[:40]) }, nil},
		{"handshake done", true, nil, []CloseReason{CloseGone}},
		{"half a frame", true, func(r *rig, c *rawClient, _ *peer) { c.write(half) }, []CloseReason{CloseGone}},
		{"half a message", true, func(r *rig, c *rawClient, _ *peer) {
			c.write(unfinished(clientFrame(opText, []byte("hello"))))
		}, []CloseReason{CloseGone}},
		{"answer unread", true, func(r *rig, c *rawClient, p *peer) {
			c.write(clientFrame(opText, []byte("hello")))
			c.write(clientFrame(opPing, []byte("hello")))
		}, []CloseReason{CloseGone}},
		{"in mid-write", true, func(r *rig, c *rawClient, p *peer) {
			for range 50 {
				p.send(make([]byte, 64<<10))
			}
		}, []CloseReason{CloseGone}},
		{"close in mid-write", true, func(r *rig, c *rawClient, p *peer) {
			for range 50 {
				p.send(make([]byte, 64<<10))
			}
			c.write(clientFrame(opClose, []byte{3, 232}))
		}, []CloseReason{ClosePeer, CloseGone}},
		{"close sent", true, func(r *rig, c *rawClient, p *peer) {
			c.write(clientFrame(opClose, []byte{3, 232}))
		}, []CloseReason{ClosePeer, CloseGone}},
		{"close received", true, func(r *rig, c *rawClient, p *peer) {
			p.sock.Close(4200, "draining")
			c.frame()
		}, []CloseReason{CloseServer}},
		{"closed in mid-write", true, func(r *rig, c *rawClient, p *peer) {
			for range 50 {
				p.send(make([]byte, 64<<10))
			}
			p.sock.Close(4102, "slow consumer")
		}, []CloseReason{CloseServer}},
		{"violation", true, func(r *rig, c *rawClient, p *peer) {
			c.write(unmasked(opText, "x"))
			c.frame()
		}, []CloseReason{CloseFault}},
	}
	pollers(t, func(t *testing.T, o Options) {
		r := newRigOn(t, o, nil, tinyBuffers)
		for _, st := range steps {
			for _, reset := range []bool{false, true} {
				c := r.connect()
				var p *peer
				if st.socket {
					c = upgraded(t, c.Conn, r.web.URL)
					p = r.peer()
				}
				if st.do != nil {
					st.do(r, c, p)
				}
				if reset {
					c.Conn.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
				if p == nil {
					continue
				}
				why := p.why()
				ok := false
				for _, w := range st.why {
					ok = ok || w == why
				}
				if !ok {
					t.Errorf("%s (reset %v): closed for %q, want %v", st.name, reset, why, st.why)
				}
			}
		}
	})
}

// A half-open peer: it has ended its side, and still reads.
func TestHalfOpen(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		c := r.raw()
		p := r.peer()
		c.write(clientFrame(opText, []byte("last words")))
		c.Conn.(*net.TCPConn).CloseWrite()
		if why := p.why(); why != CloseGone {
			t.Fatalf("closed for %q", why)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.got) != 1 || string(p.got[0]) != "last words" {
			t.Fatalf("got %q", p.got)
		}
	})
}

// Half-sent frames hold no goroutine: a thousand of them leave the others' way free.
func TestSlowLorisFrames(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		before := census(t)
		half := clientFrame(opText, make([]byte, 1000))[:500]
		for range 300 {
			r.raw().write(half)
		}
		for range 300 {
			r.peer()
		}
		c := r.raw()
		c.write(clientFrame(opText, []byte("quick")))
		if f := c.frame(); string(f.payload) != "quick" {
			t.Fatalf("%v", f)
		}
		if o.Poller == "epoll" {
			until(t, "no goroutine is held", func() bool { return census(t).goroutines <= before.goroutines })
			if n := census(t).fds - before.fds; n > 2*301 {
				t.Errorf("%d descriptors for 301 connections of two ends", n)
			}
		}
	})
}

// A handshake that comes a byte at a time succeeds, or meets the HTTP server's
// own deadline; it never becomes a socket by half.
func TestSlowLorisHandshake(t *testing.T) {
	pollers(t, func(t *testing.T, o Options) {
		r := newRig(t, o, nil)
		web := httptest.NewUnstartedServer(r.web.Config.Handler)
		web.Config.ReadHeaderTimeout = 300 * time.Millisecond
		web.Listener = r.listener(web.Listener, web.Config.Handler)
		web.Start()
		defer web.Close()
		request := new(bytes.Buffer)
		handshake(r.web.URL, nil).Write(request)

		stalled, err := net.Dial("tcp", web.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer stalled.Close()
		stalled.SetDeadline(time.Now().Add(patience))
		stalled.Write(request.Bytes()[:request.Len()-2])
		answer, err := io.ReadAll(stalled)
		if err != nil || bytes.Contains(answer, []byte("101")) {
			t.Fatalf("stalled: %q, %v", answer, err)
		}
		if r.srv.reg.count() != 0 {
			t.Fatal("half a handshake made a socket")
		}

		c := r.connect()
		for _, b := range request.Bytes() {
			c.write([]byte{b})
		}
		if resp, err := http.ReadResponse(c.br, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(resp, err)
		}
		r.peer()
	})
}

// Closed sockets leave nothing behind that keeps them in memory, whichever way
// they went.
func TestMemoryComesBack(t *testing.T) {
	ends := []func(*rawClient, *peer){
		func(c *rawClient, p *peer) { c.Close() },
		func(c *rawClient, p *peer) { c.write(clientFrame(opClose, []byte{3, 232})) },
		func(c *rawClient, p *peer) { c.write(unmasked(opText, "x")) },
		func(c *rawClient, p *peer) { p.sock.Close(4200, "draining") },
		func(c *rawClient, p *peer) { p.sock.Abort(CloseAborted) },
		func(c *rawClient, p *peer) { c.write(clientFrame(opText, []byte("half"))[:8]); c.Close() },
	}
	pollers(t, func(t *testing.T, o Options) {
		o.CloseTimeout = 100 * time.Millisecond
		r := newRig(t, o, nil)
		var left []weak.Pointer[Socket]
		for i := range 60 {
			c := r.raw()
			p := r.peer()
			p.sock.SetTimer(time.Now().Add(time.Hour))
			ends[i%len(ends)](c, p)
			left = append(left, weak.Make(p.sock))
		}
		r.mu.Lock()
		peers := r.peers
		r.peers = nil
		r.mu.Unlock()
		for i, p := range peers {
			p.why()
			p.sock.SetTimer(time.Now().Add(time.Hour))
			peers[i] = nil
		}
		until(t, "the sockets are collected", func() bool {
			runtime.GC()
			return !slices.ContainsFunc(left, func(w weak.Pointer[Socket]) bool { return w.Value() != nil })
		})
	})
}
