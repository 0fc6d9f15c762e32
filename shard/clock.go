package shard

import (
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Clock is a node's hybrid logical clock (Kulkarni et al. 2014): it follows the
// wall clock, and never goes back when that does. All ids of a node come from
// its one Clock.
//
// It must have observed every id that the node has read from its logs before
// its first tick is given out; with that it does not go back across restarts
// either. All methods may be called from many goroutines and never block.
type Clock struct {
	now  func() time.Time
	last atomic.Int64 // the greatest Tick given out or observed
}

// NewClock makes a clock that follows now, usually time.Now.
func NewClock(now func() time.Time) *Clock { return &Clock{now: now} }

// Next gives out a tick greater than all that were given out or observed, and
// not behind the wall clock. When a millisecond's 4,096 ticks are used up, it
// runs on into the next one.
func (c *Clock) Next() feedengine.Tick {
	wall := int64(feedengine.TickAt(c.now()))
	for {
		last := c.last.Load()
		next := max(last+1, wall)
		if c.last.CompareAndSwap(last, next) {
			return feedengine.Tick(next)
		}
	}
}

// Observe takes note of a tick that another clock, or this one in an earlier
// life, gave out.
func (c *Clock) Observe(t feedengine.Tick) {
	for {
		last := c.last.Load()
		if int64(t) <= last || c.last.CompareAndSwap(last, int64(t)) {
			return
		}
	}
}

// Now is where the clock stands: at or above all that it gave out or observed,
// and not behind the wall clock. Ticks given out later are greater, or equal
// to it when it was the wall clock's.
func (c *Clock) Now() feedengine.Tick {
	return max(feedengine.Tick(c.last.Load()), feedengine.TickAt(c.now()))
}

// Clock is the clock of all ids that the host gives out. What other nodes' clocks
// say is observed by it.
func (h *Host) Clock() *Clock { return h.clock }
