package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/feedgate/feedgate/feedengine"
)

// SQLSTATEs of our own, raised by feedgate_require.
const (
	stateFenced   = "FG001"
	stateKeyTaken = "FG002"
	stateNoShard  = "FG003"
	stateTooMany  = "FG004"
)

// kindOf says which of feedengine's store errors an SQLSTATE is, given that
// Postgres reported it of a statement and so rolled the transaction back.
// (https://www.postgresql.org/docs/current/errcodes-appendix.html)
func kindOf(state string) error {
	switch state {
	case stateFenced:
		return feedengine.ErrFenced
	case stateKeyTaken, stateNoShard, stateTooMany:
		return feedengine.ErrRefused
	case "40003", "08007": // statement completion, transaction resolution unknown
		return feedengine.ErrUnknownOutcome
	case "54000": // a limit of the row's own: too large for its index
		return feedengine.ErrRefused
	}
	if len(state) < 2 {
		return feedengine.ErrUnavailable
	}
	switch state[:2] {
	case "21", "22", "23", "44": // cardinality, data, constraints, check option
		return feedengine.ErrRefused
	case "P0": // raised by somebody's trigger
		return feedengine.ErrRefused
	}
	// Everything else is about the server, its locks, its space, our rights on it
	// or its tables: it may pass, or be mended by its operator.
	return feedengine.ErrUnavailable
}

// failed gives the error of a call that changes nothing, or that had sent
// nothing, its kind. ctx is the caller's own: when it has ended, that is the
// reason.
func failed(ctx context.Context, op string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("postgres: %s: %w", op, cause)
	}
	kind := feedengine.ErrUnavailable
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		kind = kindOf(pg.Code)
	}
	return fmt.Errorf("postgres: %s: %w: %w", op, kind, err)
}

// commitFailed gives the error of a pipeline that commits its kind. allRan says
// that every statement had answered before the error came.
func commitFailed(ctx context.Context, op string, err error, allRan bool) error {
	pg := (*pgconn.PgError)(nil)
	switch {
	case errors.As(err, &pg):
		// An ERROR aborts the transaction, in the commit too. A session that ended
		// with all statements run may have ended on either side of the commit.
		kind := kindOf(pg.Code)
		if fatal(pg) && allRan {
			kind = feedengine.ErrUnknownOutcome
		}
		return fmt.Errorf("postgres: %s: %w: %w", op, kind, err)
	case pgconn.SafeToRetry(err): // nothing was sent
		return failed(ctx, op, err)
	}
	return fmt.Errorf("postgres: %s: %w: %w", op, feedengine.ErrUnknownOutcome, err)
}

// fatal reports whether the error ended the session and not only the statement.
func fatal(e *pgconn.PgError) bool {
	return e.SeverityUnlocalized == "FATAL" || e.SeverityUnlocalized == "PANIC"
}
