package crowd

import (
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// Progress is how far a process is. Counts are since it began, histograms since the
// last time.
type Progress struct {
	At   int64 // CLOCK_MONOTONIC
	Self meter.Self
	Bare int64 // resident bytes before there were clients

	Attached, Whole, Connects, Resumed, Rebuilt int64
	Closed, GivenUp, Timeouts                   int64
	Deliveries, Events, Counters, Heartbeats    int64
	Resets, Gaps, Pages, Retried                int64
	Accepted, Open, Failed                      int64 // posts
	LastConnect, LastArrival                    int64 // CLOCK_MONOTONIC

	Live, Replayed, Acks, Late, Lag meter.Histogram

	Faults map[ledger.Kind]int64
	Codes  map[string]int64
}

// Progress takes the measurements since the last time.
func (c *Crowd) Progress() *Progress {
	s := &c.run.Stats
	p := &Progress{
		At: meter.Now(), Self: meter.ReadSelf(), Bare: c.bare,
		Attached: s.Attached.Load(), Whole: s.Whole.Load(), Connects: s.Connects.Load(), Resumed: s.Resumed.Load(), Rebuilt: s.Rebuilt.Load(),
		Closed: s.Closed.Load(), GivenUp: s.GivenUp.Load(), Timeouts: s.Timeouts.Load(),
		Deliveries: s.Deliveries.Load(), Events: s.Events.Load(), Counters: s.Counters.Load(), Heartbeats: s.Heartbeats.Load(),
		Resets: s.Resets.Load(), Gaps: s.Gaps.Load(), Pages: s.Pages.Load(), Retried: s.Retried.Load(),
		LastConnect: s.LastConnect.Load(), LastArrival: s.LastArrival.Load(),
		Lag: c.lag.Take(), Codes: c.run.Codes(),
	}
	accepted, open, failed := c.mail.counts()
	p.Accepted, p.Open, p.Failed = int64(accepted), int64(open), int64(failed)
	p.Live, p.Replayed = c.run.Latencies()
	p.Acks, p.Late = c.mail.latencies()
	faults := c.run.Faults()
	p.Faults = faults.Counts
	return p
}
