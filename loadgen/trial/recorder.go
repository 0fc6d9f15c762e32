package trial

import (
	"context"
	"sync"
	"time"

	"github.com/feedgate/feedgate/loadgen/crowd"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/report"
)

// Standing is where a run stands, all processes together.
type Standing struct {
	Phase   string
	Elapsed time.Duration
	Conns   int
	Sum     crowd.Progress  // counts are sums; histograms are of the last second
	Live    meter.Histogram // since the steps began
	Sample  report.Sample
	Faults  map[ledger.Kind]int64
}

// recorder takes what the processes tell and makes one sample a second of it.
type recorder struct {
	began  int64 // CLOCK_MONOTONIC
	conns  int
	screen Screen
	scrape *scraper

	mu       sync.Mutex
	phase    string
	last     []crowd.Progress // by process: the latest counts
	now      histograms       // since the last sample
	steps    histograms       // while steps are done, and until all are settled
	driving  bool
	series   []report.Sample
	marks    []report.Mark
	selfCPU  time.Duration // at the last sample
	machine  [2]time.Duration
	sampled  int64
	counted  [2]int64 // deliveries and posts at the last sample
	server   reading
	asked    int64 // when that was
	peakSelf int64 // bytes, the load generator's
	bare     int64 // bytes of its processes without clients
}

// histograms are the measured distributions.
type histograms struct{ live, replayed, acks, late, lag meter.Histogram }

func (h *histograms) merge(p *crowd.Progress) {
	h.live.Merge(&p.Live)
	h.replayed.Merge(&p.Replayed)
	h.acks.Merge(&p.Acks)
	h.late.Merge(&p.Late)
	h.lag.Merge(&p.Lag)
}

func newRecorder(processes, conns int, screen Screen, scrape *scraper) *recorder {
	r := &recorder{began: meter.Now(), conns: conns, screen: screen, scrape: scrape, last: make([]crowd.Progress, processes)}
	r.sampled = r.began
	r.machine[0], r.machine[1] = meter.Busy()
	return r
}

// progress takes a process's.
func (r *recorder) progress(ship int, p *crowd.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.merge(p)
	if r.driving {
		r.steps.merge(p)
	}
	p.Live, p.Replayed, p.Acks, p.Late, p.Lag = meter.Histogram{}, meter.Histogram{}, meter.Histogram{}, meter.Histogram{}, meter.Histogram{}
	r.last[ship] = *p
}

func (r *recorder) begin(phase string) {
	r.mu.Lock()
	r.phase = phase
	r.mu.Unlock()
	r.mark(phase)
	r.screen.Phase(phase)
}

// mark notes that something happened.
func (r *recorder) mark(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, report.Mark{AtS: r.seconds(meter.Now()), What: what})
}

func (r *recorder) seconds(at int64) float64 { return float64(at-r.began) / 1e9 }

// drive begins or ends the time over which latencies are taken.
func (r *recorder) drive(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.driving = on
}

// cpu is what all processes of the load generator have used and hold; bare is what
// they would hold without clients.
func (r *recorder) cpu() (d time.Duration, rss, bare int64) {
	self := meter.ReadSelf()
	d, rss, bare = self.CPU, self.RSS, self.RSS
	for i := range r.last {
		d += r.last[i].Self.CPU
		rss += r.last[i].Self.RSS
		bare += r.last[i].Bare
	}
	return d, rss, bare
}

// scrapeEvery is after how many samples the server is asked for its metrics. Seven
// workers' histograms each second were a twentieth of what the server did at 100
// posts/s: it would be the measuring that was measured.
const scrapeEvery = 5

// run samples until ctx ends.
func (r *recorder) run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for i := 0; ; i++ {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		var server reading
		if i%scrapeEvery == 0 {
			server = r.scrape.read(ctx)
		}
		r.sample(server)
	}
}

func (r *recorder) sample(server reading) {
	r.mu.Lock()
	now := meter.Now()
	over := float64(now-r.sampled) / 1e9
	sum := r.sum()
	cpu, rss, bare := r.cpu()
	if rss > r.peakSelf {
		r.peakSelf, r.bare = rss, bare
	}
	used, all := meter.Busy()
	s := report.Sample{
		AtS: r.seconds(now), Attached: sum.Attached,
		Deliveries: float64(sum.Deliveries-r.counted[0]) / over, Posts: float64(sum.Accepted-r.counted[1]) / over,
		P50: ms(r.now.live.Quantile(0.5)), P99: ms(r.now.live.Quantile(0.99)), Max: ms(r.now.live.Max),
		SelfCPUs: max((cpu-r.selfCPU).Seconds()/over, 0), LagP99: ms(r.now.lag.Quantile(0.99)),
	}
	if d := all - r.machine[1]; d > 0 {
		s.MachineCPUs = (used - r.machine[0]).Seconds() / over
	}
	if n := len(r.series); n > 0 { // until it says something else
		s.ServerBytes, s.ServerCPUs = r.series[n-1].ServerBytes, r.series[n-1].ServerCPUs
	}
	if server.ok {
		s.ServerBytes, s.ServerCPUs = server.rss, 0
		if long := float64(now-r.asked) / 1e9; r.server.ok && server.cpu >= r.server.cpu && long > 0 {
			s.ServerCPUs = (server.cpu - r.server.cpu) / long
		}
		r.server, r.asked = server, now
	}
	if len(r.series) == 0 {
		s.SelfCPUs, s.ServerCPUs = 0, 0 // of what went before
	}
	r.selfCPU, r.machine, r.sampled = cpu, [2]time.Duration{used, all}, now
	r.counted = [2]int64{sum.Deliveries, sum.Accepted}
	r.series = append(r.series, s)
	st := &Standing{Phase: r.phase, Elapsed: time.Duration(now - r.began), Conns: r.conns, Sum: sum, Sample: s, Faults: sum.Faults}
	st.Live.Merge(&r.steps.live)
	r.now = histograms{}
	r.mu.Unlock()
	r.screen.Show(st)
}

// sum is all processes' counts together.
func (r *recorder) sum() (s crowd.Progress) {
	s.Faults, s.Codes = map[ledger.Kind]int64{}, map[string]int64{}
	for i := range r.last {
		p := &r.last[i]
		for _, x := range []struct{ to, from *int64 }{
			{&s.Attached, &p.Attached}, {&s.Whole, &p.Whole}, {&s.Connects, &p.Connects}, {&s.Resumed, &p.Resumed},
			{&s.Rebuilt, &p.Rebuilt}, {&s.Closed, &p.Closed}, {&s.GivenUp, &p.GivenUp}, {&s.Timeouts, &p.Timeouts},
			{&s.Deliveries, &p.Deliveries}, {&s.Events, &p.Events}, {&s.Counters, &p.Counters}, {&s.Heartbeats, &p.Heartbeats},
			{&s.Resets, &p.Resets}, {&s.Gaps, &p.Gaps}, {&s.Pages, &p.Pages}, {&s.Retried, &p.Retried},
			{&s.Accepted, &p.Accepted}, {&s.Open, &p.Open}, {&s.Failed, &p.Failed},
		} {
			*x.to += *x.from
		}
		s.LastConnect, s.LastArrival = max(s.LastConnect, p.LastConnect), max(s.LastArrival, p.LastArrival)
		for k, n := range p.Faults {
			s.Faults[k] += n
		}
		for k, n := range p.Codes {
			s.Codes[k] += n
		}
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
