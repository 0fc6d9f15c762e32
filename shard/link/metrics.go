package link

import "github.com/VictoriaMetrics/metrics"

// counters are the figures of a node's links.
type counters struct {
	envelopes, bytes *metrics.Counter // sent
	sent, received   *metrics.Counter // messages
	bodies, bare     *metrics.Counter // events sent in full, as positions

	gaps, tails *metrics.Counter // times that something was found lost
	unreadable  *metrics.Counter // envelopes, and messages with all behind them
	stale       *metrics.Counter // envelopes of or for an incarnation, or of a stream, that is over
	duplicate   *metrics.Counter // envelopes that came twice, or too late
	full        *metrics.Counter // messages dropped as too much was pending
}

func (c *counters) register(l *Links, set *metrics.Set) {
	c.envelopes = set.NewCounter("feedgate_link_envelopes_sent_total")
	c.bytes = set.NewCounter("feedgate_link_bytes_sent_total")
	c.sent = set.NewCounter("feedgate_link_messages_sent_total")
	c.received = set.NewCounter("feedgate_link_messages_received_total")
	c.bodies = set.NewCounter(`feedgate_link_events_sent_total{as="body"}`)
	c.bare = set.NewCounter(`feedgate_link_events_sent_total{as="position"}`)
	c.gaps = set.NewCounter(`feedgate_link_losses_total{found="gap"}`)
	c.tails = set.NewCounter(`feedgate_link_losses_total{found="tail"}`)
	c.unreadable = set.NewCounter(`feedgate_link_dropped_total{reason="unreadable"}`)
	c.stale = set.NewCounter(`feedgate_link_dropped_total{reason="stale"}`)
	c.duplicate = set.NewCounter(`feedgate_link_dropped_total{reason="duplicate"}`)
	c.full = set.NewCounter(`feedgate_link_dropped_total{reason="full"}`)
}
