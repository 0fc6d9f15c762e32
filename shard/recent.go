package shard

import (
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// recentSlots is how many events can be found by their position, a power of
// two: those of about a minute at 250 a second.
const recentSlots = 1 << 14

// recent remembers the latest events by their position, for deliveries that name
// nothing else, and when this node learned of them. A position has one slot; a
// newer event takes it over. Nobody takes a lock.
type recent struct {
	slots [recentSlots]atomic.Pointer[feedengine.Event]
	at    [recentSlots]atomic.Int64 // Unix ns
}

func (r *recent) slot(shard feedengine.ShardID, seq uint64) uint64 {
	return (seq*31 + uint64(shard)*0x9E3779B97F4A7C15>>40) & (recentSlots - 1)
}

// add takes note of events that have just become known.
func (r *recent) add(events []*feedengine.Event) {
	now := time.Now().UnixNano()
	for _, e := range events {
		i := r.slot(e.Shard, e.Seq)
		r.at[i].Store(now)
		r.slots[i].Store(e)
	}
}

// find returns an event by its position, or nil.
func (r *recent) find(shard feedengine.ShardID, epoch, seq uint64) *feedengine.Event {
	e := r.slots[r.slot(shard, seq)].Load()
	if e == nil || e.Shard != shard || e.Epoch != epoch || e.Seq != seq {
		return nil
	}
	return e
}

// byID finds an event by its id, slowly, and when it became known.
func (r *recent) byID(id feedengine.ID) (*feedengine.Event, time.Time) {
	for i := range r.slots {
		if e := r.slots[i].Load(); e != nil && e.ID == id {
			return e, time.Unix(0, r.at[i].Load())
		}
	}
	return nil, time.Time{}
}

// clear forgets all: their positions are about to be used again.
func (r *recent) clear() {
	for i := range r.slots {
		r.slots[i].Store(nil)
	}
}
