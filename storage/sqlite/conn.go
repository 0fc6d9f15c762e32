package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// value is an int64, string, []byte or nil.
type value = driver.Value

// conn is one connection with its prepared statements. One goroutine at a time
// uses it.
type conn struct {
	raw      driver.Conn
	prepared [len(queries)]driver.Stmt
	args     []driver.NamedValue // reused
	row      []value             // reused
	ran      int                 // queries since begin
	heads    headsRead           // what a reader knows of the shards' epochs

	// commitWith, in tests, stands in for the next COMMIT.
	commitWith func(commit func() error) error
}

// Pragmas of each kind of connection. The WAL is moved into the database when it
// has 64 MiB: a page that many commits touched then moves once (a commit of posts
// by 256 authors touches a page of the authors' index for each; with 4 MiB,
// SQLite's default, every fourth commit would move them).
//
// A reader keeps 2 MiB of pages: the tables' upper levels, and what is read again
// and again. Who comes to be loaded lies anywhere, and the system has the page: to
// read it over one that is held costs less than fresh memory for it.
// (https://www.sqlite.org/pragma.html)
var (
	writerPragmas = []string{
		"busy_timeout(250)", "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
		"wal_autocheckpoint(16384)", "journal_size_limit(67108864)", "cache_size(-32768)", "temp_store(MEMORY)",
	}
	readerPragmas = []string{"busy_timeout(250)", "query_only(1)", "cache_size(-2048)", "temp_store(MEMORY)"}
)

// dsn names a connection to the database file at path. mode is rwc, to make the
// file when it is not there, or rw.
func dsn(path, mode string, pragmas []string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + u.EscapedPath() + "?" + url.Values{"mode": {mode}, "_pragma": pragmas}.Encode()
}

func openConn(ctx context.Context, dsn string) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, stmt := range c.prepared {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// stmt returns the prepared statement of q and its arguments.
func (c *conn) stmt(ctx context.Context, q query, args []value) (driver.Stmt, []driver.NamedValue, error) {
	stmt := c.prepared[q]
	if stmt == nil {
		var err error
		if stmt, err = c.raw.(driver.ConnPrepareContext).PrepareContext(ctx, queries[q]); err != nil {
			return nil, nil, err
		}
		c.prepared[q] = stmt
	}
	c.args = c.args[:0]
	for i, v := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return stmt, c.args, nil
}

// exec runs q and returns how many rows it changed. Arguments are int64, string,
// []byte or nil: nobody converts them.
func (c *conn) exec(ctx context.Context, q query, args ...value) (int64, error) {
	stmt, named, err := c.stmt(ctx, q, args)
	if err != nil {
		return 0, err
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(ctx, named)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each runs q and calls row with each row of the answer, which is valid during
// the call: int64, string, []byte or nil.
func (c *conn) each(ctx context.Context, q query, row func([]value) error, args ...value) (err error) {
	c.ran++
	stmt, named, err := c.stmt(ctx, q, args)
	if err != nil {
		return err
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, named)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for n := len(rows.Columns()); len(c.row) < n; {
		c.row = append(c.row, nil)
	}
	dest := c.row[:len(rows.Columns())]
	for {
		if err := rows.Next(dest); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := row(dest); err != nil {
			return err
		}
	}
}
