package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

// busy is an environment for nodes under traffic.
func busy(e env) env {
	return e.with(env{"FEEDGATE_USER_RATE": "1000000", "FEEDGATE_USER_BURST": "1000000", "FEEDGATE_LOG_LEVEL": "info"})
}

// stopAndStart is a restart for traffic.finish.
func stopAndStart(t *testing.T, n *node) func() *node {
	return func() *node {
		n.hangUpAndStop()
		return start(t, n.env)
	}
}

func TestSQLiteLocked(t *testing.T) {
	t.Parallel()
	n := start(t, busy(sqliteEnv(t)))
	tr := newTraffic(t, n)
	tr.flows()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(n.env["FEEDGATE_DATA"], "feedgate.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for range 3 {
		eventually(t, "the lock is taken", func() bool {
			_, err := db.Exec("BEGIN IMMEDIATE")
			return err == nil
		})
		tr.stops()
		if a := n.http("GET", "/v1/feed", token(t, "author1", false), nil); a.status != 200 {
			t.Errorf("reading beside a writer: %d %v", a.status, a.body)
		}
		if _, err := db.Exec("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		tr.flows()
	}
	tr.finish(stopAndStart(t, n))
}

// The file system takes no more: files must not grow beyond what they are, and
// later may.
func TestSQLiteFull(t *testing.T) {
	t.Parallel()
	c := spawn(t, busy(sqliteEnv(t)))
	tr := newTraffic(t, &c.node)
	tr.flows()
	limit := func(bytes uint64) {
		t.Helper()
		if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(uint64(largest(t, c.env["FEEDGATE_DATA"])) + 10_000)
	tr.stops()
	limit(unix.RLIM_INFINITY)
	tr.flows()
	tr.finish(func() *node {
		c.hangUpAndStop()
		return &spawn(t, c.env).node
	})
}

// largest is the size of the largest file in a directory.
func largest(t *testing.T, dir string) (n int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n = max(n, info.Size())
		}
	}
	return n
}

// Somebody takes the directory away from under the node, and puts it back.
func TestSQLiteGone(t *testing.T) {
	t.Parallel()
	n := start(t, busy(sqliteEnv(t)))
	tr := newTraffic(t, n)
	data := n.env["FEEDGATE_DATA"]
	for range 3 {
		tr.flows()
		if err := os.Rename(data, data+".away"); err != nil {
			t.Fatal(err)
		}
		tr.stops()
		if err := os.Rename(data+".away", data); err != nil {
			t.Fatal(err)
		}
	}
	tr.finish(stopAndStart(t, n))
}

func TestPostgresStopsAndStarts(t *testing.T) {
	t.Parallel()
	pg := newPgServer(t)
	pg.start()
	n := start(t, busy(baseEnv()).with(env{"DATABASE_URL": pg.url()}))
	tr := newTraffic(t, n)
	for range 3 {
		tr.flows()
		pg.stop()
		tr.stops()
		a := n.http("GET", "/readyz", "", nil)
		if a.body["storage"] == "ok" {
			t.Errorf("/readyz without a database: %d %v", a.status, a.body)
		}
		// A view answers what it holds.
		if got := n.http("GET", "/v1/unread", token(t, "reader", false), nil); got.status != 200 {
			t.Errorf("unread of a resident user: %d %v", got.status, got.body)
		}
		// What needs the database is refused, and may be asked again.
		if got := n.http("GET", "/v1/feed", token(t, "author1", false), nil); got.status == 200 || got.header.Get("Retry-After") == "" {
			t.Errorf("a page without a database: %d %v %v", got.status, got.body, got.header)
		}
		pg.start()
	}
	tr.finish(stopAndStart(t, n))
}

