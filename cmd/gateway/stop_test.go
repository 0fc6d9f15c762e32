package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

func TestSIGTERM(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			e := sqliteEnv(t)
			c := spawn(t, e)
			alice, bob := connect(t, &c.node, "alice", nil), connect(t, &c.node, "bob", nil)
			bob.follow("alice")
			post := alice.publish("before the end")
			bob.event()

			c.signal(sig)
			for _, device := range []*client{alice, bob} {
				bye, code := device.closed()
				if code != 4200 || bye.Bye == nil || bye.Bye.Code != 4200 || bye.Bye.SpreadMS <= 0 {
					t.Errorf("closed with %d, bye %+v", code, bye.Bye)
				}
			}
			if err := c.wait(); err != nil {
				t.Fatalf("it ended with %v\n%s", err, c.logs)
			}

			again := spawn(t, e)
			back := connect(t, &again.node, "bob", map[string]any{"feed": 5})
			if p := back.hello.Feed.Posts; len(p) != 1 || p[0].ID != post || back.hello.Unread.Feed != 1 {
				t.Errorf("after the restart: %+v, unread %+v", p, back.hello.Unread)
			}
			again.hangUpAndStop()
		})
	}
}

// Whatever was acknowledged before a graceful stop is there after it, and what
// was not gets an answer or a closed socket, never silence.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e env) {
		e = e.with(env{"FEEDGATE_USER_RATE": "100000", "FEEDGATE_USER_BURST": "100000"})
		n := start(t, e)
		reader := connect(t, n, "reader", nil)
		var wg sync.WaitGroup
		var mu sync.Mutex
		acked := map[string]bool{}
		for _, author := range []string{"a1", "a2", "a3", "a4"} {
			reader.follow(author)
			c := connect(t, n, author, nil)
			wg.Go(func() {
				for {
					ok, err := c.try("publish", map[string]any{"text": "x"})
					if err != nil {
						if refused := refusal(err); refused != nil && refused.Retryable {
							continue
						}
						if code := websocket.CloseStatus(err); code != 4200 {
							t.Errorf("%s: %v", author, err)
						}
						return
					}
					mu.Lock()
					acked[ok.Post.ID] = true
					mu.Unlock()
				}
			})
		}
		eventually(t, "some posts are acknowledged", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) > 200
		})
		if err := n.stop(); err != nil {
			t.Error(err)
		}
		wg.Wait()

		n = start(t, e)
		feed := n.wholeFeed("reader")
		for id := range acked {
			if feed[id] != 1 {
				t.Errorf("post %s was acknowledged and is there %d times", id, feed[id])
			}
		}
		if got := connect(t, n, "reader", nil).hello.Unread.Feed; got != len(feed) {
			t.Errorf("%d unread, %d posts", got, len(feed))
		}
		n.sound()
	})
}

// wholeFeed pages through a user's feed and counts the posts by id.
func (n *node) wholeFeed(user string) map[string]int {
	n.t.Helper()
	service := token(n.t, "backend", true)
	seen, before := map[string]int{}, ""
	for {
		path := "/v1/feed?limit=100"
		if before != "" {
			path += "&before=" + before
		}
		a := n.http("GET", path, service, nil, "Feedgate-User", user)
		if a.status != 200 {
			n.t.Fatalf("feed of %s: %d %v", user, a.status, a.body)
		}
		for _, p := range a.body["posts"].([]any) {
			seen[p.(map[string]any)["id"].(string)]++
		}
		next, _ := a.body["next"].(string)
		if next == "" {
			return seen
		}
		before = next
	}
}

func TestSecondSignalExitsAtOnce(t *testing.T) {
	t.Parallel()
	e := sqliteEnv(t)
	c := spawn(t, e)
	// A device that never answers the close frame holds the drain up.
	stuck := dial(t, &c.node)
	stuck.send("connect", map[string]any{"token": token(t, "alice", false)})
	c.signal(syscall.SIGTERM)
	eventually(t, "the drain has begun", func() bool { return c.logs.has("msg=draining") })
	c.signal(syscall.SIGTERM)
	c.wait()
	if c.code() != exitForced || !c.logs.has("second signal") {
		t.Errorf("exit code %d\n%s", c.code(), c.logs)
	}
}

func TestSIGTERMWhileStarting(t *testing.T) {
	t.Parallel()
	c := launch(t, baseEnv().with(env{"DATABASE_URL": "postgres://nobody@127.0.0.1:" + freePort(t) + "/nothing"}))
	eventually(t, "the node waits for its database", func() bool { return c.logs.has("not there yet") })
	if err := c.stop(); err != nil {
		t.Errorf("%v\n%s", err, c.logs)
	}
}

// Not parallel: it counts this process's goroutines.
func TestStopLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	n := start(t, sqliteEnv(t))
	alice, bob := connect(t, n, "alice", nil), connect(t, n, "bob", nil)
	bob.follow("alice")
	alice.publish("x")
	n.http("GET", "/v1/feed", token(t, "bob", false), nil)
	n.hangUpAndStop()
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestStartFailures(t *testing.T) {
	t.Parallel()
	taken := start(t, sqliteEnv(t))
	setUp := sqliteEnv(t)
	if err := start(t, setUp).stop(); err != nil {
		t.Fatal(err)
	}
	garbage := sqliteEnv(t)
	writeFile(t, filepath.Join(garbage["FEEDGATE_DATA"], "feedgate.db"), strings.Repeat("no database ", 1000))
	for name, tc := range map[string]struct {
		env  env
		want string
	}{
		"address in use":       {sqliteEnv(t).with(env{"FEEDGATE_ADDR": taken.addr}), "FEEDGATE_ADDR"},
		"admin address in use": {sqliteEnv(t).with(env{"FEEDGATE_ADMIN_ADDR": taken.addr}), "FEEDGATE_ADMIN_ADDR"},
		"directory in use":     {taken.env, "in use by process"},
		"short secret":         {sqliteEnv(t).with(env{"FEEDGATE_JWT_SECRET": "hunter2"}), "at least 32"},
		"no key set":           {sqliteEnv(t).with(env{"FEEDGATE_JWT_SECRET": "", "FEEDGATE_JWT_JWKS": "/no/such/file"}), "JWKS"},
		"no certificate":       {sqliteEnv(t).with(env{"FEEDGATE_TLS_CERT": "/no/such/file", "FEEDGATE_TLS_KEY": "/no"}), "TLS certificate"},
		"other shards":         {setUp.with(env{"FEEDGATE_SHARDS": "32"}), "16 shards"},
		"no place for data":    {sqliteEnv(t).with(env{"FEEDGATE_DATA": "/dev/null/data"}), "/dev/null"},
		"no database file":     {garbage, "not a database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errs, code := runOnce(tc.env)
			if code != exitFailed || !strings.Contains(errs, tc.want) {
				t.Errorf("code %d: %s", code, errs)
			}
			if strings.Contains(errs, "hunter2") || strings.Contains(errs, testSecret) {
				t.Errorf("it tells the secret: %s", errs)
			}
		})
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
