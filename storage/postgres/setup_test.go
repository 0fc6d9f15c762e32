package postgres_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/postgres"
)

// TestConcurrentSetUp opens a new database from many sides at once: whoever asks
// for another number of shards than the first is told so.
func TestConcurrentSetUp(t *testing.T) {
	t.Parallel()
	url := database(t)
	shards := []int{8, 9, 8, 9, 0, 0}
	stores := make([]*postgres.Store, len(shards))
	errs := make([]error, len(shards))
	var wg sync.WaitGroup
	for i, n := range shards {
		wg.Go(func() {
			stores[i], errs[i] = postgres.Open(t.Context(), postgres.Config{URL: url, Shards: n, Node: "n1"})
		})
	}
	wg.Wait()
	have := count(t, url, `SELECT value::int FROM settings WHERE name = 'shards'`)
	if rows := count(t, url, `SELECT count(*) FROM shards`); rows != have {
		t.Errorf("set up with %d shards, but there are %d", have, rows)
	}
	for i, n := range shards {
		switch {
		case n == 0 || n == have:
			if errs[i] != nil || stores[i].Shards() != have {
				t.Errorf("open for %d of %d shards: %v", n, have, errs[i])
			}
		case errs[i] == nil || !strings.Contains(errs[i].Error(), "never changes"):
			t.Errorf("open for %d of %d shards: %v", n, have, errs[i])
		}
		if stores[i] != nil {
			stores[i].Close()
		}
	}
}

// TestRefusedInTheCommit: what fails only when the transaction commits is told
// like any other refusal, and writes nothing.
func TestRefusedInTheCommit(t *testing.T) {
	t.Parallel()
	url := database(t)
	exec(t, url,
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'too late'; END $$`,
		`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON posts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
	s := open(t, url, "n1", 4)
	head := claim(t, s, "n1")
	fences, writes := post(head)
	if err := s.Append(t.Context(), fences, writes); !errors.Is(err, feedengine.ErrRefused) {
		t.Fatalf("append: %v, want ErrRefused", err)
	}
	if events, err := s.ReadLog(t.Context(), 1, 0, 10); err != nil || len(events) != 0 {
		t.Fatalf("%d events were written, %v", len(events), err)
	}
	exec(t, url, `DROP TRIGGER late ON posts`)
	if err := s.Append(t.Context(), fences, writes); err != nil {
		t.Errorf("append afterwards: %v", err)
	}
}

// TestOtherEncoding: text must come back byte for byte.
func TestOtherEncoding(t *testing.T) {
	t.Parallel()
	utf8 := database(t)
	latin1, err := url.Parse(utf8)
	if err != nil {
		t.Fatal(err)
	}
	latin1.Path += "_latin1"
	name := strings.TrimPrefix(latin1.Path, "/")
	exec(t, utf8, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`)
	defer exec(t, utf8, `DROP DATABASE `+name+` WITH (FORCE)`)
	if err := postgres.Migrate(t.Context(), latin1.String()); err != nil {
		t.Fatal(err)
	}
	_, err = postgres.Open(t.Context(), postgres.Config{URL: latin1.String(), Node: "n1"})
	if err == nil || !strings.Contains(err.Error(), "UTF8") {
		t.Errorf("open of a LATIN1 database: %v, want an error that says UTF8", err)
	}
}
