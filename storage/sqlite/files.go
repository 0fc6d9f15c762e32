package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/migrations"
)

// databaseFile is the database's name in its directory; SQLite puts -wal and
// -shm beside it.
const databaseFile = "feedgate.db"

// files is an opened database: its connections, and which files they hold.
// SQLite goes on reading and writing files that have been removed or replaced,
// and what it commits there nobody finds again, so place is compared with the
// directory before and after every commit.
type files struct {
	// Set at opening.
	dir   string
	lock  *os.File
	place [2]fs.FileInfo // database, WAL
	// anchor does nothing. SQLite removes the WAL when the last connection is
	// closed; this one is there when all others have to be given up.
	anchor *conn

	writer *conn // owned by the holder of Store.mu; nil: to be opened again

	// readers holds a place for each reading connection, nil where it is not
	// open. When it is empty, reads wait for one another.
	readers chan *conn
}

// errGone: the files are not where they were opened.
var errGone = errors.New("the database is gone from its directory")

// openFiles takes the directory, brings the database in it up to this binary's
// tables, and connects to it. mode is rwc, to make what is not there, or rw.
func openFiles(ctx context.Context, cfg Config, mode string) (*files, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if mode == "rwc" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", feedengine.ErrUnavailable, err)
		}
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	f := &files{dir: dir, lock: lock, readers: make(chan *conn, cfg.Readers)}
	for range cfg.Readers {
		f.readers <- nil
	}
	if err := f.connect(ctx, mode); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// connect migrates, opens the writer and remembers the files.
func (f *files) connect(ctx context.Context, mode string) (err error) {
	if err := migrate(ctx, f.path(), mode); err != nil {
		return err
	}
	if f.writer, err = openConn(ctx, dsn(f.path(), "rw", writerPragmas)); err != nil {
		return err
	}
	if f.anchor, err = openConn(ctx, dsn(f.path(), "rw", readerPragmas)); err != nil {
		return err
	}
	// A connection is at the WAL, and the WAL comes into being, with its first
	// transaction.
	for _, c := range []*conn{f.writer, f.anchor} {
		if err := c.transact(ctx, beginRead, func() error { _, err := shardsOf(ctx, c); return err }); err != nil {
			return err
		}
	}
	if f.place, err = f.look(); err != nil {
		return err
	}
	return errors.Join(syncDir(f.dir), syncDir(filepath.Dir(f.dir)))
}

func (f *files) path() string { return filepath.Join(f.dir, databaseFile) }

// look finds out which files the directory has now.
func (f *files) look() (place [2]fs.FileInfo, err error) {
	for i, suffix := range []string{"", "-wal"} {
		if place[i], err = os.Stat(f.path() + suffix); err != nil {
			return place, err
		}
	}
	return place, nil
}

// check reports whether the directory still has the files that are open:
// errGone, or the error that looking at them gave.
func (f *files) check() error {
	now, err := f.look()
	if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	for i := range now {
		if !os.SameFile(now[i], f.place[i]) {
			return fmt.Errorf("%w: %s is another file", errGone, now[i].Name())
		}
	}
	return nil
}

// writing returns the writer, opened again when its last use left it unusable.
// The caller holds Store.mu.
func (f *files) writing(ctx context.Context) (*conn, error) {
	if f.writer == nil {
		c, err := openConn(ctx, dsn(f.path(), "rw", writerPragmas))
		if err != nil {
			return nil, err
		}
		f.writer = c
	}
	return f.writer, nil
}

// reading takes a reader, as long as ctx allows. It goes back by give.
func (f *files) reading(ctx context.Context) (*conn, error) {
	select {
	case c := <-f.readers:
		if c != nil {
			return c, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := openConn(ctx, dsn(f.path(), "rw", readerPragmas))
	if err != nil {
		f.readers <- nil // our place
		return nil, err
	}
	return c, nil
}

// give returns a reader, closed when it is not usable any more.
func (f *files) give(c *conn, usable bool) {
	if !usable {
		c.close() // whatever is wrong with it, its user has been told
		c = nil
	}
	f.readers <- c // its place
}

// close ends all connections. Nobody uses them any more.
func (f *files) close() error {
	var errs []error
	for range cap(f.readers) {
		if c := <-f.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	for _, c := range []*conn{f.anchor, f.writer} { // the writer last: it may empty the WAL
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

// migrate brings the database at path up to this binary's tables.
func migrate(ctx context.Context, path, mode string) error {
	connector, err := sqlite.NewConnector(dsn(path, mode, writerPragmas))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return errors.Join(migrations.Up(ctx, db, migrations.SQLite), db.Close())
}

// syncDir makes the directory's entries durable: SQLite syncs what is in files.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// replaced reports whether the directory has a database that can be opened in
// the place of the open files: another one, or ours without its WAL, whose last
// commits SQLite moves into it when it is closed.
func (f *files) replaced() bool {
	now, err := os.Stat(f.path())
	return err == nil && (!os.SameFile(now, f.place[0]) || f.check() != nil)
}
