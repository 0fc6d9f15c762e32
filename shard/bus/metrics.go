package bus

import "github.com/VictoriaMetrics/metrics"

// counters are the figures of a Redis bus.
type counters struct {
	published, bytes, received *metrics.Counter
	full, away, failed         *metrics.Counter // messages dropped: the queue was full; Redis was away; it refused
	reconnects                 *metrics.Counter // subscriptions that were lost and made again
	pipeline                   *metrics.Histogram
}

func (c *counters) register(r *Redis, set *metrics.Set) {
	c.published = set.NewCounter("feedgate_bus_published_total")
	c.bytes = set.NewCounter("feedgate_bus_published_bytes_total")
	c.received = set.NewCounter("feedgate_bus_received_total")
	c.full = set.NewCounter(`feedgate_bus_dropped_total{reason="queue_full"}`)
	c.away = set.NewCounter(`feedgate_bus_dropped_total{reason="redis_away"}`)
	c.failed = set.NewCounter(`feedgate_bus_dropped_total{reason="refused"}`)
	c.reconnects = set.NewCounter("feedgate_bus_reconnects_total")
	c.pipeline = set.NewHistogram("feedgate_bus_publish_seconds")
	set.NewGauge("feedgate_bus_up", func() float64 {
		if r.queue.up.Load() {
			return 1
		}
		return 0
	})
}
