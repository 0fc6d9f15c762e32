package fleet

import (
	"time"

	"github.com/feedgate/feedgate/loadgen/crowd"
	"github.com/feedgate/feedgate/loadgen/ledger"
)

// What a process is told to do.
const (
	doSetup   = "setup"   // Setup
	doConnect = "connect" // Rate
	doReadAll = "readall"
	doDrive   = "drive"  // Start
	doSettle  = "settle" // Patience
	doOutcome = "outcome"
	doSeen    = "seen"    // Posts
	doVerify  = "verify"  // Posts, Quiet, Patience
	doTargets = "targets" // Targets; has no answer
	doCancel  = "cancel"  // what is being done; has no answer
)

// Order is what a process is told. Which fields count depends on Do.
type Order struct {
	Do       string
	Setup    *crowd.Setup
	Rate     float64
	Start    int64 // CLOCK_MONOTONIC
	Quiet    time.Duration
	Patience time.Duration
	Posts    []ledger.Post
	Targets  []string
}

// News is what a process says: progress, or the answer to an order.
type News struct {
	Progress *crowd.Progress // nil in an answer
	Err      string
	Outcome  *crowd.Outcome
	Posts    []ledger.Post
	Verdict  *crowd.Verdict
}
