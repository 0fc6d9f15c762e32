package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/coder/websocket"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/wire"
)

// patience bounds a test's waits; it is no expectation.
const patience = 20 * time.Second

// fakeShards answers requests in order, on one goroutine of its own, as a shard
// would.
type fakeShards struct {
	jobs chan func()

	mu     sync.Mutex
	asked  []feedengine.Request
	answer func(feedengine.Request) feedengine.Result // nil: plain
	after  func(feedengine.Request)                   // runs behind Done, on the shard's goroutine
}

func newFakeShards(t testing.TB) *fakeShards {
	f := &fakeShards{jobs: make(chan func(), 4096)}
	done := make(chan struct{})
	go func() { // until the test ends, which waits for it
		defer close(done)
		for job := range f.jobs {
			job()
		}
	}()
	t.Cleanup(func() { close(f.jobs); <-done })
	return f
}

func (f *fakeShards) Submit(r feedengine.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	answer, after := f.answer, f.after
	f.mu.Unlock()
	f.jobs <- func() {
		res := plain(r)
		if answer != nil {
			res = answer(r)
		}
		r.Done(res)
		if after != nil {
			after(r)
		}
	}
}

func (f *fakeShards) set(answer func(feedengine.Request) feedengine.Result, after func(feedengine.Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.after = answer, after
}

func (f *fakeShards) actions() []feedengine.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []feedengine.Action
	for _, r := range f.asked {
		all = append(all, r.Do)
	}
	return all
}

// find waits for an action of type A.
func find[A feedengine.Action](t testing.TB, f *fakeShards) A {
	t.Helper()
	var found A
	waitFor(t, "an action", func() bool {
		for _, a := range f.actions() {
			if a, ok := a.(A); ok {
				found = a
				return true
			}
		}
		return false
	})
	return found
}

const testID = feedengine.ID(7_000_000_001)

func testPost(author, text string) *feedengine.Post {
	return &feedengine.Post{ID: testID, Author: author, Kind: "post", Text: text}
}

// plain is what a shard in which nothing happened would answer.
func plain(r feedengine.Request) feedengine.Result {
	counts := feedengine.Counts{Feed: 4, V: 9}
	switch a := r.Do.(type) {
	case feedengine.Attach:
		res := feedengine.Result{Stream: 0xb1, N: 7, Counts: counts}
		if a.Page > 0 {
			res.Page = &feedengine.Page{Posts: []*feedengine.Post{testPost("alice", "hi")}, Next: 5}
		}
		return res
	case feedengine.Publish:
		return feedengine.Result{Post: testPost(r.User, a.Text)}
	case feedengine.Follow:
		return feedengine.Result{Since: 77}
	case feedengine.Read:
		return feedengine.Result{Stream: 0xb1, Counts: counts, Upto: a.Upto}
	case feedengine.Unread:
		return feedengine.Result{Stream: 0xb1, Counts: counts}
	}
	return feedengine.Result{}
}

type fakeReads struct {
	mu   sync.Mutex
	err  error
	gate chan struct{} // when set, reads wait until it is closed
}

func (f *fakeReads) wait(ctx context.Context) error {
	f.mu.Lock()
	gate, err := f.gate, f.err
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (f *fakeReads) Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	if before == 1 {
		return &feedengine.Page{}, nil
	}
	return &feedengine.Page{Posts: []*feedengine.Post{testPost(user, "line\u2028\"\\\x01")}, Next: feedengine.ID(limit)}, nil
}

func (f *fakeReads) Post(ctx context.Context, id feedengine.ID) (*feedengine.Post, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	if id == 404 {
		return nil, errors.Join(errors.New("post 404"), feedengine.ErrNotFound)
	}
	p := testPost("alice", "hi")
	p.ID = id
	return p, nil
}

var everybody = []string{"a", "b", "c", "d", "e"}

func (f *fakeReads) list(ctx context.Context, after string, limit int) ([]string, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	out := []string{}
	for _, u := range everybody {
		if u > after && len(out) < limit {
			out = append(out, u)
		}
	}
	return out, nil
}

func (f *fakeReads) Following(ctx context.Context, _, after string, limit int) ([]string, error) {
	return f.list(ctx, after, limit)
}

func (f *fakeReads) Followers(ctx context.Context, _, after string, limit int) ([]string, error) {
	return f.list(ctx, after, limit)
}

// fakeVerifier takes tokens of the form kind:user.
type fakeVerifier struct{}

func (fakeVerifier) Verify(_ context.Context, token string) (auth.Claims, error) {
	kind, user, _ := strings.Cut(token, ":")
	switch kind {
	case "ok":
		return auth.Claims{User: user, Expires: time.Now().Add(time.Hour)}, nil
	case "long":
		return auth.Claims{User: user, Expires: time.Date(2030, 1, 2, 3, 4, 5, 6e6, time.UTC)}, nil
	case "service":
		return auth.Claims{User: user, Expires: time.Now().Add(time.Hour), Service: true}, nil
	case "short":
		return auth.Claims{User: user, Expires: time.Now().Add(300 * time.Millisecond)}, nil
	case "expired":
		return auth.Claims{}, &auth.Error{Reason: auth.Expired}
	case "unsigned":
		return auth.Claims{}, &auth.Error{Reason: auth.BadAlgorithm}
	case "forged":
		return auth.Claims{}, &auth.Error{Reason: auth.BadSignature}
	case "nokeys":
		return auth.Claims{}, &auth.Error{Reason: auth.KeysUnavailable}
	}
	return auth.Claims{}, &auth.Error{Reason: auth.Malformed}
}

