package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/storage"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// database makes a fresh, migrated database and returns its URL.
func database(t testing.TB) string {
	t.Helper()
	url := storagetest.Postgres(t)
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// open opens the database at url for a node.
func open(t testing.TB, url, node string, shards int) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Shards: shards, Node: node, Metrics: metrics.NewSet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// connect is a connection of no store.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// exec runs statements on a connection of no store.
func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn := connect(t, url)
	for _, text := range statements {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// eventually waits for a condition that another process brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-timeout:
			t.Fatalf("waited 30 s in vain: %s", what)
		case <-tick.C:
		}
	}
}

func TestConformance(t *testing.T) {
	var urls sync.Map // of stores
	start := func(t testing.TB, url string, shards int) *postgres.Store {
		s := open(t, url, "n1", shards)
		urls.Store(s, url)
		return s
	}
	h := storagetest.Harness{
		Open: func(t testing.TB, shards int) storage.Store { return start(t, database(t), shards) },
		OpenFaulty: func(t testing.TB, shards int) storagetest.Faulty {
			p := newProxy(t, database(t))
			return storagetest.Faulty{
				Store:      start(t, p.URL, shards),
				LoseReply:  func() { p.arm(loseReply) },
				LoseCommit: func() { p.arm(loseCommit) },
			}
		},
		Reopen: func(t testing.TB, s storage.Store, shards int) (storage.Store, error) {
			s.Close()
			url, _ := urls.Load(s)
			again, err := postgres.Open(t.Context(), postgres.Config{URL: url.(string), Shards: shards, Node: "n1"})
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { again.Close() })
			urls.Store(again, url)
			return again, nil
		},
		SetSchema: func(t testing.TB, s storage.Store, version int64) {
			url, _ := urls.Load(s)
			conn := connect(t, url.(string))
			q := `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)`
			if _, err := conn.Exec(t.Context(), q, version); err != nil {
				t.Fatal(err)
			}
		},
	}
	storagetest.Run(t, h)
	storagetest.RunFull(t, h)
}
