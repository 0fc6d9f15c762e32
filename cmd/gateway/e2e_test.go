package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// sound fails the test unless the node's invariants hold and no counter has
// ever differed from the facts.
func (n *node) sound() {
	n.t.Helper()
	if got := n.adminGet("/debug/check"); !strings.Contains(got, `"ok":true`) {
		n.t.Errorf("/debug/check: %s", got)
	}
	if drift := n.metric("feedgate_counter_drift_total"); drift != 0 {
		n.t.Errorf("%v counters drifted", drift)
	}
}

func TestTwoUsers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e env) {
		n := start(t, e)
		alice, bob := connect(t, n, "alice", nil), connect(t, n, "bob", nil)
		if bob.hello.Resumed || bob.hello.Unread.Feed != 0 || bob.hello.Stream == "" {
			t.Fatalf("a first connect: %+v", bob.hello)
		}

		alice.publish("before anybody follows")
		since := bob.follow("alice")
		if again := bob.follow("alice"); again != since {
			t.Errorf("following again moved since from %s to %s", since, again)
		}

		// A post reaches follower and author, and counts for the follower only.
		post := alice.must("publish", map[string]any{"text": "  hello, <world> \u2028 ✓ "}).Post
		if post.Author != "alice" || post.Kind != "post" || post.Text != "hello, <world> \u2028 ✓" {
			t.Errorf("published %+v", post)
		}
		if at, err := time.Parse("2006-01-02T15:04:05.000Z", post.At); err != nil || time.Since(at).Abs() > patience {
			t.Errorf("at %q: %v", post.At, err)
		}
		got := bob.event()
		if got.N != bob.hello.N+1 || got.Event == nil || got.Event.Type != "post" || got.Unread == nil || got.Unread.Feed != 1 {
			t.Fatalf("bob got %+v", got)
		}
		if e := *got.Event; e.ID != post.ID || e.Text != post.Text || e.Author != "alice" || e.At != post.At {
			t.Errorf("bob got %+v, want %+v", e, post)
		}
		alice.event() // her first
		if told := alice.event(); told.Event.Type != "notification" || told.Event.Kind != "follow" || told.Unread.Notifications != 1 {
			t.Errorf("of bob's follow alice got %+v, unread %+v", told.Event, told.Unread)
		}
		if own := alice.event(); own.Event.ID != post.ID || own.Unread.Feed != 0 {
			t.Errorf("alice's own post came as %+v, unread %+v", own.Event, own.Unread)
		}

		// A second device sees the same stream, page and counters.
		tablet := connect(t, n, "bob", map[string]any{"feed": 20})
		if tablet.hello.Stream != bob.hello.Stream || tablet.hello.N != got.N || tablet.hello.Unread.Feed != 1 {
			t.Errorf("the second device: %+v, unread %+v", tablet.hello, tablet.hello.Unread)
		}
		if texts := textsOf(tablet.hello.Feed.Posts); !slices.Equal(texts, []string{post.Text, "before anybody follows"}) {
			t.Errorf("its page: %q", texts)
		}

		// Reading on one takes the badge from the other.
		read := tablet.must("read", map[string]any{"of": "feed", "upto": post.ID})
		if read.Unread.Feed != 0 || read.Upto != post.ID {
			t.Errorf("read: %+v, unread %+v", read, read.Unread)
		}
		moved := bob.event()
		if moved.Event.Type != "read" || moved.Unread.Feed != 0 || moved.N != got.N+1 {
			t.Errorf("the first device got %+v, unread %+v", moved.Event, moved.Unread)
		}

		// A lost connection comes back with exactly what it missed.
		bob.drop()
		missed := []string{alice.publish("one"), alice.publish("two"), alice.publish("three")}
		back := connect(t, n, "bob", bob.resume(moved.N))
		if h := back.hello; !h.Resumed || h.Replay != 3 || h.N != moved.N+3 || h.Unread.Feed != 3 || h.Stream != bob.hello.Stream {
			t.Fatalf("resumed: %+v, unread %+v", h, h.Unread)
		}
		for i, id := range missed {
			if f := back.event(); f.N != moved.N+uint64(i)+1 || f.Event.ID != id {
				t.Errorf("replayed %d: n %d, %+v", i, f.N, f.Event)
			}
		}

		// sync sends what is missing again, on the same socket.
		back.must("sync", map[string]any{"n": moved.N + 1})
		for i, id := range missed[1:] {
			if f := back.event(); f.N != moved.N+uint64(i)+2 || f.Event.ID != id {
				t.Errorf("synced %d: n %d, %+v", i, f.N, f.Event)
			}
		}

		// A deleted post leaves the counter, and the stream keeps its number.
		alice.must("delete", map[string]any{"post": missed[1]})
		if f := back.event(); f.Event.Type != "post_deleted" || f.Unread.Feed != 2 {
			t.Errorf("deleted: %+v, unread %+v", f.Event, f.Unread)
		}
		if _, refused := alice.do("delete", map[string]any{"post": missed[1]}); refused == nil || refused.Code != "not_found" {
			t.Errorf("deleted again: %v", refused)
		}
		if _, refused := back.do("delete", map[string]any{"post": missed[0]}); refused == nil || refused.Code != "forbidden" {
			t.Errorf("somebody else's post: %v", refused)
		}
		if texts := textsOf(back.must("feed", nil).Posts); !slices.Equal(texts[:2], []string{"three", "one"}) {
			t.Errorf("the feed after a delete: %q", texts)
		}

		// Unfollowing takes what it hides out of the counter.
		back.must("unfollow", map[string]any{"user": "alice"})
		if u := back.must("unread", nil).Unread; u.Feed != 0 {
			t.Errorf("unread after unfollow: %+v", u)
		}
		n.sound()
	})
}

