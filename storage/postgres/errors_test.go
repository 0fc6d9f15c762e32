package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/feedgate/feedgate/feedengine"
)

func TestKindOf(t *testing.T) {
	const (
		fenced      = "fenced"
		refused     = "refused"
		unavailable = "unavailable"
		unknown     = "unknown"
	)
	kinds := map[string]error{
		fenced: feedengine.ErrFenced, refused: feedengine.ErrRefused,
		unavailable: feedengine.ErrUnavailable, unknown: feedengine.ErrUnknownOutcome,
	}
	for _, c := range []struct{ state, name, kind string }{
		{"FG001", "fence", fenced},
		{"FG002", "key taken", refused},
		{"FG003", "no such shard", refused},
		{"21000", "a row twice in an upsert", refused},
		{"22003", "numeric value out of range", refused},
		{"22021", "character not in repertoire: U+0000, broken UTF-8", refused},
		{"22P02", "invalid text representation", refused},
		{"23502", "not null", refused},
		{"23505", "unique", refused},
		{"23514", "check", refused},
		{"54000", "row too large for its index", refused},
		{"P0001", "raised by a trigger", refused},
		{"08006", "connection failure", unavailable},
		{"08007", "transaction resolution unknown", unknown},
		{"0A000", "cached plan must not change result type", unavailable},
		{"25006", "read-only transaction", unavailable},
		{"25P03", "idle in transaction timeout", unavailable},
		{"28P01", "invalid password", unavailable},
		{"3D000", "no such database", unavailable},
		{"40001", "serialization failure", unavailable},
		{"40003", "statement completion unknown", unknown},
		{"40P01", "deadlock", unavailable},
		{"42501", "insufficient privilege", unavailable},
		{"42P01", "undefined table", unavailable},
		{"53100", "disk full", unavailable},
		{"53200", "out of memory", unavailable},
		{"53300", "too many connections", unavailable},
		{"55P03", "lock not available", unavailable},
		{"57014", "statement timeout", unavailable},
		{"57P01", "admin shutdown", unavailable},
		{"57P02", "crash shutdown", unavailable},
		{"57P03", "cannot connect now", unavailable},
		{"58030", "io error", unavailable},
		{"XX001", "data corrupted", unavailable},
		{"", "none", unavailable},
	} {
		if got := kindOf(c.state); got != kinds[c.kind] {
			t.Errorf("%s (%s): %v, want %s", c.state, c.name, got, c.kind)
		}
	}
}

func TestCommitFailed(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		err    error
		allRan bool
		want   error
	}{
		{"refused row", t.Context(), &pgconn.PgError{Code: "23505", SeverityUnlocalized: "ERROR"}, false, feedengine.ErrRefused},
		{"refused in the commit", t.Context(), &pgconn.PgError{Code: "23503", SeverityUnlocalized: "ERROR"}, true, feedengine.ErrRefused},
		{"shut down before the commit", t.Context(), &pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"}, false, feedengine.ErrUnavailable},
		{"shut down around the commit", t.Context(), &pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"}, true, feedengine.ErrUnknownOutcome},
		{"connection lost", t.Context(), io.ErrUnexpectedEOF, false, feedengine.ErrUnknownOutcome},
		{"connection lost, caller gone", ended, fmt.Errorf("read: %w", context.Canceled), false, feedengine.ErrUnknownOutcome},
		{"not sent", t.Context(), notSent{}, false, feedengine.ErrUnavailable},
		{"not sent, caller gone", ended, notSent{}, false, context.Canceled},
	} {
		if got := commitFailed(c.ctx, "append", c.err, c.allRan); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// notSent is an error of pgx that came before anything was sent.
type notSent struct{}

func (notSent) Error() string     { return "not sent" }
func (notSent) SafeToRetry() bool { return true }
