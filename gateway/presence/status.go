package presence

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Status is how a user is to be shown.
type Status struct {
	User   string
	Online bool
	Seen   time.Time // when they were last connected; zero: not known, or they are now
}

// Change is what a session is to be shown, at most MaxUsers.
type Change struct {
	Session feedengine.SessionID
	Now     []Status
}

const (
	// MaxUsers is how many users a session may watch.
	MaxUsers = 100
	// Grace is how long a user may be without a socket and is not gone.
	Grace = 5 * time.Second
	// Every is how often changes are shown, told to other nodes, and saved.
	Every = time.Second
	// SaveMost is how many users are saved in one statement.
	SaveMost = 1000

	refreshRounds = 10               // in how many rounds all that is watched is told anew
	forgetAfter   = 30 * time.Second // what another node told is worth nothing then, unless it came again
	silentAfter   = 15 * time.Second // without any message, a node is taken for dead
	beatEvery     = 5 * time.Second  // so often it sends one at least
	lingers       = 30 * time.Second // so long a user is watched who was only looked at

	// Bounds of what is remembered; beyond, it is refused, or forgotten and counted.
	maxWatched = 100_000 // users whom the sessions of this node watch
	maxWanted  = 1 << 20 // users whom other nodes' sessions watch
	maxGone    = 1 << 18 // users who left and are not saved yet
	maxSyncs   = 20_000  // sessions that are shown something in one round
	maxPeers   = 1 << 10
)
