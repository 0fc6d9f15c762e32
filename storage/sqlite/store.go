package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
)

// Store implements storage.Store.
type Store struct {
	// Set at construction.
	cfg    Config
	shards int
	ops    *ops

	// swap is held for reading by every call and for writing by what exchanges
	// files. closed and files are guarded by it.
	swap   sync.RWMutex
	closed bool
	files  *files // nil: the directory's database could not be opened again yet

	// mu is held by the call that writes; taken after swap.
	mu    sync.Mutex
	heads heads
}

var (
	_ storage.Store     = (*Store)(nil)
	_ storage.Decisions = (*Store)(nil)
	_ storage.Social    = (*Store)(nil)
	_ storage.Accounts  = (*Store)(nil)
)

// Migrate brings the database in dir up to this binary's tables and closes it.
// Open does the same; this is for who wants to see it done.
func Migrate(ctx context.Context, dir string) error {
	cfg, err := Config{Dir: dir}.complete()
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	f, err := openFiles(ctx, cfg, "rwc")
	if err != nil {
		return opening(ctx, err)
	}
	return f.close()
}

// Open takes the directory, makes or migrates the database in it and, when it is
// new, sets it up for cfg.Shards. It fails when another process has the
// directory (ErrUnavailable), the database is of a newer release
// (migrations.ErrNewerSchema), or has another number of shards than asked for.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	f, err := openFiles(ctx, cfg, "rwc")
	if err != nil {
		return nil, opening(ctx, err)
	}
	s := &Store{cfg: cfg, files: f, ops: newOps(cfg.Metrics)}
	if s.shards, err = setUp(ctx, f.writer, cfg.Shards); err != nil {
		return nil, errors.Join(opening(ctx, err), f.close())
	}
	s.heads = newHeads(s.shards)
	return s, nil
}

// Close ends all connections, after the calls that are using them, and gives
// the directory back.
func (s *Store) Close() error {
	s.swap.Lock()
	defer s.swap.Unlock()
	s.closed = true
	if s.files == nil {
		return nil
	}
	err := s.files.close()
	s.files = nil
	return err
}

// Shards is the number of shards that the database was set up with.
func (s *Store) Shards() int { return s.shards }

// Ping reports whether the database can be written to now, by writing to it.
func (s *Store) Ping(ctx context.Context) error {
	defer s.ops.ping.done(time.Now(), 1)
	return s.write(ctx, "ping", func(ctx context.Context, c *conn) error {
		_, err := c.exec(ctx, set, "pinged", time.Now().UTC().Format(time.RFC3339))
		return err
	})
}

// setUp learns the database's number of shards, and makes the shards when there
// are none yet; want is the number asked for, 0 for any.
func setUp(ctx context.Context, c *conn, want int) (have int, err error) {
	err = c.transact(ctx, begin, func() error {
		if have, err = shardsOf(ctx, c); err != nil || have != 0 {
			return err
		}
		if have = want; have == 0 {
			have = DefaultShards
		}
		if _, err := c.exec(ctx, set, "shards", int64(have)); err != nil {
			return err
		}
		for _, q := range []query{makeShards, makeTails} {
			if _, err := c.exec(ctx, q, int64(have)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && want != 0 && want != have {
		err = fmt.Errorf("the database was set up with %d shards, not %d: the number never changes", have, want)
	}
	return have, err
}

// shardsOf reads the number of shards, 0 when the database has not been set up.
func shardsOf(ctx context.Context, c *conn) (n int, err error) {
	err = c.each(ctx, setting, func(row []value) error {
		v, ok := row[0].(int64)
		if n = int(v); !ok || n < 1 || n > feedengine.MaxShards {
			return fmt.Errorf("%w: the database says that it has %v shards", feedengine.ErrUnavailable, row[0])
		}
		return nil
	}, "shards")
	return n, err
}

// opening gives an error of Open its kind, where it has one: another release's
// database or another number of shards is nothing that passes.
func opening(ctx context.Context, err error) error {
	if kinded := failed(ctx, "open", working, err); isSQLite(err) || errors.Is(err, feedengine.ErrUnavailable) {
		return kinded
	}
	return fmt.Errorf("sqlite: open: %w", err)
}
