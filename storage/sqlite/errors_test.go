package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/feedgate/feedgate/feedengine"
)

func TestKindOf(t *testing.T) {
	const anyPhase = phase(255)
	for _, c := range []struct {
		code int
		at   phase
		want error
	}{
		{sqlite3.SQLITE_BUSY, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_BUSY_SNAPSHOT, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_BUSY_RECOVERY, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_LOCKED, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_READONLY, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_READONLY_DBMOVED, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_FULL, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_CANTOPEN, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_CANTOPEN_ISDIR, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_NOTADB, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_CORRUPT, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_NOMEM, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_PERM, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_INTERRUPT, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_ERROR, anyPhase, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_IOERR, working, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_IOERR_READ, working, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_IOERR_WRITE, working, feedengine.ErrUnavailable},
		{sqlite3.SQLITE_IOERR, committing, feedengine.ErrUnknownOutcome},
		{sqlite3.SQLITE_IOERR_WRITE, committing, feedengine.ErrUnknownOutcome},
		{sqlite3.SQLITE_IOERR_FSYNC, committing, feedengine.ErrUnknownOutcome},
		{sqlite3.SQLITE_CONSTRAINT, anyPhase, feedengine.ErrRefused},
		{sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, anyPhase, feedengine.ErrRefused},
		{sqlite3.SQLITE_CONSTRAINT_ROWID, anyPhase, feedengine.ErrRefused},
		{sqlite3.SQLITE_CONSTRAINT_NOTNULL, anyPhase, feedengine.ErrRefused},
		{sqlite3.SQLITE_MISMATCH, anyPhase, feedengine.ErrRefused},
		{sqlite3.SQLITE_TOOBIG, anyPhase, feedengine.ErrRefused},
	} {
		for _, at := range []phase{working, committing} {
			if c.at != anyPhase && c.at != at {
				continue
			}
			if got := kindOf(c.code, at); got != c.want {
				t.Errorf("code %d in phase %d: %v, want %v", c.code, at, got, c.want)
			}
		}
	}
}

func TestFailed(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	other := errors.New("no error of SQLite's")
	for _, c := range []struct {
		name string
		ctx  context.Context
		at   phase
		err  error
		want error
	}{
		{"of a kind already", t.Context(), working, refused("because"), feedengine.ErrRefused},
		{"of a kind already, in time", ended, working, fmt.Errorf("write 3: %w", feedengine.ErrFenced), feedengine.ErrFenced},
		{"another's", t.Context(), working, other, feedengine.ErrUnavailable},
		{"another's in a commit", t.Context(), committing, other, feedengine.ErrUnknownOutcome},
		{"the caller's", ended, working, ended.Err(), context.Canceled},
		{"the caller's, in a commit", ended, committing, other, feedengine.ErrUnknownOutcome},
	} {
		got := failed(c.ctx, "test", c.at, c.err)
		if !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		kinds := 0
		for _, kind := range []error{
			feedengine.ErrFenced, feedengine.ErrUnknownOutcome, feedengine.ErrUnavailable,
			feedengine.ErrRefused, feedengine.ErrNotFound, context.Canceled,
		} {
			if errors.Is(got, kind) {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("%s: %v is of %d kinds", c.name, got, kinds)
		}
	}
}
