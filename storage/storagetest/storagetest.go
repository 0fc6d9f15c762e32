package storagetest

import (
	"testing"
	"time"

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
// Append or Claim, which answers ErrUnknownOutcome, and then heals.
type Faulty struct {
	Store storage.Store
	// LoseReply lets the next Append commit and loses the answer.
	LoseReply func()
	// LoseCommit loses the next Append before it commits.
	LoseCommit func()
}

// MembersHarness is what the suite of storage.Members needs to know of an
// implementation.
type MembersHarness struct {
	// Open makes a fresh one for a database with that many shards.
	Open func(t testing.TB, shards int) Members
	// Age lets everybody's last beat be d longer ago than it was.
	Age func(t testing.TB, m Members, d time.Duration)
}

// Members is a table of nodes and the shards that its Roll tells the owners of.
type Members interface {
	storage.Members
	Claimer
}

// RunMembers holds an implementation of storage.Members to the contract.
func RunMembers(t *testing.T, h MembersHarness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, MembersHarness)
	}{
		{"Roll", testRoll},
		{"NameTaken", testNameTaken},
		{"NameFree", testNameFree},
		{"Leave", testLeave},
		{"Forgotten", testForgotten},
		{"ManyBeat", testManyBeat},
		{"NameRaced", testNameRaced},
		{"BeatCancelled", testBeatCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, h)
		})
	}
}

// RunFull holds an implementation of storage.Full to what that has beside
// storage.Store: what the kinds of events mean for its tables, and what is read from
// them. Harness.Open must open one.
func RunFull(t *testing.T, h Harness) {
	t.Run("social", func(t *testing.T) { runSocial(t, h) })
	t.Run("talk", func(t *testing.T) { runTalk(t, h) })
	t.Run("jobs", func(t *testing.T) { runJobs(t, h) })
	t.Run("accounts", func(t *testing.T) { runAccounts(t, h) })
}

// full opens a storage.Full.
func (h Harness) full(t testing.TB, shards int) storage.Full {
	t.Helper()
	s, ok := h.Open(t, shards).(storage.Full)
	if !ok {
		t.Fatal("the store lacks something of storage.Decisions, Social or Accounts")
	}
	return s
}

// Run holds an implementation to the contract. Every subtest has a database of
// its own.
func Run(t *testing.T, h Harness) {
	t.Run("log", func(t *testing.T) { runLog(t, h) })
	t.Run("views", func(t *testing.T) { runViews(t, h) })
}
