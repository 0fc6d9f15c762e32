package sqlite

import (
	"database/sql"
	"errors"
	"testing"

	"modernc.org/sqlite"

	"github.com/feedgate/feedgate/storage"
	"github.com/feedgate/feedgate/storage/storagetest"
)

func TestConformance(t *testing.T) {
	h := storagetest.Harness{
		Open: func(t testing.TB, shards int) storage.Store { return open(t, t.TempDir(), shards) },
		OpenFaulty: func(t testing.TB, shards int) storagetest.Faulty {
			s := open(t, t.TempDir(), shards)
			lost := errors.New("the test loses this outcome")
			return storagetest.Faulty{
				Store: s,
				LoseReply: func() {
					s.files.writer.commitWith = func(commit func() error) error { return errors.Join(commit(), lost) }
				},
				LoseCommit: func() {
					s.files.writer.commitWith = func(func() error) error { return lost }
				},
			}
		},
		Reopen: func(t testing.TB, s storage.Store, shards int) (storage.Store, error) {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := Open(t.Context(), Config{Dir: s.(*Store).cfg.Dir, Shards: shards})
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { again.Close() })
			return again, nil
		},
		SetSchema: func(t testing.TB, s storage.Store, version int64) {
			text := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)`
			if _, err := database(t, s.(*Store)).Exec(text, version); err != nil {
				t.Fatal(err)
			}
		},
	}
	storagetest.Run(t, h)
	storagetest.RunFull(t, h)
}

// database is a connection beside the store's own.
func database(t testing.TB, s *Store) *sql.DB {
	t.Helper()
	connector, err := sqlite.NewConnector(dsn(s.files.path(), "rw", writerPragmas))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}
