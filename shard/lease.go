package shard

import (
	"sync"
	"sync/atomic"
	"time"
)

// LeaseTime is for how long after a beat that got through a node of a cluster
// may serve its shards. The others wait longer before they take them.
const LeaseTime = 3 * time.Second

// lease is a node's permission to serve shards that others may claim once it
// has not been heard of for a while. One that was frozen finds it over, by its
// own monotonic clock, before it answers anybody.
type lease struct {
	start time.Time
	valid atomic.Int64 // nanoseconds after start until which shards may be served; 0: not at all

	mu        sync.Mutex
	until     int64
	confirmed bool
	lapses    int // so that a confirmation from before the last one is worth nothing
}

func newLease() *lease { return &lease{start: time.Now(), confirmed: true} }

// holds reports whether shards may be served now.
func (l *lease) holds() bool { return int64(time.Since(l.start)) < l.valid.Load() }

// regular reports whether there is enough left of the lease for beats to have
// come without a break.
func (l *lease) regular() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until == 0 || l.until-int64(time.Since(l.start)) > int64(LeaseTime/3)
}

// renew takes note of a beat that got through and was sent at t. It says false
// when shards may not be served before a confirm.
func (l *lease) renew(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until > 0 && int64(time.Since(l.start)) >= l.until && l.confirmed {
		l.confirmed = false
		l.lapses++
	}
	l.until = max(l.until, int64(t.Add(LeaseTime).Sub(l.start)))
	l.publish()
	return l.confirmed
}

// lapsed is how often the lease has ended.
func (l *lease) lapsed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lapses
}

// confirm says that all shards served are the node's own, as of a time when the
// lease had ended so often.
func (l *lease) confirm(lapses int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lapses == lapses {
		l.confirmed = true
		l.publish()
	}
}

func (l *lease) publish() {
	if l.confirmed {
		l.valid.Store(l.until)
	} else {
		l.valid.Store(0)
	}
}
