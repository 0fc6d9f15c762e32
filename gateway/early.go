package gateway

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Clients may send requests right behind their connect. They wait until it has
// been answered: so its reply is the first frame that a client gets, and what
// concerns the stream finds it attached.

// postpone keeps a request back that came before connect was answered, or while
// such requests still wait. It reports whether it did.
func (s *session) postpone(r *wire.Request) bool {
	s.mu.Lock()
	if s.state != connecting && s.early == nil {
		s.mu.Unlock()
		return false
	}
	full := len(s.early) >= maxPending
	if !full {
		s.early = append(s.early, r)
	}
	s.mu.Unlock()
	if full {
		s.refuse(s.g.unknown, r.ID, feedengine.Refuse(feedengine.Overloaded, "too many requests before connect was answered"), time.Now())
	}
	return true
}

// takeEarly carries out the requests that waited, in their order, until there
// are none: then Frame takes over.
func (s *session) takeEarly() {
	for {
		s.mu.Lock()
		if len(s.early) == 0 || s.state != live {
			s.early = nil
			s.mu.Unlock()
			return
		}
		r := s.early[0]
		s.early = s.early[1:]
		s.mu.Unlock()
		s.request(r)
	}
}
