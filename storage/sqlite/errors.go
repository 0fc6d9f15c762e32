package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/feedgate/feedgate/feedengine"
)

// phase is how far a write had come when it failed.
type phase uint8

const (
	working    phase = iota // before its COMMIT: nothing of it can become durable
	committing              // in its COMMIT
)

// kindOf says which of feedengine's store errors a result code of SQLite is.
// (https://www.sqlite.org/rescode.html)
//
// An I/O error in a COMMIT leaves the outcome open: the commit's last frame may
// stand in the WAL file though the sync after it failed. SQLite forgets the
// frames, but should the process end before the next commit writes over them,
// recovery finds them whole and takes them for committed
// (https://www.sqlite.org/walformat.html, "Recovery"). The next commit, which a
// claim is, settles it. A full disk is not such a case: SQLITE_FULL comes from a
// write that the file system cut short, the frame that makes a commit valid is
// the last one written, and its checksum covers all of it.
func kindOf(code int, at phase) error {
	switch code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return feedengine.ErrRefused
	case sqlite3.SQLITE_IOERR:
		if at == committing {
			return feedengine.ErrUnknownOutcome
		}
	}
	// Locked, read-only, full, unreadable, out of memory, damaged: it may pass, or
	// be mended by the operator.
	return feedengine.ErrUnavailable
}

// hint says in an operator's words what SQLite's code means here, "" where
// SQLite's own words do.
func hint(code int) string {
	switch code & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return "the file is not a database: "
	case sqlite3.SQLITE_CORRUPT:
		return "the database is damaged, restore it from a backup: "
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process holds the database: "
	case sqlite3.SQLITE_FULL:
		return "the disk is full: "
	}
	return ""
}

// failed gives an error its kind and says where it happened. ctx is the
// caller's own: when it has ended, that is the reason, except in a commit.
func failed(ctx context.Context, op string, at phase, err error) error {
	for _, kind := range []error{
		feedengine.ErrFenced, feedengine.ErrUnknownOutcome, feedengine.ErrUnavailable,
		feedengine.ErrRefused, feedengine.ErrNotFound,
	} {
		if errors.Is(err, kind) {
			return fmt.Errorf("sqlite: %s: %w", op, err)
		}
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		if cause := ctx.Err(); cause != nil && lite.Code()&0xff == sqlite3.SQLITE_INTERRUPT {
			return fmt.Errorf("sqlite: %s: %w", op, cause)
		}
		return fmt.Errorf("sqlite: %s: %w: %s%w", op, kindOf(lite.Code(), at), hint(lite.Code()), err)
	}
	if cause := ctx.Err(); cause != nil && at == working {
		return fmt.Errorf("sqlite: %s: %w", op, cause)
	}
	kind := feedengine.ErrUnavailable
	if at == committing && !errors.Is(err, fs.ErrNotExist) {
		kind = feedengine.ErrUnknownOutcome
	}
	return fmt.Errorf("sqlite: %s: %w: %w", op, kind, err)
}

// refused is an error about a write that this store will never take.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", feedengine.ErrRefused, fmt.Sprintf(format, args...))
}
