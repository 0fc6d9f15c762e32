package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/feedgate/feedgate/migrations"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// each runs a test on both databases. open opens the same one again and again.
func each(t *testing.T, run func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB)) {
	opener := func(t *testing.T, driver, source string) func() *sql.DB {
		return func() *sql.DB {
			db, err := sql.Open(driver, source)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		}
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, migrations.Postgres, opener(t, "pgx", storagetest.Postgres(t)))
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "feedgate.db")
		run(t, migrations.SQLite, opener(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)"))
	})
}

func TestUpIsRepeatable(t *testing.T) {
	each(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		ctx, db := t.Context(), open()
		if err := migrations.Check(ctx, db, dialect); !errors.Is(err, migrations.ErrOlderSchema) {
			t.Fatalf("check of an empty database: %v, want ErrOlderSchema", err)
		}
		for range 2 {
			if err := migrations.Up(ctx, db, dialect); err != nil {
				t.Fatal(err)
			}
		}
		if err := migrations.Check(ctx, db, dialect); err != nil {
			t.Fatal(err)
		}
	})
}

func TestConcurrentStarts(t *testing.T) {
	each(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 6 {
			db := open()
			wg.Go(func() {
				if err := migrations.Up(ctx, db, dialect); err != nil {
					t.Errorf("up beside others: %v", err)
				}
			})
		}
		wg.Wait()

		var rows, versions int
		q := `SELECT count(*), count(DISTINCT version_id) FROM goose_db_version WHERE version_id > 0`
		if err := open().QueryRowContext(ctx, q).Scan(&rows, &versions); err != nil {
			t.Fatal(err)
		}
		if rows != versions || rows == 0 {
			t.Fatalf("%d versions were recorded by %d rows", versions, rows)
		}
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	each(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		ctx, db := t.Context(), open()
		if err := migrations.Up(ctx, db, dialect); err != nil {
			t.Fatal(err)
		}
		q := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (90210, true)`
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func(context.Context, *sql.DB, migrations.Dialect) error{
			"Check": migrations.Check, "Up": migrations.Up,
		} {
			err := call(ctx, db, dialect)
			var schema *migrations.SchemaError
			if !errors.Is(err, migrations.ErrNewerSchema) || !errors.As(err, &schema) {
				t.Fatalf("%s: %v, want ErrNewerSchema", name, err)
			}
			if schema.Database != 90210 || schema.Binary != migrations.Newest(dialect) {
				t.Errorf("%s: versions %+v", name, schema)
			}
			if !strings.Contains(err.Error(), "90210") {
				t.Errorf("%s does not name the database's version: %v", name, err)
			}
		}
	})
}
