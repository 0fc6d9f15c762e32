package main

import (
	"context"
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// migrate brings the database's tables up to this binary. It may be run beside
// nodes of the release before, and by several at once.
func migrate(ctx context.Context, cfg *Config, p process) error {
	if err := cfg.validateStorage(); err != nil {
		return &usageError{err}
	}
	db := cfg.database(metrics.NewSet())
	if err := db.migrate(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.Stdout, "up to date:", db.name)
	return err
}