func textsOf(posts []event) (texts []string) {
	for _, p := range posts {
		texts = append(texts, p.Text)
	}
	return texts
}

func TestIdempotentPublish(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e env) {
		n := start(t, e)
		alice, bob := connect(t, n, "alice", nil), connect(t, n, "bob", nil)
		bob.follow("alice")
		keyed := map[string]any{"text": "once", "key": "k1"}
		first := alice.must("publish", keyed).Post
		again := alice.must("publish", keyed).Post
		elsewhere := connect(t, n, "alice", nil).must("publish", keyed).Post
		if !reflect.DeepEqual(again, first) || !reflect.DeepEqual(elsewhere, first) {
			t.Errorf("got %+v, %+v and %+v", first, again, elsewhere)
		}
		_, refused := alice.do("publish", map[string]any{"text": "other", "key": "k1"})
		if refused == nil || refused.Code != "conflict" || refused.Retryable {
			t.Errorf("other content: %v", refused)
		}
		// The key is alice's own.
		if other := bob.must("publish", map[string]any{"text": "bob's", "key": "k1"}).Post; other.ID == first.ID {
			t.Error("bob got alice's post")
		}
		last := alice.publish("last")
		var got []string
		for len(got) == 0 || got[len(got)-1] != last {
			got = append(got, bob.event().Event.ID)
		}
		if seen := slices.Index(got, first.ID); seen < 0 || slices.Contains(got[seen+1:], first.ID) {
			t.Errorf("bob's events: %v", got)
		}

		// It is kept across a restart.
		n.hangUpAndStop()
		n = start(t, e)
		if after := connect(t, n, "alice", nil).must("publish", keyed).Post; after.ID != first.ID {
			t.Errorf("after a restart: %+v, want %+v", after, first)
		}
		if got := connect(t, n, "bob", nil).hello.Unread.Feed; got != 2 {
			t.Errorf("bob has %d unread, want 2", got)
		}
		n.sound()
	})
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e env) {
		n := start(t, e)
		service, alice := token(t, "backend", true), token(t, "alice", false)
		as := func(user string) []string { return []string{"Feedgate-User", user} }

		want := func(a answer, status int, code string) answer {
			t.Helper()
			got := ""
			if e, ok := a.body["error"].(map[string]any); ok {
				got = fmt.Sprint(e["code"])
			}
			if a.status != status || got != code {
				t.Errorf("got %d %v, want %d %s", a.status, a.body, status, code)
			}
			return a
		}
		want(n.http("PUT", "/v1/following/alice", service, nil, as("bob")...), 200, "")
		made := want(n.http("POST", "/v1/posts", alice, map[string]any{"text": "hi"}, "Idempotency-Key", "k"), 201, "")
		id := made.body["post"].(map[string]any)["id"].(string)
		want(n.http("POST", "/v1/posts", alice, map[string]any{"text": "hi"}, "Idempotency-Key", "k"), 201, "")
		want(n.http("POST", "/v1/posts", alice, map[string]any{"text": "ho"}, "Idempotency-Key", "k"), 409, "conflict")

		unread := want(n.http("GET", "/v1/unread", service, nil, as("bob")...), 200, "").body
		if u := unread["unread"].(map[string]any); u["feed"] != 1.0 || unread["stream"] == "" {
			t.Errorf("unread: %v", unread)
		}
		feed := want(n.http("GET", "/v1/feed?limit=10", service, nil, as("bob")...), 200, "").body
		if posts := feed["posts"].([]any); len(posts) != 1 || posts[0].(map[string]any)["id"] != id {
			t.Errorf("feed: %v", feed)
		}
		want(n.http("POST", "/v1/read", service, map[string]any{"of": "feed", "upto": id}, as("bob")...), 200, "")
		want(n.http("GET", "/v1/posts/"+id, alice, nil), 200, "")
		want(n.http("DELETE", "/v1/posts/"+id, service, nil, as("bob")...), 403, "forbidden")
		want(n.http("DELETE", "/v1/posts/"+id, alice, nil), 200, "")
		want(n.http("GET", "/v1/posts/"+id, alice, nil), 404, "not_found")

		want(n.http("GET", "/v1/feed", "", nil), 401, "unauthorized")
		want(n.http("GET", "/v1/feed", alice[:len(alice)-3], nil), 401, "unauthorized")
		want(n.http("GET", "/v1/feed", alice, nil, as("bob")...), 403, "forbidden")
		want(n.http("POST", "/v1/users/bob/disconnect", alice, nil), 403, "forbidden")

		// Revocation closes all of a user's sockets, and nobody else's.
		phone, tablet, other := connect(t, n, "bob", nil), connect(t, n, "bob", nil), connect(t, n, "carol", nil)
		want(n.http("POST", "/v1/users/bob/disconnect", service, nil), 200, "")
		for _, c := range []*client{phone, tablet} {
			if bye, code := c.closed(); code != 4503 || bye.Bye == nil || bye.Bye.Code != 4503 {
				t.Errorf("closed with %d, bye %+v", code, bye.Bye)
			}
		}
		other.must("ping", nil)

		if a := n.http("GET", "/healthz", "", nil); a.status != 200 {
			t.Errorf("/healthz: %d", a.status)
		}
		if a := n.http("GET", "/readyz", "", nil); a.status != 200 || a.body["storage"] != "ok" {
			t.Errorf("/readyz: %d %v", a.status, a.body)
		}
		n.sound()
	})
}

