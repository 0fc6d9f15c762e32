package postgres

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/feedgate/feedgate/rawnet"
)

const (
	// callTimeout bounds every call but loads, so that a connection to a host
	// that went away silently is given up. A writer's statements end sooner by
	// themselves (writerParams), with a clearer error.
	callTimeout = 10 * time.Second
	// loadTimeout bounds a load: a thousand users with 9,999 unread each take 4 s
	// of a core that has nothing else to do.
	loadTimeout = 30 * time.Second

	// writerConns: the append's, a claim's, a ping's.
	writerConns = 3
	// accountConns are for what is written beside the logs.
	accountConns = 2
	// defaultReaders is the reader pool's size when the configuration is silent.
	defaultReaders = 8
)

// plannerParams keep plans by index, and planned once for each connection. Left
// alone, the planner reads a table whole while it is small, and the plan stays
// with the connection when the table has grown: 50,000 looks through 100 posts
// for a load of 1,000 users took 3 s. (TestPlans shows that on tables of some
// size the planner comes to the same plans by itself.) The JIT would take longer
// to compile these queries than they take to run.
var plannerParams = map[string]string{
	"plan_cache_mode":   "force_generic_plan",
	"enable_seqscan":    "off",
	"enable_bitmapscan": "off",
	"jit":               "off",
}

// writerParams end an append that cannot get on: its callers wait, and its
// locks keep a claimer waiting.
var writerParams = map[string]string{
	"default_transaction_isolation":       "read committed", // claims rely on it: see claim.go
	"statement_timeout":                   "5s",
	"lock_timeout":                        "2s",
	"idle_in_transaction_session_timeout": "5s",
}

// readerParams make every implicit transaction one read-only snapshot.
var readerParams = map[string]string{
	"default_transaction_isolation": "repeatable read",
	"default_transaction_read_only": "on",
	"statement_timeout":             "25s",
}

// poolConfig says how a pool's connections are made.
func poolConfig(cfg Config, conns int, params map[string]string) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, err // pgx keeps the password out of it
	}
	maps.Copy(pc.ConnConfig.RuntimeParams, plannerParams)
	maps.Copy(pc.ConnConfig.RuntimeParams, params)
	pc.ConnConfig.RuntimeParams["application_name"] = cfg.Node
	pc.ConnConfig.DialFunc = pgconn.DialFunc(rawnet.Dialing(rawnet.Dial(pc.ConnConfig.DialFunc)))
	pc.MaxConns = int32(conns)
	pc.MinConns = 0
	pc.MaxConnIdleTime = 5 * time.Minute
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	return pc, nil
}

func newWriters(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	pc, err := poolConfig(cfg, writerConns, writerParams)
	if err != nil {
		return nil, err
	}
	// What an append sends is prepared with the connection, so that each append,
	// the first too, is a single round trip.
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, q.Durable); err != nil {
			return fmt.Errorf("insist on durable commits: %w", err)
		}
		for _, text := range appendQueries {
			if _, err := conn.Prepare(ctx, text, text); err != nil {
				return fmt.Errorf("prepare: %w", err)
			}
		}
		return nil
	}
	return pgxpool.NewWithConfig(ctx, pc)
}

func newAccounts(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	pc, err := poolConfig(cfg, accountConns, writerParams)
	if err != nil {
		return nil, err
	}
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, q.Durable); err != nil {
			return fmt.Errorf("insist on durable commits: %w", err)
		}
		return nil
	}
	return pgxpool.NewWithConfig(ctx, pc)
}

func newReaders(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	conns := cfg.MaxConns
	if conns == 0 {
		conns = defaultReaders
	}
	pc, err := poolConfig(cfg, conns, readerParams)
	if err != nil {
		return nil, err
	}
	return pgxpool.NewWithConfig(ctx, pc)
}
