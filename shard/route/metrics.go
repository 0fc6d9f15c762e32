package route

import (
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"
)

// A drop is why something that a shard sent was not forwarded.
type drop uint8

const (
	dropStale     drop = iota // of an owner that is no longer it
	dropUnknown               // for a session that there is not
	dropAttaching             // before its attach was answered
	dropLacking               // it will come again
	dropLeaving               // after its detach was sent
	dropDuplicate
	dropGap       // it will come again, after what is missing
	dropBare      // its body is not known here; it will come again
	dropOldCounts // newer counters came before
	dropOutdated  // the answer to a rejoin that was overtaken
	drops
)

var dropNames = [drops]string{
	"stale_epoch", "unknown_session", "attaching", "lacking", "leaving", "duplicate", "gap", "bare",
	"old_counters", "outdated",
}

var dropOf = [...]drop{attaching: dropAttaching, lacking: dropLacking, leaving: dropLeaving}

type routerMetrics struct {
	forwarded, resets           *metrics.Counter
	lacks, confirmed, losses    *metrics.Counter
	rejoins, rejoined           *metrics.Counter
	resends, holds, elsewhere   *metrics.Counter
	late, expired, busy, owners *metrics.Counter
	dropped                     [drops]*metrics.Counter
	sessions, asks              atomic.Int64
}

func (m *routerMetrics) register(set *metrics.Set) {
	m.forwarded = set.NewCounter("feedgate_route_forwarded_total")     // events and counters, per session
	m.resets = set.NewCounter("feedgate_route_resets_total")           //
	m.lacks = set.NewCounter("feedgate_route_lacking_total")           // sessions that had to be confirmed anew
	m.confirmed = set.NewCounter("feedgate_route_confirmed_total")     // and were, without a reset
	m.losses = set.NewCounter("feedgate_route_losses_total")           // times that a link told of losses
	m.rejoins = set.NewCounter("feedgate_route_rejoins_total")         // messages
	m.rejoined = set.NewCounter("feedgate_route_rejoin_entries_total") // sessions in them
	m.resends = set.NewCounter("feedgate_route_resends_total")         // asks sent again
	m.holds = set.NewCounter("feedgate_route_holds_total")             // times that an ask had to wait
	m.elsewhere = set.NewCounter("feedgate_route_elsewhere_total")     // asks answered by who does not serve the shard
	m.late = set.NewCounter("feedgate_route_late_answers_total")
	m.expired = set.NewCounter(`feedgate_route_refused_total{reason="deadline"}`)
	m.busy = set.NewCounter(`feedgate_route_refused_total{reason="too_many"}`)
	m.owners = set.NewCounter("feedgate_route_owner_changes_total")
	for d, name := range dropNames {
		m.dropped[d] = set.NewCounter(`feedgate_route_drops_total{reason="` + name + `"}`)
	}
	set.NewGauge("feedgate_route_sessions", func() float64 { return float64(m.sessions.Load()) })
	set.NewGauge("feedgate_route_asks", func() float64 { return float64(m.asks.Load()) })
}

func (m *routerMetrics) drop(d drop, n int) { m.dropped[d].Add(n) }

type serverMetrics struct {
	asks, doubles, busy *metrics.Counter
	rejoins, refused    *metrics.Counter
	unsent, toGone      *metrics.Counter
	buried, revived     *metrics.Counter
}

func (m *serverMetrics) register(set *metrics.Set) {
	m.asks = set.NewCounter("feedgate_serve_asks_total")            // of other nodes' gateways
	m.doubles = set.NewCounter("feedgate_serve_double_asks_total")  // that were under way already
	m.busy = set.NewCounter("feedgate_serve_refused_total")         // too many were under way
	m.rejoins = set.NewCounter("feedgate_serve_rejoins_total")      // messages
	m.refused = set.NewCounter("feedgate_serve_rejoins_left_total") // that the host did not take
	m.unsent = set.NewCounter(`feedgate_serve_drops_total{reason="link_full"}`)
	m.toGone = set.NewCounter(`feedgate_serve_drops_total{reason="gateway_gone"}`)
	m.buried = set.NewCounter("feedgate_serve_gateways_gone_total")
	m.revived = set.NewCounter("feedgate_serve_gateways_back_total")
}
