package cluster

import "time"

const (
	// remembered is how long, at least, it is remembered how late something was;
	// at most twice that.
	remembered = time.Minute
	// steady is how long nothing must have been late for shards to be moved: what
	// is late already has enough to do.
	steady = 10 * time.Second
	// latePatience is by how much longer a node is waited for than the latest of all
	// was late, and mostLate how long at most, in all. An overloaded machine grows
	// late step by step, so what comes next is a small multiple of what was. That
	// the deadline follows from how regular beats have been is the idea of accrual
	// failure detectors (Hayashibara et al. 2004).
	latePatience = 4
	mostLate     = 12 * time.Second
)

// lateness is by how much beats, or looks at them, have come too late of late.
type lateness struct {
	since       time.Time // of now
	now, before time.Duration
	at          time.Time // when something was late last; zero: never
}

// note takes note of one; what was in time has a late of 0 or less.
func (l *lateness) note(at time.Time, late time.Duration) {
	l.turn(at)
	if late > 0 {
		l.now, l.at = max(l.now, late), at
	}
}

// most is the most in memory.
func (l *lateness) most(at time.Time) time.Duration {
	l.turn(at)
	return max(l.now, l.before)
}

// steady reports whether nothing was late for a while.
func (l *lateness) steady(at time.Time) bool { return l.at.IsZero() || at.Sub(l.at) >= steady }

func (l *lateness) turn(at time.Time) {
	switch old := at.Sub(l.since); {
	case old >= 2*remembered:
		l.now, l.before, l.since = 0, 0, at
	case old >= remembered:
		l.now, l.before, l.since = 0, l.now, at
	}
}
