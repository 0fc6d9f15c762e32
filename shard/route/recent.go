package route

import (
	"sync"

	"github.com/feedgate/feedgate/feedengine"
)

// recentSlots is of how many events it is known when they were forwarded.
const recentSlots = 8192

// recent remembers when events were forwarded to sessions of this node: each event
// in one slot, which it loses to a later one. At 200 posts a second that is after
// half a minute.
type recent [recentSlots]struct {
	mu         sync.Mutex
	id         feedengine.ID
	first      int64 // as of Router.now
	last       int64
	recipients int
}

func slotOf(id feedengine.ID) int { return int(uint64(id) * 0x9e3779b97f4a7c15 >> (64 - 13)) }

func (r *recent) note(id feedengine.ID, now int64, recipients int) {
	s := &r[slotOf(id)]
	s.mu.Lock()
	if s.id != id {
		s.id, s.first, s.recipients = id, now, 0
	}
	s.last = now
	s.recipients += recipients
	s.mu.Unlock()
}

// of says when the event was forwarded first and last, and to how many.
func (r *recent) of(id feedengine.ID) (first, last int64, recipients int, ok bool) {
	s := &r[slotOf(id)]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, s.last, s.recipients, s.id == id
}
