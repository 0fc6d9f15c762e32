package shard

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// hostMetrics are the figures of a host beside those of its writer and loader.
type hostMetrics struct {
	refused *metrics.Counter // requests that found a full mailbox
	skips   *metrics.Counter // shards that fell behind the ring
	lost    *metrics.Counter // shards claimed by another process
	audits  *metrics.Counter
	drift   *metrics.Counter

	elsewhere *metrics.Counter // requests to shards that are not served here
	lapses    *metrics.Counter // times that the lease ended
	unserved  *metrics.Counter // requests that came while it was over
}

func (m *hostMetrics) register(h *Host, set *metrics.Set) {
	m.refused = set.NewCounter(`feedgate_shard_refused_total{reason="mailbox_full"}`)
	m.skips = set.NewCounter("feedgate_shard_ring_skips_total")
	m.lost = set.NewCounter("feedgate_shards_lost_total")
	m.audits = set.NewCounter("feedgate_counter_audits_total")
	m.elsewhere = set.NewCounter(`feedgate_shard_refused_total{reason="elsewhere"}`)
	m.unserved = set.NewCounter(`feedgate_shard_refused_total{reason="lease"}`)
	m.lapses = set.NewCounter("feedgate_lease_lapses_total")
	m.drift = set.NewCounter("feedgate_counter_drift_total")

	total := func(name string, of func(*actor) int64) {
		set.NewGauge(name, func() float64 { return float64(h.sum(of)) })
	}
	total("feedgate_views_resident", func(a *actor) int64 { return a.residents.Load() })
	total("feedgate_sessions_attached", func(a *actor) int64 { return a.sessions.Load() })
	total("feedgate_follow_edges", func(a *actor) int64 { return a.edges.Load() })
	total("feedgate_view_bytes", func(a *actor) int64 { return a.bytes.Load() })
	total(`feedgate_mailbox_depth{of="all"}`, func(a *actor) int64 { return int64(len(a.mailbox)) })

	most := func(name string, of func(*actor) int64) {
		set.NewGauge(name, func() float64 {
			n := int64(0)
			for _, a := range h.served() {
				n = max(n, of(a))
			}
			return float64(n)
		})
	}
	most(`feedgate_mailbox_depth{of="fullest"}`, func(a *actor) int64 { return int64(len(a.mailbox)) })
	most("feedgate_shard_lag_events", func(a *actor) int64 { return int64(a.lag()) })
	set.NewGauge(fmt.Sprintf("feedgate_shards{node=%q}", h.opts.Node), func() float64 { return float64(len(h.served())) })
}
