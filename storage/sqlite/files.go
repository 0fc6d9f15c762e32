package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

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

	// places holds one for each reading connection that may be. When it is empty,
	// reads wait for one another.
	places chan struct{}

	mu   sync.Mutex
	idle []*conn // guarded by mu: open reading connections, the last used last
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
	f := &files{dir: dir, lock: lock, places: make(chan struct{}, cfg.Readers)}
	for range cfg.Readers {
		f.places <- struct{}{}
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

// reading takes a reader, as long as ctx allows: the one that was used last, since
// each keeps pages of its own. It goes back by give.
func (f *files) reading(ctx context.Context) (*conn, error) {
	select {
	case <-f.places:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := f.lastUsed(); c != nil {
		return c, nil
	}
	c, err := openConn(ctx, dsn(f.path(), "rw", readerPragmas))
	if err != nil {
		f.places <- struct{}{}
		return nil, err
	}
	return c, nil
}

// lastUsed takes the reader that went back last, nil when none is open.
func (f *files) lastUsed() *conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.idle) - 1
	if n < 0 {
		return nil
	}
	c := f.idle[n]
	f.idle = f.idle[:n]
	return c
}

// give returns a reader, closed when it is not usable any more.
func (f *files) give(c *conn, usable bool) {
	if usable {
		f.mu.Lock()
		f.idle = append(f.idle, c)
		f.mu.Unlock()
	} else {
		c.close() // whatever is wrong with it, its user has been told
	}
	f.places <- struct{}{}
}

// close ends all connections. Nobody uses them any more.
func (f *files) close() error {
	var errs []error
	for range cap(f.places) {
		<-f.places
	}
	for c := f.lastUsed(); c != nil; c = f.lastUsed() {
		errs = append(errs, c.close())
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
