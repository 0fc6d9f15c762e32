package storagetest

import (
	"testing"

	"github.com/feedgate/feedgate/storage"
)

// Harness is what the suite needs to know of an implementation. Whatever it
// opens it also closes and removes at the test's cleanup.
type Harness struct {
	// Open makes a fresh, empty, migrated database with that many shards.
	Open func(t testing.TB, shards int) storage.Store

	// OpenFaulty is Open, through something that can lose a commit's outcome.
	OpenFaulty func(t testing.TB, shards int) Faulty

	// Reopen closes s and opens its database again, as another start of a node
	// would, asking for shards (0: what the database has).
	Reopen func(t testing.TB, s storage.Store, shards int) (storage.Store, error)

	// SetSchema records in the database of s that version is its newest
	// migration.
	SetSchema func(t testing.TB, s storage.Store, version int64)
}

// Faulty is a store whose connection breaks on request. The fault hits the next
// Append, which answers ErrUnknownOutcome, and then heals.
type Faulty struct {
	Store storage.Store
	// LoseReply lets the next Append commit and loses the answer.
	LoseReply func()
	// LoseCommit loses the next Append before it commits.
	LoseCommit func()
}

// Run holds an implementation to the contract. Every subtest has a database of
// its own.
func Run(t *testing.T, h Harness) {
	t.Run("log", func(t *testing.T) { runLog(t, h) })
	t.Run("views", func(t *testing.T) { runViews(t, h) })
}
