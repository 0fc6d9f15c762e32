package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/feedgate/feedgate/migrations"
	"github.com/feedgate/feedgate/storage"
)

// Store implements storage.Store.
type Store struct {
	// Set at construction.
	shards   int
	cluster  string
	writers  *pgxpool.Pool
	readers  *pgxpool.Pool
	accounts *pgxpool.Pool
	beater   *beater
	ops      *ops
	hide     []func()      // take the pools' metrics away
	frozen   time.Duration // frozenAfter, save in tests
}

var _ interface {
	storage.Store
	storage.Decisions
	storage.Social
	storage.Accounts
} = (*Store)(nil)

// Migrate brings the database at url up to this binary's tables. It may be run
// by any number of processes at once. migrations.ErrNewerSchema: the database is
// of a newer release, and was left alone.
func Migrate(ctx context.Context, url string) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if err := migrations.Up(ctx, db, migrations.Postgres); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// Open connects to a migrated database, and sets it up for cfg.Shards when it is
// new. It fails when the database cannot be reached (ErrUnavailable), is of
// another release (migrations.ErrNewerSchema, ErrOlderSchema), or has another
// number of shards than asked for.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	set := cfg.Metrics
	if set == nil {
		set = metrics.NewSet()
	}
	readers, err := newReaders(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	writers, err := newWriters(ctx, cfg)
	if err != nil {
		readers.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	accounts, err := newAccounts(ctx, cfg)
	if err != nil {
		readers.Close()
		writers.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	beater, err := newBeater(cfg)
	if err != nil {
		readers.Close()
		writers.Close()
		accounts.Close()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	s := &Store{readers: readers, writers: writers, accounts: accounts, beater: beater, ops: newOps(set), frozen: frozenAfter}
	if err := s.setUp(ctx, cfg.Shards); err != nil {
		s.Close()
		return nil, err
	}
	s.hide = []func(){showPool(set, "reader", readers), showPool(set, "writer", writers), showPool(set, "account", accounts)}
	return s, nil
}

// Close ends all connections, after the calls that are using them.
func (s *Store) Close() error {
	for _, hide := range s.hide {
		hide()
	}
	s.hide = nil
	s.writers.Close()
	s.readers.Close()
	s.accounts.Close()
	s.beater.close()
	return nil
}

// Cluster is the mark of the database, and so of the nodes that share it.
func (s *Store) Cluster() string { return s.cluster }

// Shards is the number of shards that the database was set up with.
func (s *Store) Shards() int { return s.shards }

// Ping reports whether the server can be reached and takes writes.
func (s *Store) Ping(ctx context.Context) error {
	defer s.ops.ping.done(time.Now(), 1)
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := s.writers.Exec(bound, q.Writable); err != nil {
		return failed(ctx, "ping", err)
	}
	return nil
}

// setUp checks the database and learns its number of shards; want is the one
// asked for, 0 for any.
func (s *Store) setUp(ctx context.Context, want int) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	have, err := s.number(ctx, "shards")
	if err == nil && have == 0 {
		have, err = s.makeShards(ctx, want)
	}
	if err != nil {
		return err
	}
	if want != 0 && want != have {
		return fmt.Errorf("postgres: the database was set up with %d shards, not %d: the number never changes", have, want)
	}
	s.shards = have
	s.cluster, err = s.setting(ctx, "cluster")
	return err
}

// check fails when the database is not one that this binary can work on.
func (s *Store) check(ctx context.Context) error {
	db := stdlib.OpenDBFromPool(s.readers)
	defer db.Close()
	var schema *migrations.SchemaError
	if err := migrations.Check(ctx, db, migrations.Postgres); errors.As(err, &schema) {
		return fmt.Errorf("postgres: %w", err)
	} else if err != nil {
		return failed(ctx, "open", err)
	}
	var encoding string
	if err := db.QueryRowContext(ctx, q.Encoding).Scan(&encoding); err != nil {
		return failed(ctx, "open", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("postgres: the database's encoding is %s; create it with ENCODING 'UTF8'", encoding)
	}
	return nil
}

// number reads a number from settings, 0 when it is not there.
func (s *Store) number(ctx context.Context, name string) (int, error) {
	value, err := s.setting(ctx, name)
	if err != nil || value == "" {
		return 0, err
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("postgres: setting %s is %q, not a number", name, value)
	}
	return n, nil
}

// setting reads one from settings, "" when it is not there.
func (s *Store) setting(ctx context.Context, name string) (string, error) {
	defer s.ops.setUp.done(time.Now(), 1)
	var value string
	err := s.readers.QueryRow(ctx, q.Setting, name).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", failed(ctx, "open", err)
	}
	return value, nil
}

// makeShards sets a new database up, in one transaction, and returns its number
// of shards, which is another's choice when two start at once.
func (s *Store) makeShards(ctx context.Context, want int) (int, error) {
	if want == 0 {
		want = DefaultShards
	}
	var b pgx.Batch
	b.Queue(q.Set, "shards", strconv.Itoa(want))
	b.Queue(q.MakeShards)
	defer s.ops.setUp.done(time.Now(), b.Len())
	if err := s.writers.SendBatch(ctx, &b).Close(); err != nil {
		return 0, failed(ctx, "set up", err)
	}
	return s.number(ctx, "shards")
}
