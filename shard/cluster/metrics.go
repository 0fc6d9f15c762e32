package cluster

import "github.com/VictoriaMetrics/metrics"

type nodeMetrics struct {
	beats       *metrics.Counter
	beatsFailed *metrics.Counter
	beatSeconds *metrics.Histogram
	lapses      *metrics.Counter // leases that ended before the next beat got through
	gone        *metrics.Counter

	claimed       *metrics.Counter
	claimsLost    *metrics.Counter // somebody else was first
	claimsFailed  *metrics.Counter
	opensFailed   *metrics.Counter
	shardsLost    *metrics.Counter
	movedOut      *metrics.Counter
	movedIn       *metrics.Counter
	movesRefused  *metrics.Counter
	movesTimedOut *metrics.Counter
	movesDropped  *metrics.Counter // pieces of handovers that were of no use
	pause         *metrics.Histogram
	stages        map[string]*metrics.Histogram
	queries       *metrics.Counter
}

func (m *nodeMetrics) register(n *Node, set *metrics.Set) {
	m.beats = set.NewCounter("feedgate_node_beats_total")
	m.beatsFailed = set.NewCounter("feedgate_node_beats_failed_total")
	m.beatSeconds = set.NewHistogram("feedgate_node_beat_seconds")
	m.lapses = set.NewCounter("feedgate_node_lease_lapses_total")
	m.gone = set.NewCounter("feedgate_node_peers_gone_total")
	m.claimed = set.NewCounter(`feedgate_shard_claims_total{outcome="won"}`)
	m.claimsLost = set.NewCounter(`feedgate_shard_claims_total{outcome="lost"}`)
	m.claimsFailed = set.NewCounter(`feedgate_shard_claims_total{outcome="failed"}`)
	m.opensFailed = set.NewCounter("feedgate_shard_opens_failed_total")
	m.shardsLost = set.NewCounter("feedgate_shard_overtaken_total")
	m.movedOut = set.NewCounter(`feedgate_shard_moves_total{outcome="moved"}`)
	m.movesRefused = set.NewCounter(`feedgate_shard_moves_total{outcome="refused"}`)
	m.movesTimedOut = set.NewCounter(`feedgate_shard_moves_total{outcome="timeout"}`)
	m.movedIn = set.NewCounter("feedgate_shard_moves_received_total")
	m.movesDropped = set.NewCounter("feedgate_shard_move_pieces_dropped_total")
	// From the stop of work at the old owner until it hears that the new one
	// serves: the way back is in it, as it is for whoever waits.
	m.pause = set.NewHistogram("feedgate_shard_move_pause_seconds")
	// What of it takes how long: until work has stopped and the state is copied, to
	// make it bytes, to read them, to claim, to serve.
	m.stages = map[string]*metrics.Histogram{}
	for _, stage := range []string{"stop", "encode", "decode", "claim", "open"} {
		m.stages[stage] = set.NewHistogram(`feedgate_shard_move_stage_seconds{stage="` + stage + `"}`)
	}
	m.queries = set.NewCounter("feedgate_node_queries_total")
	set.NewGauge("feedgate_node_clock_skew_seconds", func() float64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.skew.Seconds()
	})
	set.NewGauge("feedgate_node_peers", func() float64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		live := 0
		for _, s := range n.watch.seen {
			if !s.dead {
				live++
			}
		}
		return float64(live)
	})
	set.NewGauge("feedgate_node_shards", func() float64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		return float64(count(n.shards, serving))
	})
	set.NewGauge("feedgate_shard_moves_active", func() float64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		return float64(count(n.shards, leaving))
	})
}