func TestAdminListener(t *testing.T) {
	t.Parallel()
	n := start(t, sqliteEnv(t))
	connect(t, n, "alice", nil).publish("x")
	for path, want := range map[string][]string{
		"/metrics": {
			"feedgate_connections", "feedgate_counter_drift_total", "feedgate_mailbox_depth", "go_goroutines", "process_resident_memory_bytes",
		},
		"/cluster":            {`"shards"`, `"owner"`},
		"/debug/check":        {`"ok":true`},
		"/debug/pprof/symbol": {"num_symbols"},
	} {
		got := n.adminGet(path)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s has no %s", path, w)
			}
		}
		// None of it is for the public.
		resp, err := http.Get("http://" + n.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("the public listener serves %s: %d", path, resp.StatusCode)
		}
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	n := start(t, sqliteEnv(t))
	good := token(t, "alice", false)
	for name, tok := range map[string]string{
		"none":    "",
		"garbage": "garbage",
		"cut":     good[:len(good)-3],
		"alg":     "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MjUzNDAyMzAwNzk5fQ.",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, n)
			c.send("connect", map[string]any{"token": tok})
			if bye, code := c.closed(); code != 4501 || bye.Bye == nil || bye.Bye.Code != 4501 {
				t.Errorf("closed with %d, bye %+v", code, bye.Bye)
			}
		})
	}
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	file := filepath.Join(t.TempDir(), "jwks.json")
	writeFile(t, file, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"`+public+`"}]}`)
	e := sqliteEnv(t).with(env{"FEEDGATE_JWT_JWKS": file, "FEEDGATE_JWT_ISSUER": "id.example"})
	delete(e, "FEEDGATE_JWT_SECRET")
	n := start(t, e)
	signed := func(issuer string) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "alice", "iss": issuer, "exp": time.Now().Add(time.Hour).Unix()})
		tok.Header["kid"] = "k1"
		s, err := tok.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if ok := dial(t, n).must("connect", map[string]any{"token": signed("id.example")}); ok.User != "alice" {
		t.Errorf("%+v", ok)
	}
	for name, tok := range map[string]string{"HS256": token(t, "alice", false), "issuer": signed("elsewhere")} {
		if a := n.http("GET", "/v1/unread", tok, nil); a.status != 401 {
			t.Errorf("%s: %d %v", name, a.status, a.body)
		}
	}
}

func TestUserLimits(t *testing.T) {
	t.Parallel()
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_USER_RATE": "1", "FEEDGATE_USER_BURST": "5", "FEEDGATE_SOCKETS_PER_USER": "2"}))
	c := connect(t, n, "alice", nil)
	refused := (*frameError)(nil)
	for range 10 {
		if _, refused = c.do("ping", nil); refused != nil {
			break
		}
	}
	if refused == nil || refused.Code != "rate_limited" || !refused.Retryable || refused.RetryMS <= 0 {
		t.Errorf("ten requests at a burst of 5: %+v", refused)
	}
	connect(t, n, "bob", nil)
	connect(t, n, "bob", nil)
	third := dial(t, n)
	third.send("connect", map[string]any{"token": token(t, "bob", false)})
	if _, code := third.closed(); code != 4103 {
		t.Errorf("a third socket was closed with %d, want 4103", code)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := selfSigned(t)
	n := start(t, sqliteEnv(t).with(env{"FEEDGATE_TLS_CERT": cert, "FEEDGATE_TLS_KEY": key}))
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: pool}}
	ws, _, err := websocket.Dial(t.Context(), "wss://"+n.addr+"/v1/ws", &websocket.DialOptions{
		HTTPClient: trusting, Subprotocols: []string{"feedgate.v1.json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, ws: ws}
	if got := c.must("connect", map[string]any{"token": token(t, "alice", false)}); got.User != "alice" {
		t.Errorf("%+v", got)
	}
	c.publish("over TLS")
	c.drop()
}

func TestDevMode(t *testing.T) {
	t.Parallel()
	var out logBuffer
	e := sqliteEnv(t).with(env{"FEEDGATE_DEV": "1"})
	delete(e, "FEEDGATE_JWT_SECRET")
	n := startWith(t, e, &out)
	if want := "open http://" + n.addr + "/"; !out.has(want) {
		t.Errorf("it does not say %q: %s", want, &out)
	}
	resp, err := http.Get("http://" + n.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the demo page: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	got := n.http("POST", "/dev/token", "", map[string]any{"user": "alice"})
	tok, _ := got.body["token"].(string)
	if got.status != 200 || tok == "" {
		t.Fatalf("%d %v", got.status, got.body)
	}
	if a := n.http("GET", "/v1/feed", tok, nil); a.status != 200 {
		t.Errorf("with the dev token: %d %v", a.status, a.body)
	}

	plain := start(t, sqliteEnv(t))
	if a := plain.http("POST", "/dev/token", "", map[string]any{"user": "alice"}); a.status != 404 {
		t.Errorf("/dev/token outside dev mode: %d", a.status)
	}
}
