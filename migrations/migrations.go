package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Dialect is a kind of database; its value names the folder of its files.
type Dialect string

const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Newest is the version of the newest migration in this binary.
func Newest(dialect Dialect) int64 {
	names, err := fs.Glob(files, string(dialect)+"/*.sql")
	if err != nil || len(names) == 0 {
		panic("migrations: no files for dialect " + dialect) // they are embedded
	}
	version, err := goose.NumericComponent(names[len(names)-1]) // Glob sorts
	if err != nil {
		panic(err)
	}
	return version
}

// Check reports whether the database stands at this binary's newest migration.
// It writes nothing. A *SchemaError says how far apart the two are.
func Check(ctx context.Context, db *sql.DB, dialect Dialect) error {
	have, err := Version(ctx, db, dialect)
	if err != nil {
		return err
	}
	if want := Newest(dialect); have != want {
		return &SchemaError{Database: have, Binary: want}
	}
	return nil
}

// Version is the newest migration that the database has, 0 when it is empty.
func Version(ctx context.Context, db *sql.DB, dialect Dialect) (int64, error) {
	exists := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	if dialect == Postgres {
		exists = `SELECT count(*) FROM pg_class WHERE oid = to_regclass('goose_db_version')`
	}
	var tables int
	if err := db.QueryRowContext(ctx, exists).Scan(&tables); err != nil {
		return 0, fmt.Errorf("look for the schema version: %w", err)
	}
	if tables == 0 {
		return 0, nil
	}
	var version int64
	newest := `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`
	if err := db.QueryRowContext(ctx, newest).Scan(&version); err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return version, nil
}

// Up runs the migrations that the database does not have yet. Any number of
// processes may start it at once: one runs them and the others wait, as long as
// ctx allows. A database newer than this binary is left alone: ErrNewerSchema.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) error {
	err := Check(ctx, db, dialect)
	if !errors.Is(err, ErrOlderSchema) {
		return err // up to date, too new, or unreadable
	}
	if dialect == SQLite {
		return upUnlocked(ctx, db, dialect)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 3600)) // every 1 s; ctx ends it sooner
	if err != nil {
		return err
	}
	return up(ctx, db, dialect, goose.WithSessionLocker(locker))
}

func up(ctx context.Context, db *sql.DB, dialect Dialect, opts ...goose.ProviderOption) error {
	sub, err := fs.Sub(files, string(dialect))
	if err != nil {
		return err
	}
	name := goose.DialectPostgres
	if dialect == SQLite {
		name = goose.DialectSQLite3
	}
	// The provider is not closed: that would close db, which is the caller's.
	p, err := goose.NewProvider(name, db, sub, append(opts, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return Check(ctx, db, dialect)
}

// upUnlocked migrates a database that has no lock to wait for across
// transactions. Of several processes that try, one wins each migration and the
// others fail with "exists" or "busy"; they look again until all is done or
// nothing moves for attempts × pause.
func upUnlocked(ctx context.Context, db *sql.DB, dialect Dialect) error {
	const attempts, pause = 20, 50 * time.Millisecond
	var last error
	var reached int64 = -1
	for tries := 0; tries < attempts; tries++ {
		if last = up(ctx, db, dialect); last == nil || errors.Is(last, ErrNewerSchema) {
			return last
		}
		if v, err := Version(ctx, db, dialect); err == nil && v > reached {
			reached, tries = v, 0
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-time.After(pause):
		}
		if Check(ctx, db, dialect) == nil {
			return nil
		}
	}
	return last
}
