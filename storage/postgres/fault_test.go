package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// claim claims shard 1 for node.
func claim(t *testing.T, s *postgres.Store, node string) feedengine.Head {
	t.Helper()
	return storagetest.Claim(t, s, node, 1)[0]
}

// post is a commit of one post on shard 1, after head.
func post(head feedengine.Head) ([]feedengine.Fence, []feedengine.Write) {
	id := max(feedengine.TickAt(time.Now()), head.ID.Tick()+1).ID(1)
	return []feedengine.Fence{{Shard: 1, Epoch: head.Epoch}}, []feedengine.Write{{Shard: 1, Event: &feedengine.Event{
		Shard: 1, Epoch: head.Epoch, Seq: head.Seq + 1, ID: id, Kind: feedengine.KindPost, Actor: "alice",
		Post: &feedengine.Post{ID: id, Author: "alice", Kind: "post", Text: "hello"},
	}}}
}

// held sends an append of node n1 whose Sync stays on its way, and returns when
// the append has given up. Its transaction stands in Postgres, open.
func held(t *testing.T) (p *proxy, url string) {
	t.Helper()
	url = database(t)
	p = newProxy(t, url)
	s := open(t, p.URL, "n1", 4)
	fences, writes := post(claim(t, s, "n1"))
	p.arm(holdCommit)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- s.Append(ctx, fences, writes) }() // ends with ctx
	<-p.held
	// Not before all has run: giving up sends a request to cancel what runs.
	eventually(t, "the ghost holds its lock", func() bool {
		return count(t, url, `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = 'n1' AND state = 'active' AND wait_event = 'ClientRead' AND backend_xid IS NOT NULL AND datname = current_database()`) == 1
	})
	cancel()
	if err := <-result; !errors.Is(err, feedengine.ErrUnknownOutcome) {
		t.Fatalf("append without an answer: %v, want ErrUnknownOutcome", err)
	}
	return p, url
}