func TestPostgresReadOnlyAndLocked(t *testing.T) {
	t.Parallel()
	pg := newPgServer(t)
	pg.start()
	n := start(t, busy(baseEnv()).with(env{"DATABASE_URL": pg.url()}))
	tr := newTraffic(t, n)
	tr.flows()

	pg.exec("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	tr.stops()
	pg.exec("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
	tr.flows()

	pg.lock(`LOCK TABLE shards IN ACCESS EXCLUSIVE MODE`, func() { tr.stops() })
	tr.flows()

	// All sessions ended, as a failover does.
	for range 5 {
		pg.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
		tr.flows()
	}
	tr.finish(stopAndStart(t, n))
}

func TestPostgresMissingAtStart(t *testing.T) {
	t.Parallel()
	pg := newPgServer(t)
	e := baseEnv().with(env{"DATABASE_URL": pg.url(), "FEEDGATE_ADDR": "127.0.0.1:" + freePort(t)})

	// A node that is started before its server says so, waits, and then works.
	c := launch(t, e)
	c.addr = e["FEEDGATE_ADDR"]
	eventually(t, "the node waits", func() bool { return c.logs.has("not there yet") })
	if a := c.http("GET", "/healthz", "", nil); a.status != 200 {
		t.Errorf("/healthz: %d", a.status)
	}
	if a := c.http("GET", "/readyz", "", nil); a.status != 503 || a.body["status"] != "starting" {
		t.Errorf("/readyz: %d %v", a.status, a.body)
	}
	if a := c.http("GET", "/v1/feed", token(t, "alice", false), nil); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("a request: %d %v", a.status, a.body)
	}
	pg.start()
	eventually(t, "the node is ready", func() bool { return c.http("GET", "/readyz", "", nil).status == 200 })
	if a := c.http("POST", "/v1/posts", token(t, "alice", false), map[string]any{"text": "at last"}); a.status != 201 {
		t.Errorf("%d %v", a.status, a.body)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}

	// What will not pass is told at once.
	pg.exec("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'", "CREATE ROLE nobody NOLOGIN")
	for name, tc := range map[string]struct{ url, want string }{
		"no such database": {strings.Replace(pg.url(), "/postgres?", "/nowhere?", 1), "nowhere"},
		"no such role":     {strings.Replace(pg.url(), "postgres@", "nobody:hunter2@", 1), "nobody"},
		"another encoding": {strings.Replace(pg.url(), "/postgres?", "/latin?", 1), "LATIN1"},
	} {
		_, errs, code := runOnce(baseEnv().with(env{"DATABASE_URL": tc.url}))
		if code != exitFailed || !strings.Contains(errs, tc.want) || strings.Contains(errs, "hunter2") || strings.Contains(errs, "not there yet") {
			t.Errorf("%s: code %d: %s", name, code, errs)
		}
	}
}

// A second node on the same database takes the shards: the first must not
// acknowledge anything any more, and ends.
func TestFencedNodeEnds(t *testing.T) {
	t.Parallel()
	pg := newPgServer(t)
	pg.start()
	e := baseEnv().with(env{"DATABASE_URL": pg.url()})
	first := launch(t, e.with(env{"FEEDGATE_NODE_ID": "first"}))
	eventually(t, "the first is ready", func() bool {
		m := readyLine.FindStringSubmatch(first.logs.String())
		if m != nil {
			first.addr, first.admin = m[1], m[2]
		}
		return m != nil
	})
	alice := connect(t, &first.node, "alice", nil)
	alice.publish("one")
	second := start(t, e.with(env{"FEEDGATE_NODE_ID": "second"}))
	if _, err := alice.try("publish", map[string]any{"text": "two"}); err == nil {
		t.Error("a fenced node acknowledged a post")
	}
	if err := first.wait(); err == nil || first.code() != exitFenced {
		t.Errorf("it ended with code %d\n%s", first.code(), first.logs)
	}
	if feed := second.wholeFeed("alice"); len(feed) != 1 {
		t.Errorf("%d posts, want 1", len(feed))
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e env) {
		atOnce := 4
		if e["DATABASE_URL"] == "" {
			atOnce = 1 // a directory belongs to one process
		}
		for range 2 {
			var wg sync.WaitGroup
			for range atOnce {
				wg.Go(func() {
					if out, errs, code := runOnce(e, "migrate"); code != exitOK || !strings.Contains(out, "up to date") {
						t.Errorf("code %d: %s%s", code, out, errs)
					}
				})
			}
			wg.Wait()
		}
		connect(t, start(t, e), "alice", nil).publish("it works")
	})
}
