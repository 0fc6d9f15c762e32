package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// The faults here are real ones, as far as a process can bring them about
// itself. After each the same store, not opened anew, works again as soon as the
// reason is gone, and what it said of each append is true.

// pragma runs a statement on the store's writer.
func pragma(t testing.TB, s *Store, text string) {
	t.Helper()
	if _, err := s.files.writer.raw.(driver.ExecerContext).ExecContext(t.Context(), text, nil); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// unavailable fails unless the store takes no writes, for a reason that says so.
func unavailable(t testing.TB, p *poster, says string) {
	t.Helper()
	for name, err := range map[string]error{"append": p.post(t, 1), "ping": p.store.Ping(t.Context())} {
		if !errors.Is(err, feedengine.ErrUnavailable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want ErrUnavailable that says %q", name, err, says)
		}
	}
}

func works(t testing.TB, p *poster) {
	t.Helper()
	if err := p.store.Ping(t.Context()); err != nil {
		t.Fatalf("ping after the fault: %v", err)
	}
	if err := p.post(t, 3); err != nil {
		t.Fatalf("append after the fault: %v", err)
	}
	p.stored(t)
}

func TestLockedByAnother(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	works(t, p)
	db := database(t, p.store)
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	unavailable(t, p, "another process holds the database")
	p.stored(t) // reads do not wait for writers
	if _, err := db.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	works(t, p)
}

// TestAnotherWrites raises an epoch behind the store's back.
func TestAnotherWrites(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	works(t, p)
	if _, err := database(t, p.store).Exec(`UPDATE shards SET epoch = 50 WHERE shard = 1`); err != nil {
		t.Fatal(err)
	}
	if err := p.post(t, 1); !errors.Is(err, feedengine.ErrFenced) {
		t.Errorf("append: %v, want ErrFenced", err)
	}
	if p.claim(t); p.head.Epoch != 51 {
		t.Errorf("claimed epoch %d, want 51", p.head.Epoch)
	}
	works(t, p)
}

func TestReadOnly(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	works(t, p)
	pragma(t, p.store, `PRAGMA query_only = 1`)
	unavailable(t, p, "readonly")
	p.stored(t)
	pragma(t, p.store, `PRAGMA query_only = 0`)
	works(t, p)
}

func TestFull(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	works(t, p)
	pragma(t, p.store, `PRAGMA max_page_count = 1`) // no more than there are
	var err error
	for range 1000 {
		if err = p.post(t, 50); err != nil {
			break
		}
	}
	if !errors.Is(err, feedengine.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("append to a full database: %v", err)
	}
	p.stored(t)
	pragma(t, p.store, `PRAGMA max_page_count = 4294967294`)
	works(t, p)
}

// TestGone takes the directory away under a running store and brings it back.
func TestGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := newPoster(t, open(t, dir, 4))
	works(t, p)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	unavailable(t, p, "gone from its directory")
	if _, err := p.store.Load(t.Context(), nil, 0); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("load: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("an empty database was made in the place of the lost one")
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	works(t, p)
}

// TestGoneBeforeCommit takes the directory away in the midst of a transaction:
// it is not committed to where nobody would find it.
func TestGoneBeforeCommit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := newPoster(t, open(t, dir, 4))
	works(t, p)
	err := p.store.write(t.Context(), "test", func(ctx context.Context, c *conn) error {
		if _, err := c.exec(ctx, claim, "b", int64(9), int64(1), int64(1)); err != nil {
			return err
		}
		return os.Rename(dir, dir+".away")
	})
	if !errors.Is(err, feedengine.ErrUnavailable) || !strings.Contains(err.Error(), "gone from its directory") {
		t.Errorf("write: %v", err)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	works(t, p) // under the epoch that it has
}

// TestGoneInMidCommit takes the directory away between a commit and its answer.
func TestGoneInMidCommit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := newPoster(t, open(t, dir, 4))
	works(t, p)
	p.store.files.writer.commitWith = func(commit func() error) error {
		return errors.Join(commit(), os.Rename(dir, dir+".away"))
	}
	if err := p.post(t, 1); !errors.Is(err, feedengine.ErrUnknownOutcome) {
		t.Fatalf("append: %v, want ErrUnknownOutcome", err)
	}
	unavailable(t, p, "gone from its directory")
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	seq := p.head.Seq
	if p.claim(t); p.head.Seq != seq+1 {
		t.Errorf("the log stands at %d, want %d: the commit had happened", p.head.Seq, seq+1)
	}
	works(t, p)
}

