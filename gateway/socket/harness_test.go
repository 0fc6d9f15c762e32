package socket

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/coder/websocket"
)

const testProtocol = "feedgate.v1.json"

// patience bounds every wait for a condition; no test depends on how long it took.
const patience = 20 * time.Second

// rig is a server with a listener, and what its sockets did.
type rig struct {
	t   testing.TB
	srv *Server
	set *metrics.Set
	web *httptest.Server

	mu    sync.Mutex
	peers []*peer
	added chan *peer

	onFrame func(*peer, []byte) // nil: echo
	silence time.Duration       // that a front bears; 0: the default
}

// peer is the handler of one socket: a queue, and a record of its calls.
type peer struct {
	rig  *rig
	sock *Socket

	mu     sync.Mutex
	queue  [][]byte
	pairs  [][2]string // head and body: sent before queue, compressed where that may be
	got    [][]byte
	faults []Fault
	timers int
	filled int // Fill calls
	closed []CloseReason
	done   chan struct{}

	busy [3]int32 // Frame, Fill, Timer at work; guarded by mu
}

func (p *peer) enter(which int) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[which]++; p.busy[which] > 1 {
		p.rig.t.Errorf("two calls of method %d at a time", which)
	}
	if len(p.closed) > 0 {
		p.rig.t.Errorf("method %d called after Closed", which)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.busy[which]--
	}
}

func (p *peer) Frame(b []byte) {
	defer p.enter(0)()
	p.mu.Lock()
	p.got = append(p.got, append([]byte(nil), b...))
	p.mu.Unlock()
	if p.rig.onFrame != nil {
		p.rig.onFrame(p, b)
		return
	}
	p.send(append([]byte(nil), b...))
}

func (p *peer) Fill(b *Batch) {
	defer p.enter(1)()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filled++
	for len(p.pairs) > 0 && !b.Full() {
		head, body := []byte(p.pairs[0][0]), []byte(p.pairs[0][1])
		if b.Deflates() {
			b.Deflated(head, AppendDeflated(nil, body))
		} else {
			b.Frame(head, body, nil)
		}
		p.pairs = p.pairs[1:]
	}
	for len(p.queue) > 0 && !b.Full() {
		m := p.queue[0]
		cut := len(m) / 3
		b.Frame(m[:cut], m[cut:2*cut], m[2*cut:])
		p.queue = p.queue[1:]
	}
}

func (p *peer) Timer(time.Time) {
	defer p.enter(2)()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timers++
}

func (p *peer) Fault(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	p.queue = append(p.queue, []byte(`{"bye":1}`))
}

func (p *peer) Closed(why CloseReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy != [3]int32{} {
		p.rig.t.Errorf("Closed beside other calls: %v", p.busy)
	}
	if p.closed = append(p.closed, why); len(p.closed) == 1 {
		close(p.done)
	} else {
		p.rig.t.Errorf("Closed twice: %v", p.closed)
	}
}

func (p *peer) send(m []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, m)
	p.sock.Wake() // with the handler's lock held, as the session does
}

// why waits for Closed.
func (p *peer) why() CloseReason {
	p.rig.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.rig.t.Fatalf("socket did not close: %s", goroutines())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed[0]
}

func (p *peer) fault() Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults) != 1 {
		p.rig.t.Errorf("%d faults, want 1: %v", len(p.faults), p.faults)
		return Fault{}
	}
	return p.faults[0]
}

// newRig starts a server; it is shut down, and what it held checked, at the test's end.
func newRig(t testing.TB, opts Options, onFrame func(*peer, []byte)) *rig {
	return newRigOn(t, opts, onFrame, nil)
}

func newRigOn(t testing.TB, opts Options, onFrame func(*peer, []byte), wrap func(net.Listener) net.Listener) *rig {
	t.Helper()
	before := census(t)
	r := &rig{t: t, added: make(chan *peer, 1<<15), onFrame: onFrame, set: metrics.NewSet()}
	opts.Metrics = r.set
	srv, err := NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	r.srv = srv
	r.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		srv.Accept(w, q, AcceptOptions{
			Subprotocols: []string{testProtocol},
			Handler: func(s *Socket) Handler {
				p := &peer{rig: r, sock: s, done: make(chan struct{})}
				r.mu.Lock()
				r.peers = append(r.peers, p)
				r.mu.Unlock()
				r.added <- p
				return p
			},
		})
	}))
	if wrap != nil {
		r.web.Listener = wrap(r.web.Listener)
	} else {
		r.web.Listener = r.listener(r.web.Listener, r.web.Config.Handler)
	}
	r.web.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		r.web.Close()
		r.mu.Lock()
		for _, p := range r.peers {
			p.why()
		}
		r.mu.Unlock()
		before.compare(t)
	})
	return r
}

// listener is l, or the front in its place where the test is of that.
func (r *rig) listener(l net.Listener, h http.Handler) net.Listener {
	if _, fronted := fronted.Load(r.t); !fronted {
		return l
	}
	f, err := r.srv.Front(l, FrontOptions{Path: "/", Handler: h, Wait: r.silence})
	if err != nil {
		r.t.Fatal(err)
	}
	if f == l {
		r.t.Fatal("no front")
	}
	l.Close()
	return f
}

func (r *rig) peer() *peer {
	r.t.Helper()
	select {
	case p := <-r.added:
		return p
	case <-time.After(patience):
		r.t.Fatal("no socket came")
		return nil
	}
}

func (r *rig) metric(name string) int { return int(r.set.GetOrCreateCounter(name).Get()) }

// dial is a well-behaved client's connection.
func (r *rig) dial() *websocket.Conn {
	r.t.Helper()
	c, _, err := websocket.Dial(r.t.Context(), "ws"+strings.TrimPrefix(r.web.URL, "http"), &websocket.DialOptions{Subprotocols: []string{testProtocol}})
	if err != nil {
		r.t.Fatal(err)
	}
	c.SetReadLimit(-1)
	r.t.Cleanup(func() { c.CloseNow() })
	return c
}

// until waits for a condition that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s\n%s", what, goroutines())
		}
	}
}

// pollers runs a test once for each poller of this system.
func pollers(t *testing.T, f func(t *testing.T, o Options)) {
	names := []string{"goroutine"}
	if runtime.GOOS == "linux" {
		names = append(names, "epoll")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { f(t, Options{Poller: name}) })
	}
	if runtime.GOOS == "linux" {
		t.Run("front", func(t *testing.T) {
			fronted.Store(t, true)
			defer fronted.Delete(t)
			f(t, Options{Poller: "epoll"})
		})
	}
}

// fronted holds the tests whose rigs have a front.
var fronted sync.Map

// holdings are the process's goroutines and descriptors.
type holdings struct{ goroutines, fds int }

func census(t testing.TB) holdings {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return holdings{runtime.NumGoroutine(), len(fds)}
}

// compare waits until no more is held than before.
func (h holdings) compare(t testing.TB) {
	http.DefaultClient.CloseIdleConnections()
	until(t, "goroutines and descriptors back at their start", func() bool {
		now := census(t)
		return now.goroutines <= h.goroutines && now.fds <= h.fds
	})
}

func goroutines() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
