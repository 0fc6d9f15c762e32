package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/feedgate/feedgate/feedengine"
)

// transact runs do between start and COMMIT. When either fails it rolls back.
// commitError tells a COMMIT's error from do's; errUnclean is among the errors
// when the connection may still be inside the transaction and is to be closed.
func (c *conn) transact(ctx context.Context, start query, do func() error) error {
	c.ran = 0
	if _, err := c.exec(ctx, start); err != nil {
		return err
	}
	err := do()
	if err == nil {
		if err = c.commit(ctx); err == nil {
			return nil
		}
		err = &commitError{err}
	}
	// SQLite has rolled back by itself after some errors, and then says of ours
	// that there is no transaction (SQLITE_ERROR).
	// (https://www.sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction")
	var lite *sqlite.Error
	_, undo := c.exec(context.WithoutCancel(ctx), rollback)
	if undo != nil && !(errors.As(undo, &lite) && lite.Code() == sqlite3.SQLITE_ERROR) {
		return errors.Join(err, fmt.Errorf("%w: %w", errUnclean, undo))
	}
	return err
}

func (c *conn) commit(ctx context.Context) error {
	plain := func() error {
		_, err := c.exec(ctx, commit)
		return err
	}
	if with := c.commitWith; with != nil {
		c.commitWith = nil
		return with(plain)
	}
	return plain()
}

var errUnclean = errors.New("rollback failed")

// commitError is the error of a COMMIT.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

func isSQLite(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite)
}

// write runs do in a transaction of the writer and makes it durable. Once begun
// it is not interrupted: ctx ends only the wait before it.
func (s *Store) write(ctx context.Context, op string, do func(context.Context, *conn) error) error {
	f, err := s.use(ctx)
	if err != nil {
		return failed(ctx, op, working, err)
	}
	defer s.swap.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return failed(ctx, op, working, err)
	}
	ctx = context.WithoutCancel(ctx)
	c, err := f.writing(ctx)
	if err != nil {
		return failed(ctx, op, working, err)
	}
	err = c.transact(ctx, begin, func() error {
		if err := s.heads.begin(ctx, c); err != nil {
			return err
		}
		if err := do(ctx, c); err != nil {
			return err
		}
		return f.check()
	})
	if err != nil {
		s.heads.known = false
	}
	if errors.Is(err, errUnclean) {
		c.close() // what is wrong with it is in err
		f.writer = nil
	}
	if err != nil {
		at := working
		if in := (*commitError)(nil); errors.As(err, &in) {
			at = committing
		}
		return failed(ctx, op, at, err)
	}
	if err := f.check(); err != nil {
		// Committed, to files that left the directory meanwhile. Whether they come
		// back is not for us to know.
		return failed(ctx, op, working, fmt.Errorf("%w: %w", feedengine.ErrUnknownOutcome, err))
	}
	return nil
}

// read runs do in one snapshot.
func (s *Store) read(ctx context.Context, op string, do func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return failed(ctx, op, working, err)
	}
	f, err := s.use(ctx)
	if err != nil {
		return failed(ctx, op, working, err)
	}
	defer s.swap.RUnlock()
	c, err := f.reading(ctx)
	if err != nil {
		return failed(ctx, op, working, err)
	}
	err = c.transact(ctx, beginRead, func() error { return do(c) })
	f.give(c, !errors.Is(err, errUnclean))
	if err != nil {
		return failed(ctx, op, working, err)
	}
	return nil
}

// array is vs as the JSON text of a ?n. Strings have been checked to be UTF-8,
// or need not be found.
func array[T any](vs []T) string {
	if vs == nil {
		return "[]"
	}
	b, err := json.Marshal(vs)
	if err != nil {
		panic(err) // numbers and strings always can
	}
	return string(b)
}
