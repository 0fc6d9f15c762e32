package gateway

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Deliver brings an event, or changed counters, to sessions. Shards call it, on
// their own goroutines: it encodes the event if it is the first to meet it,
// appends to outboxes, and never waits. d.To is not kept.
func (g *Gateway) Deliver(d feedengine.Delivery) {
	var made [len(wire.Codecs)][2]*body // per codec in use, without and with names
	for i := range d.To {
		to := &d.To[i]
		s := g.sessions.get(to.Session)
		if s == nil {
			g.metrics.dropGone.Inc()
			continue
		}
		if d.Event == nil {
			s.unread(wire.Counts(to.Counts))
			continue
		}
		form := &made[s.codec][0]
		if s.expand {
			form = &made[s.codec][1]
		}
		if *form == nil {
			*form = g.bodies[s.codec].of(d.Event, s.expand)
		}
		s.event(*form, to.N, wire.Counts(to.Counts))
		if d.Event.Kind == feedengine.KindHidden && d.Event.List != feedengine.ListFeed { // a block, not a mute
			g.hid(s, d.Event.Actor)
		}
		if d.Event.Kind == feedengine.KindShown {
			g.typists.show(s.user.name, d.Event.Actor)
		}
	}
	g.metrics.deliveries.Add(len(d.To))
}

// Reset tells a session that events were skipped. Shards call it like Deliver.
func (g *Gateway) Reset(r feedengine.Reset) {
	s := g.sessions.get(r.Session)
	if s == nil {
		g.metrics.dropGone.Inc()
		return
	}
	s.mu.Lock()
	if s.state != live {
		s.mu.Unlock()
		g.metrics.dropNotLive.Inc()
		return
	}
	s.stream = r.Stream
	s.out.putReset(wire.Reset{N: r.N, Reason: string(r.Reason)}, wire.Counts(r.Counts))
	s.mu.Unlock()
	g.metrics.resets.Inc()
	s.sock.Wake()
	g.recheckPresence(s)
}

func (s *session) event(b *body, n uint64, c wire.Counts) {
	s.mu.Lock()
	if s.state != live {
		s.mu.Unlock()
		s.g.metrics.dropNotLive.Inc()
		return
	}
	v := s.out.event(b, n, c, s.g.limits.OutboxBytes)
	if v == over {
		v = s.out.overflow(n, c, s.g.uptime(time.Now()))
	} else if b.takes != takesNothing && v != duplicate {
		s.g.metrics.outboxWithdrawn.Add(s.out.withdraw(b, func(old *body) *body {
			return s.g.bodies[s.codec].instead(old, b, s.expand)
		}))
	}
	s.settle(v)
}

func (s *session) unread(c wire.Counts) {
	s.mu.Lock()
	if s.state != live {
		s.mu.Unlock()
		s.g.metrics.dropNotLive.Inc()
		return
	}
	s.settle(s.out.unread(c))
}

// settle does what a verdict asks for, and lets go of s.mu.
func (s *session) settle(v verdict) {
	m := s.g.metrics
	switch v {
	case duplicate:
		s.mu.Unlock()
		m.dropDuplicate.Inc()
		return
	case coalesced:
		m.outboxCoalesced.Inc()
	case replaced:
		m.outboxResets.Inc()
	case full:
		bye := wire.ByeFor(wire.CloseSlow)
		ended := s.endLocked(bye)
		s.mu.Unlock()
		if ended {
			m.outboxFull.Inc()
			s.sock.Close(int(bye.Code), bye.Reason)
		}
		return
	}
	s.mu.Unlock()
	s.sock.Wake()
}
