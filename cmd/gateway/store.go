package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/sqlite"
)

// How long a starting node waits for its database: a server may be starting
// beside it, a directory may still be locked by the process that it replaces.
const (
	serverPatience = 30 * time.Second
	filePatience   = 5 * time.Second
)

// database is the one that the settings name.
type database struct {
	name     string // for people; holds no password
	patience time.Duration
	migrate  func(context.Context) error
	open     func(context.Context) (storage.Full, error)
}

func (c *Config) database(set *metrics.Set) database {
	if c.DatabaseURL != "" {
		return database{
			name: "Postgres", patience: serverPatience,
			migrate: func(ctx context.Context) error { return postgres.Migrate(ctx, c.DatabaseURL) },
			open: func(ctx context.Context) (storage.Full, error) {
				return postgres.Open(ctx, postgres.Config{URL: c.DatabaseURL, Shards: c.Shards, Node: c.NodeID, Metrics: set})
			},
		}
	}
	return database{
		name: "SQLite in " + filepath.Clean(c.Data), patience: filePatience,
		migrate: func(ctx context.Context) error { return sqlite.Migrate(ctx, c.Data) },
		open: func(ctx context.Context) (storage.Full, error) {
			return sqlite.Open(ctx, sqlite.Config{Dir: c.Data, Shards: c.Shards, Metrics: set})
		},
	}
}

// openStore brings the database up to this binary and opens it. What may pass
// is tried again for the database's patience, with its reason in the log.
func openStore(ctx context.Context, db database, log *slog.Logger) (storage.Full, error) {
	until := time.Now().Add(db.patience)
	for {
		err := db.migrate(ctx)
		if err == nil {
			var s storage.Full
			if s, err = db.open(ctx); err == nil {
				return s, nil
			}
		}
		if ctx.Err() != nil || !mayPass(err) || time.Now().After(until) {
			return nil, fmt.Errorf("open %s: %w", db.name, err)
		}
		log.Warn("the database is not there yet, trying again", "database", db.name, "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// mayPass reports whether waiting may help: nobody answers, or it is busy. A
// server that says that the password is wrong, or that there is no such
// database, means it.
func mayPass(err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) && (strings.HasPrefix(said.Code, "28") || strings.HasPrefix(said.Code, "3D")) {
		return false
	}
	var nobody *pgconn.ConnectError
	return errors.As(err, &nobody) || errors.Is(err, feedengine.ErrUnavailable)
}