type fakeHealth struct{ storage, bus error }

func (f fakeHealth) Storage(context.Context) error { return f.storage }
func (f fakeHealth) Bus(context.Context) error     { return f.bus }

// rig is a gateway on a loopback port, with fakes around it.
type rig struct {
	t      testing.TB
	g      *Gateway
	srv    *httptest.Server
	shards *fakeShards
	reads  *fakeReads
	set    *metrics.Set
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	return newRigOn(t, true, change...)
}

// newRigOn is newRig with a front, or with net/http alone.
func newRigOn(t testing.TB, front bool, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, shards: newFakeShards(t), reads: &fakeReads{}, set: metrics.NewSet()}
	o := Options{
		Shards: r.shards, Reads: r.reads, Health: fakeHealth{}, Verifier: fakeVerifier{},
		Metrics: r.set, Log: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	g.Ready()
	r.g, r.srv = g, serveOn(t, g, front)
	t.Cleanup(func() {
		r.srv.CloseClientConnections()
		r.srv.Close()
		if err := g.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		// A handshake may still be on its way out: its handler is not net/http's any more.
		waitFor(t, "all sockets to be gone after Close", func() bool { return g.Sockets() == 0 })
	})
	return r
}

// counter reads one metric of the rig, 0 when it is not there.
func (r *rig) counter(name string) string {
	var b strings.Builder
	r.set.WritePrometheus(&b)
	for line := range strings.Lines(b.String()) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return v
		}
	}
	return "0"
}

// client is a WebSocket client of a rig.
type client struct {
	t testing.TB
	c *websocket.Conn
}

func (r *rig) dial(header ...string) *client {
	r.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, r.srv.URL+"/v1/ws", &websocket.DialOptions{
		Subprotocols: []string{wire.JSONv1}, HTTPHeader: h,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	c.SetReadLimit(1 << 22)
	cl := &client{r.t, c}
	r.t.Cleanup(func() { c.CloseNow() })
	return cl
}

// connect dials and connects as user, and takes the reply.
func (r *rig) connect(user string) *client {
	r.t.Helper()
	c := r.dial()
	c.send(`{"id":1,"op":"connect","token":"ok:` + user + `"}`)
	if f := c.recv(); f.OK == nil {
		r.t.Fatalf("connect: %+v", f)
	}
	return c
}

func (c *client) send(frame string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.c.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		c.t.Fatalf("send %.80s: %v", frame, err)
	}
}

func (c *client) raw() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, p, err := c.c.Read(ctx)
	return string(p), err
}

func (c *client) recv() *wire.ServerFrame {
	c.t.Helper()
	p, err := c.raw()
	if err != nil {
		c.t.Fatalf("recv: %v", err)
	}
	f, err := wire.DecodeServer([]byte(p))
	if err != nil {
		c.t.Fatalf("recv %s: %v", p, err)
	}
	return f
}

// want receives one frame and compares it to the letter.
func (c *client) want(frame string) {
	c.t.Helper()
	p, err := c.raw()
	if err != nil {
		c.t.Fatalf("want %s, got %v", frame, err)
	}
	if p != frame {
		c.t.Fatalf("\n got %s\nwant %s", p, frame)
	}
}

// wantClose reads to the end, which must be a bye and a close with the code.
// It returns the bye.
func (c *client) wantClose(code wire.CloseCode) *wire.Bye {
	c.t.Helper()
	var bye *wire.Bye
	for {
		p, err := c.raw()
		if err != nil {
			if got := websocket.CloseStatus(err); int(got) != int(code) {
				c.t.Fatalf("closed with %d (%v), want %d", got, err, code)
			}
			break
		}
		if f, err := wire.DecodeServer([]byte(p)); err == nil {
			bye = f.Bye
		}
	}
	if bye == nil || bye.Code != code || bye.Reason == "" {
		c.t.Fatalf("close %d came without its bye before it: %+v", code, bye)
	}
	return bye
}

// waitFor polls until what is so.
func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// call makes one HTTP request and returns status, headers and body.
func (r *rig) call(method, path, body string, header ...string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.srv.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := r.srv.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(p) > 0 && !json.Valid(p) && !strings.HasPrefix(path, "/metrics") {
		r.t.Errorf("%s %s: the answer is not JSON: %s", method, path, p)
	}
	return res.StatusCode, res.Header, strings.TrimSpace(string(p))
}

func (e expiring) Verify(context.Context, string) (auth.Claims, error) {
	return auth.Claims{User: "bob", Expires: time.Now().Add(e.life)}, nil
}
