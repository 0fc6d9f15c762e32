package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/wire"
)

func TestDrain(t *testing.T) {
	r := newRig(t)
	const count = 60
	clients := []*client{r.dial()} // one that never connected
	for i := range count - 1 {
		clients = append(clients, r.connect(fmt.Sprint("user", i)))
	}
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			if bye := c.wantClose(wire.CloseDraining); bye.Spread == 0 {
				t.Errorf("bye %+v", bye)
			}
		})
	}
	if err := r.g.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := r.g.Sockets(); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
	detached := 0
	for _, a := range r.shards.actions() {
		if _, is := a.(feedengine.Detach); is {
			detached++
		}
	}
	if detached != count-1 {
		t.Errorf("%d were detached", detached)
	}
	for _, s := range []string{"awaiting", "connecting", "live", "closing"} {
		if n := r.counter(`feedgate_connections{state="` + s + `"}`); n != "0" {
			t.Errorf("%s are %s", n, s)
		}
	}
}

// TestDrainRate: sockets are closed as fast as others can take them, and are all
// gone in time.
func TestDrainRate(t *testing.T) {
	for _, c := range []struct {
		sockets  int
		admitted float64 // by others, per second
		left     time.Duration
		want     float64 // per second
	}{
		{10_000, 0, 0, 2000},                    // who takes them is not known
		{10_000, 3000, time.Minute, 1500},       // half of what one other node admits
		{10_000, 6000, time.Minute, 2000},       // two: no faster than clients spread out
		{100_000, 6000, 20 * time.Second, 6250}, // all must be gone in 16 s
		{100_000, 6000, 2 * time.Minute, 3000},  //
		{0, 3000, 20 * time.Second, 0},          //
		{5, 1, 20 * time.Second, 0.5},           // drainLeast is above that
		{1000, 3000, 100 * time.Millisecond, 12500},
	} {
		if got := drainRate(c.sockets, c.admitted, c.left); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%d sockets, others admit %v, %v left: %v per second, want %v", c.sockets, c.admitted, c.left, got, c.want)
		}
	}
}

// TestDrainWhileDialing: a socket that opens while Drain begins is closed like
// the others, or refused.
func TestDrainWhileDialing(t *testing.T) {
	for range 10 {
		r := newRig(t)
		var wg sync.WaitGroup
		dialed := make(chan struct{}, 64)
		for range 16 {
			wg.Go(func() {
				for {
					c, _, err := websocket.Dial(t.Context(), r.srv.URL+"/v1/ws", &websocket.DialOptions{Subprotocols: []string{wire.JSONv1}})
					if err != nil {
						return // refused: draining
					}
					select {
					case dialed <- struct{}{}:
					default: // enough to begin
					}
					wg.Go(func() { (&client{t, c}).wantClose(wire.CloseDraining) })
				}
			})
		}
		<-dialed
		if err := r.g.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
}

// TestDrainWhileVerifying: a connect whose token took long to check comes too late.
func TestDrainWhileVerifying(t *testing.T) {
	v := &slowVerifier{begun: make(chan struct{}), gate: make(chan struct{})}
	r := newRig(t, func(o *Options) { o.Verifier = v })
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:bob"}`)
	<-v.begun
	drained := make(chan error, 1)
	go func() { drained <- r.g.Drain(t.Context()) }() // waited for below
	waitFor(t, "the end to begin", func() bool { return r.counter(`feedgate_connections{state="closing"}`) == "1" })
	close(v.gate)
	c.wantClose(wire.CloseDraining)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if all := r.shards.actions(); len(all) != 0 {
		t.Errorf("the shard was asked %+v", all)
	}
}

// slowVerifier takes until the gate opens.
type slowVerifier struct {
	fakeVerifier
	begun, gate chan struct{}
}

func (v *slowVerifier) Verify(ctx context.Context, token string) (auth.Claims, error) {
	close(v.begun)
	<-v.gate
	return v.fakeVerifier.Verify(ctx, token)
}

// TestDrainEnds with its context, whatever clients do.
func TestDrainEnds(t *testing.T) {
	r := newRig(t)
	r.connect("bob") // and never answers the close
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.g.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDisconnect(t *testing.T) {
	r := newRig(t)
	one, two, other := r.connect("bob"), r.connect("bob"), r.connect("ann")
	status, _, body := r.call("POST", "/v1/users/bob/disconnect", "", "Authorization", "Bearer service:backend")
	if status != 200 || body != "{}" {
		t.Fatal(status, body)
	}
	for _, c := range []*client{one, two} {
		if bye := c.wantClose(wire.CloseRevoked); bye.Retry != 0 || bye.Spread != 0 {
			t.Errorf("a revoked client is told to come back: %+v", bye)
		}
	}
	other.send(`{"id":2,"op":"ping"}`)
	other.want(`{"re":2,"ok":{}}`)
}

func TestAdmin(t *testing.T) {
	broken := errors.New("view of bob: 3 counted, 2 there")
	var fails bool
	r := newRig(t, func(o *Options) {
		o.Check = func(context.Context) error {
			if fails {
				return broken
			}
			return nil
		}
	})
	c := r.connect("bob")
	c.send(`{"id":2,"op":"ping"}`)
	c.want(`{"re":2,"ok":{}}`)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		r.g.Admin().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	if code, body := get("/debug/check"); code != 200 || body != `{"ok":true}` {
		t.Errorf("%d %s", code, body)
	}
	fails = true
	if code, body := get("/debug/check"); code != 500 || !strings.Contains(body, broken.Error()) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get("/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %.50s", code, body)
	}
	code, body := get("/metrics")
	if code != 200 {
		t.Error(code)
	}
	for _, line := range []string{
		`feedgate_connections{state="live"} 1`, `feedgate_requests_total{op="ping",via="websocket",outcome="ok"} 1`,
		`feedgate_requests_total{op="connect",via="websocket",outcome="ok"} 1`, `feedgate_handshakes_total{outcome="accepted",subprotocol="feedgate.v1.json"} 1`,
		`feedgate_deliveries_total 0`, `process_`, `go_`, `feedgate_request_seconds_count{op="ping"} 1`,
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

// TestLogsHoldNoToken, at the most talkative level, whatever happens.
func TestLogsHoldNoToken(t *testing.T) {
	var mu sync.Mutex
	var logged bytes.Buffer
	r := newRig(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &logged}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	c := r.dial("Authorization", "Bearer ok:SECRET")
	c.send(`{"id":1,"op":"connect","token":"ok:SECRET1"}`)
	c.recv()
	c.send(`{"id":1,"op":"refresh","token":"expired:SECRET1"}`)
	c.recv()
	c.send(`SECRET2`)
	c.wantClose(wire.CloseProtocol)
	for _, token := range []string{"expired:SECRET", "forged:SECRET", "SECRET"} {
		c := r.dial()
		c.send(`{"id":1,"op":"connect","token":"` + token + `"}`)
		c.wantClose(wire.CloseBadToken)
		r.call("GET", "/v1/unread", "", "Authorization", "Bearer "+token)
	}
	waitFor(t, "the sockets' end", func() bool { return r.g.Sockets() == 0 })
	mu.Lock()
	defer mu.Unlock()
	text := strings.ReplaceAll(logged.String(), "user=SECRET1", "") // the user's name may be logged
	if strings.Contains(text, "SECRET") || !strings.Contains(text, "token refused") {
		t.Errorf("logged:\n%s", text)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}
