package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
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
		return feedengine.Result{Stream: 0xb1, Counts: counts, Chats: []feedengine.ChatCount{{Conversation: 77, Unread: 2}, {Conversation: 78, Unread: 1}}}
	case feedengine.Edit:
		p := testPost(r.User, "edited")
		p.More = &feedengine.More{Edited: testID}
		return feedengine.Result{Post: p}
	case feedengine.LikePost:
		return feedengine.Result{Likes: 12}
	case feedengine.AddComment:
		return feedengine.Result{Comment: &feedengine.Comment{ID: testID, Post: a.Post, Author: r.User, Text: a.Text}}
	case feedengine.Send:
		return feedengine.Result{Message: &feedengine.Message{
			ID: testID, Conversation: 77, From: r.User, Text: a.Text, Reply: a.Reply, Media: a.Media,
		}}
	case feedengine.PutProfile:
		return feedengine.Result{Profile: &a.Profile}
	case feedengine.Received:
		return feedengine.Result{Upto: a.Upto}
	}
	return feedengine.Result{}
}

// fakeReads knows the post, the conversation and the search 77 and nothing of 404.
type fakeReads struct {
	mu    sync.Mutex
	err   error
	gate  chan struct{} // when set, reads wait until it is closed
	asked []string
}

func (f *fakeReads) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fakeReads) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = nil
}

// times is how often something was asked.
func (f *fakeReads) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// notes are what was asked, but for feeds and the graph.
func (f *fakeReads) notes() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, "; ")
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

// gone is the answer to all that is about 404.
func (f *fakeReads) gone(ctx context.Context, id feedengine.ID) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	if id == 404 {
		return fmt.Errorf("no %d: %w", id, feedengine.ErrNotFound)
	}
	return nil
}

func (f *fakeReads) PostFor(ctx context.Context, viewer string, id feedengine.ID) (*feedengine.Post, error) {
	f.note("post %d for %q", id, viewer)
	if err := f.gone(ctx, id); err != nil {
		return nil, err
	}
	p := testPost("alice", "hi")
	p.ID = id
	return p, nil
}

func (f *fakeReads) Comments(ctx context.Context, viewer string, post, before feedengine.ID, limit int) (*feedengine.CommentPage, error) {
	f.note("comments %d before %d limit %d for %q", post, before, limit, viewer)
	if err := f.gone(ctx, post); err != nil || before == 1 {
		return &feedengine.CommentPage{}, err
	}
	return &feedengine.CommentPage{Comments: []*feedengine.Comment{{ID: testID, Post: post, Author: "alice", Text: "<b>"}}, Next: 5}, nil
}

func (f *fakeReads) Notes(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.NotePage, error) {
	f.note("notes of %s before %d limit %d", user, before, limit)
	if err := f.wait(ctx); err != nil || before == 1 {
		return &feedengine.NotePage{}, err
	}
	return &feedengine.NotePage{Notes: []*feedengine.Note{
		{ID: testID, Kind: feedengine.NoteLike, Actor: "alice", Others: []string{"alice", "zoe"}, Count: 5, Post: 12},
		{ID: testID, Kind: feedengine.NoteFollow, Actor: "zoe", Count: 1},
	}, Next: 5}, nil
}

func (f *fakeReads) Conversations(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.ConversationPage, error) {
	f.note("conversations of %s before %d limit %d", user, before, limit)
	if err := f.wait(ctx); err != nil || before == 1 {
		return &feedengine.ConversationPage{}, err
	}
	last := &feedengine.Message{ID: testID, Conversation: 77, From: "alice", Text: "hi"}
	return &feedengine.ConversationPage{Conversations: []*feedengine.Conversation{
		{ID: 77, Members: []string{"alice", user}, Last: last, Unread: 2, Read: 9}, {ID: 78, Members: []string{user, "zoe"}},
	}, Next: 5}, nil
}

func (f *fakeReads) Messages(ctx context.Context, user string, conversation, before feedengine.ID, limit int) (*feedengine.MessagePage, error) {
	f.note("messages of %d before %d limit %d for %s", conversation, before, limit, user)
	if err := f.gone(ctx, conversation); err != nil || before == 1 {
		return &feedengine.MessagePage{}, err
	}
	return &feedengine.MessagePage{
		Messages: []*feedengine.Message{{ID: testID, Conversation: conversation, From: "alice", Text: "hi", Reply: 3}},
		Next:     5, Seen: []feedengine.MemberSeen{{User: "alice", Got: 9, Read: 0}},
	}, nil
}

func (f *fakeReads) Jobs(ctx context.Context, viewer string, q feedengine.JobQuery) (*feedengine.JobPage, error) {
	q.Now = time.Time{}
	f.note("jobs %+v for %q", q, viewer)
	if err := f.wait(ctx); err != nil || q.Before == "end" {
		return &feedengine.JobPage{}, err
	}
	if q.Before == "forged" {
		return nil, fmt.Errorf("cursor: %w", feedengine.ErrRefused)
	}
	p := testPost("alice", "bake")
	p.Kind, p.More = feedengine.KindOfJob, &feedengine.More{Job: &feedengine.Job{Title: "Baker"}}
	return &feedengine.JobPage{Jobs: []*feedengine.Post{p}, Next: "a.b"}, nil
}

func (f *fakeReads) Searches(ctx context.Context, user string) ([]feedengine.Search, error) {
	f.note("searches of %s", user)
	return []feedengine.Search{{ID: 77, Name: "bread", Query: feedengine.JobQuery{Text: "baker"}}}, f.wait(ctx)
}

func (f *fakeReads) SaveSearch(ctx context.Context, user string, s feedengine.Search) error {
	if d := time.Since(s.ID.Time()); d < -time.Second || d > time.Hour {
		return fmt.Errorf("the id %d is of %v", s.ID, s.ID.Time())
	}
	f.note("save %q %+v of %s", s.Name, s.Query, user)
	if s.Name == "one too many" {
		return fmt.Errorf("search: %w", feedengine.ErrRefused)
	}
	return f.wait(ctx)
}

func (f *fakeReads) DropSearch(ctx context.Context, user string, id feedengine.ID) error {
	f.note("drop %d of %s", id, user)
	return f.gone(ctx, id)
}

func (f *fakeReads) Hidden(ctx context.Context, user string, kind feedengine.HideKind, after string, limit int) ([]string, error) {
	f.note("hidden %d of %s after %q", kind, user, after)
	return f.list(ctx, after, limit)
}

// Profiles knows only alice.
func (f *fakeReads) Profiles(ctx context.Context, users []string) ([]feedengine.Profile, error) {
	f.note("profiles %v", users)
	if err := f.wait(ctx); err != nil || !slices.Contains(users, "alice") {
		return nil, err
	}
	return []feedengine.Profile{{User: "alice", Name: "Alice <i>", Avatar: "https://a.example/a"}}, nil
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
	people *fakePeople
	set    *metrics.Set
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	return newRigOn(t, true, change...)
}

// newRigOn is newRig with a front, or with net/http alone.
func newRigOn(t testing.TB, front bool, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, shards: newFakeShards(t), reads: &fakeReads{}, people: newFakePeople(), set: metrics.NewSet()}
	o := Options{
		Shards: r.shards, Reads: r.reads, Social: r.reads, Accounts: r.people, Circle: r.people,
		Health: fakeHealth{}, Verifier: fakeVerifier{},
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
