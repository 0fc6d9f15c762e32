package feedengine

import (
	"errors"
	"time"
)

// Code is an error code of the wire protocol.
type Code string

const (
	BadRequest   Code = "bad_request"
	Unauthorized Code = "unauthorized"
	Forbidden    Code = "forbidden"
	NotFound     Code = "not_found"
	Conflict     Code = "conflict"
	TooLarge     Code = "too_large"
	RateLimited  Code = "rate_limited"
	Overloaded   Code = "overloaded"
	Unavailable  Code = "unavailable"
	Internal     Code = "internal"
)

// Error is a refusal as a client is told of it. Message is for people and
// never carries a secret.
type Error struct {
	Code    Code
	Message string
	Retry   time.Duration // earliest useful repetition, 0 when unknown
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Retryable reports whether the same request may succeed later.
func (e *Error) Retryable() bool {
	switch e.Code {
	case RateLimited, Overloaded, Unavailable, Internal:
		return true
	}
	return false
}

// ErrElsewhere is the refusal of a shard that is not, or no longer, served by the
// node that was asked. Nothing was run: the request may go to the shard's owner.
// It is compared by identity and does not reach clients.
var ErrElsewhere = Refuse(Unavailable, "the shard is served by another node just now")

// Refuse makes the Error of a refusal.
func Refuse(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// What a store says of a commit or a read that failed, so that its caller
// knows what may have happened. Stores wrap these; ask with errors.Is.
var (
	// ErrFenced: a shard of the commit has been claimed under a higher epoch.
	// Nothing was written.
	ErrFenced = errors.New("fenced: shard claimed under a higher epoch")
	// ErrUnknownOutcome: the connection was lost while committing. The commit
	// may have happened, and may still happen until its shards are claimed anew.
	ErrUnknownOutcome = errors.New("commit outcome unknown")
	// ErrUnavailable: the store cannot be reached, is locked, read-only, full or
	// starting up. Nothing was written; the same call may succeed later.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrRefused: the store will never take this. Nothing was written. When it
	// says so of a batch, some of the batch's rows may be good.
	ErrRefused = errors.New("storage refused the row")
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
)
