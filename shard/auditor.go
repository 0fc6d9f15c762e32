package shard

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// runAuditor has the counters of one resident user after the other recounted
// from storage, going round the shards.
func (h *Host) runAuditor() {
	ticks := time.NewTicker(h.opts.AuditEvery)
	defer ticks.Stop()
	for next := 0; ; next++ {
		select {
		case <-h.stop:
			return
		case <-ticks.C:
		}
		actors := h.served()
		if len(actors) == 0 {
			continue
		}
		// A shard without residents has nothing to audit.
		for range actors {
			if actors[next%len(actors)].residents.Load() > 0 {
				break
			}
			next++
		}
		actors[next%len(actors)].offer(audit{}) // unless it has enough to do
	}
}

// audited takes note of an audit's end.
func (h *Host) audited(s feedengine.ShardID, a feedengine.Audited) {
	if h.opts.Cluster && !h.lease.holds() {
		return // another node may have the shard already, and knows marks that this one does not
	}
	h.metrics.audits.Inc()
	if !a.Drift {
		return
	}
	h.metrics.drift.Inc()
	h.log.Error("counters had drifted from the facts and were corrected", "user", a.User, "shard", s,
		"shown", a.View.Feed, "facts", a.Facts.Feed)
}