// TestRestored puts an older copy in the place of the database.
func TestRestored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := newPoster(t, open(t, dir, 4))
	works(t, p)
	if err := p.store.Close(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(dir, databaseFile), filepath.Join(dir, "backup"))

	p = newPoster(t, open(t, dir, 4))
	p.claim(t)
	p.claim(t)
	works(t, p)
	works(t, p)
	epoch := p.head.Epoch
	if err := os.Rename(filepath.Join(dir, "backup"), filepath.Join(dir, databaseFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, databaseFile+"-wal")); err != nil {
		t.Fatal(err)
	}
	// Whoever wrote to the lost one is told, and learns where the old one stands.
	if err := p.post(t, 1); !errors.Is(err, feedengine.ErrFenced) {
		t.Fatalf("append to what was restored: %v, want ErrFenced", err)
	}
	p.claim(t)
	if p.head.Seq != 3 || p.head.First != 4 || p.head.Epoch <= epoch {
		t.Errorf("claimed %+v; want seq 3 and an epoch above %d", p.head, epoch)
	}
	works(t, p)
}

// TestLostWAL removes the WAL under a running store: the commits in it are kept.
func TestLostWAL(t *testing.T) {
	dir := t.TempDir()
	p := newPoster(t, open(t, dir, 4))
	works(t, p)
	if err := os.Remove(filepath.Join(dir, databaseFile+"-wal")); err != nil {
		t.Fatal(err)
	}
	if err := p.post(t, 1); !errors.Is(err, feedengine.ErrFenced) {
		t.Fatalf("append: %v, want ErrFenced", err)
	}
	seq := p.head.Seq
	if p.claim(t); p.head.Seq != seq {
		t.Errorf("the log stands at %d, want %d", p.head.Seq, seq)
	}
	works(t, p)
}

// TestUnusableConnection loses the writer's connection and all readers'.
func TestUnusableConnection(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	works(t, p)
	p.store.files.writer.commitWith = func(func() error) error { return errors.Join(errUnclean, io.ErrUnexpectedEOF) }
	if err := p.post(t, 1); !errors.Is(err, feedengine.ErrUnknownOutcome) {
		t.Errorf("append: %v", err)
	}
	if p.store.files.writer != nil {
		t.Error("the writer was not given up")
	}
	for range cap(p.store.files.places) {
		err := p.store.read(t.Context(), "test", func(*conn) error { return errUnclean })
		if !errors.Is(err, feedengine.ErrUnavailable) {
			t.Errorf("read: %v", err)
		}
	}
	works(t, p)
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDurable asks the writer's connection, also one that was opened again,
// whether its commits wait for the disk.
func TestDurable(t *testing.T) {
	p := newPoster(t, open(t, t.TempDir(), 4))
	for range 2 {
		for text, want := range map[string]value{
			`PRAGMA synchronous`: int64(2), `PRAGMA journal_mode`: "wal", `PRAGMA fullfsync`: int64(1), `PRAGMA checkpoint_fullfsync`: int64(1),
			`PRAGMA wal_autocheckpoint`: int64(16384),
		} {
			rows, err := p.store.files.writer.raw.(driver.QueryerContext).QueryContext(t.Context(), text, nil)
			if err != nil {
				t.Fatal(err)
			}
			row := make([]value, 1)
			if err := rows.Next(row); err != nil || row[0] != want {
				t.Errorf("%s: %v, %v, want %v", text, row[0], err, want)
			}
			rows.Close()
		}
		p.store.files.writer.commitWith = func(func() error) error { return errUnclean } // gives the connection up
		p.post(t, 1)
		works(t, p)
	}
}