// count runs a query for a number.
func count(t *testing.T, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestGhostCommits lets a commit of unknown outcome arrive while it is being
// resolved: the claim waits for it and counts it in.
func TestGhostCommits(t *testing.T) {
	t.Parallel()
	p, url := held(t)
	s := open(t, url, "n2", 4)
	s.SetFrozenAfter(time.Hour) // the owner is slow, not frozen
	claimed := make(chan feedengine.Head, 1)
	go func() { // the test waits for it below
		for t.Context().Err() == nil {
			heads, err := storagetest.Take(t.Context(), s, "n2", 1)
			if err == nil {
				claimed <- heads[0]
				return
			}
			if !errors.Is(err, feedengine.ErrUnavailable) { // it waited too long: again
				t.Error(err)
				close(claimed)
				return
			}
		}
	}()
	eventually(t, "the claim waits for the ghost", func() bool {
		return count(t, url, `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = 'n2' AND wait_event_type = 'Lock' AND datname = current_database()`) == 1
	})
	p.letGo()
	if head := <-claimed; head.Seq != 1 || head.Epoch != 2 || head.First != 2 {
		t.Errorf("head %+v, want the ghost's event in it", head)
	}
}

// TestFrozenOwner never lets it arrive: the claimer ends the owner's backend,
// and what comes later is lost.
func TestFrozenOwner(t *testing.T) {
	t.Parallel()
	p, url := held(t)
	s := open(t, url, "n2", 4)
	head := claim(t, s, "n2")
	if head.Seq != 0 || head.Epoch != 2 {
		t.Errorf("head %+v, want nothing of the frozen owner's", head)
	}
	p.letGo() // the owner wakes
	fences, writes := post(head)
	if err := s.Append(t.Context(), fences, writes); err != nil {
		t.Fatal(err)
	}
	events, err := s.ReadLog(t.Context(), 1, 0, 10)
	if err != nil || len(events) != 1 || events[0].Epoch != 2 {
		t.Errorf("log: %d events, %v", len(events), err)
	}
}

// TestStaleClaimEndsNobody: a claimer whose expectation is out of date cannot win,
// and does not end the backends of who has won since.
func TestStaleClaimEndsNobody(t *testing.T) {
	t.Parallel()
	_, url := held(t)
	s := open(t, url, "n2", 4)
	s.SetFrozenAfter(20 * time.Millisecond)
	if _, err := s.Claim(t.Context(), "n2", []feedengine.Fence{{Shard: 1, Epoch: 0}}); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("claim of a shard that is being written to, by an old epoch: %v, want ErrUnavailable", err)
	}
	if n := count(t, url, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'n1' AND backend_xid IS NOT NULL AND datname = current_database()`); n != 1 {
		t.Error("the owner's backend was ended")
	}
	if head := claim(t, s, "n2"); head.Epoch != 2 || head.Seq != 0 {
		t.Errorf("head %+v after a claim that expects what is", head)
	}
}

// TestStrangersLockIsLeftAlone: only the owner's backends are ended.
func TestStrangersLockIsLeftAlone(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url, "n1", 4)
	claim(t, s, "n1")
	stranger := connect(t, url)
	tx, err := stranger.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM shards WHERE shard = 1 FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), "n2", []feedengine.Fence{{Shard: 1, Epoch: 1}}); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("claim of a shard that a stranger locks: %v, want ErrUnavailable", err)
	}
	fences, writes := post(feedengine.Head{Epoch: 1})
	if err := s.Append(t.Context(), fences, writes); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("append to it: %v, want ErrUnavailable", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Errorf("the stranger's transaction was ended: %v", err)
	}
	if err := s.Append(t.Context(), fences, writes); err != nil {
		t.Errorf("append afterwards: %v", err)
	}
}

// TestTroubleAndRecovery makes the server refuse in several ways, and mends it
// again, under one store that stays open.
func TestTroubleAndRecovery(t *testing.T) {
	t.Parallel()
	server := database(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	// A role of its own can be locked out without locking us out.
	role := name + "_role"
	exec(t, server, `CREATE ROLE `+role+` LOGIN`, `GRANT ALL ON ALL TABLES IN SCHEMA public TO `+role)
	t.Cleanup(func() { dropRole(t, server, role) })
	u.User = url.User(role)
	s := open(t, u.String(), "n1", 4)
	head := claim(t, s, "n1")

	end := `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '` + role + `'`
	for _, c := range []struct{ name, harm, mend string }{
		{"read-only", `ALTER ROLE ` + role + ` SET default_transaction_read_only = on`, `ALTER ROLE ` + role + ` RESET default_transaction_read_only`},
		{"locked out", `ALTER ROLE ` + role + ` NOLOGIN`, `ALTER ROLE ` + role + ` LOGIN`},
		{"too many connections", `ALTER ROLE ` + role + ` CONNECTION LIMIT 0`, `ALTER ROLE ` + role + ` CONNECTION LIMIT -1`},
		{"no rights", `REVOKE INSERT ON log, posts FROM ` + role, `GRANT INSERT ON log, posts TO ` + role},
		{"a table is missing", `ALTER TABLE posts RENAME TO posts_away`, `ALTER TABLE posts_away RENAME TO posts`},
	} {
		exec(t, server, c.harm, end)
		fences, writes := post(head)
		eventually(t, c.name+" shows", func() bool {
			err := s.Append(t.Context(), fences, writes)
			if err == nil {
				t.Fatalf("%s: append succeeded", c.name)
			}
			// What the ending of connections leaves open is no answer yet.
			return errors.Is(err, feedengine.ErrUnavailable)
		})
		exec(t, server, c.mend, end)
		eventually(t, c.name+" is over", func() bool {
			err := s.Append(t.Context(), fences, writes)
			if errors.Is(err, feedengine.ErrRefused) || errors.Is(err, feedengine.ErrFenced) {
				t.Fatalf("%s: append afterwards: %v", c.name, err)
			}
			return err == nil
		})
		head.Seq, head.ID = head.Seq+1, writes[0].Event.ID
		eventually(t, "ping after "+c.name, func() bool { return s.Ping(t.Context()) == nil })
	}
	var events []*feedengine.Event
	eventually(t, "reads work again", func() bool { // the first may meet a connection that was ended
		events, err = s.ReadLog(t.Context(), 1, 0, 100)
		return err == nil
	})
	if len(events) != int(head.Seq) {
		t.Errorf("%d events are there, %d were acknowledged", len(events), head.Seq)
	}
}

// dropRole drops the role with its rights in the database.
func dropRole(t *testing.T, url, role string) {
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, text := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
		if _, err := conn.Exec(ctx, text); err != nil {
			t.Error(err)
		}
	}
}

// TestPingReadOnly: a server that takes no writes is not there.
func TestPingReadOnly(t *testing.T) {
	t.Parallel()
	writable := database(t)
	s := open(t, writable, "n1", 4)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	// Set up already, so that opening needs no write.
	readOnly, err := url.Parse(writable)
	if err != nil {
		t.Fatal(err)
	}
	params := readOnly.Query()
	params.Set("default_transaction_read_only", "on")
	readOnly.RawQuery = params.Encode()
	s = open(t, readOnly.String(), "n1", 4)
	if err := s.Ping(t.Context()); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("ping of a read-only server: %v, want ErrUnavailable", err)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	empty := storagetest.Postgres(t)
	ready := database(t)
	for _, c := range []struct {
		name string
		cfg  postgres.Config
		want string
	}{
		{"no migrations", postgres.Config{URL: empty, Node: "n"}, "run migrate"},
		{"nobody listens", postgres.Config{URL: "postgres://127.0.0.1:1/x?sslmode=disable", Node: "n"}, "storage unavailable"},
		{"not a URL", postgres.Config{URL: "postgres://%", Node: "n"}, "postgres: "},
		{"no node", postgres.Config{URL: ready}, "node id"},
		{"a long node", postgres.Config{URL: ready, Node: strings.Repeat("n", 64)}, "node id"},
		{"a node not in ASCII", postgres.Config{URL: ready, Node: "nö"}, "node id"},
		{"too many shards", postgres.Config{URL: ready, Node: "n", Shards: 1025}, "1 to 1024"},
		{"negative shards", postgres.Config{URL: ready, Node: "n", Shards: -1}, "1 to 1024"},
		{"a password", postgres.Config{URL: "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable", Node: "n"}, "storage unavailable"},
	} {
		s, err := postgres.Open(t.Context(), c.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
