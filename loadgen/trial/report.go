package trial

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/report"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// When the load generator was the bottleneck itself.
const (
	lateSend    = 50 * time.Millisecond  // a post sent so late was sent late
	lateShare   = 0.01                   // of all posts may be …
	lateFew     = 2                      // … or so many, where there are few posts
	lateMost    = 500 * time.Millisecond // no post may be sent so late
	lagP99      = 50 * time.Millisecond  // a goroutine may wake so late
	missedShare = 0.01                   // of the posts of the plan may have failed
)

// report puts together what was found.
func (t *trial) report() *report.Report {
	r := t.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.sum()
	s := t.o.Scenario
	out := &report.Report{
		Format: report.Format, Scenario: s.Name, About: s.About, Began: t.began.UTC().Truncate(time.Millisecond),
		TookS: time.Since(t.began).Seconds(), Interrupted: t.stopped.Load(),
		Machine: machine(),
		Settings: report.Settings{
			Command: t.o.Command, Targets: t.o.Targets, Conns: t.o.Conns, Processes: len(r.last), Users: t.o.Graph.Users,
			Following: t.o.Graph.Following, Seed: t.o.Graph.Seed, Ramp: s.Ramp, DurationS: s.Duration.D().Seconds(),
		},
		Ledger: t.ledger(),
		Ramp:   report.Ramp{Seconds: t.ramp.Seconds(), PerSecond: float64(t.o.Conns) / max(t.ramp.Seconds(), 1e-9)},
		Latency: report.Latency{
			Live: report.DistributionOf(&r.steps.live), Replayed: report.DistributionOf(&r.steps.replayed), Acks: report.DistributionOf(&r.steps.acks),
		},
		Clients: report.Clients{
			Connects: sum.Connects, Resumed: sum.Resumed, Rebuilt: sum.Rebuilt, Closed: sum.Closed, GivenUp: sum.GivenUp, Timeouts: sum.Timeouts,
			Events: sum.Events, Counters: sum.Counters, Heartbeats: sum.Heartbeats, Resets: sum.Resets, Gaps: sum.Gaps, Pages: sum.Pages,
			Retried: sum.Retried, Codes: sum.Codes, BackS: t.back(sum.LastConnect),
		},
		Marks: r.marks, Series: r.series, Curve: report.CurveOf(&r.steps.live),
	}
	took := max(float64(t.end-t.start)/1e9, 1e-9)
	out.Self = report.Self{
		CPUs: (t.cpuEnd - t.cpuStart).Seconds() / took, PeakBytes: r.peakSelf, BytesPerClient: (r.peakSelf - r.bare) / int64(t.o.Conns),
		Lag: report.DistributionOf(&r.steps.lag), Late: report.DistributionOf(&r.steps.late),
	}
	if n := r.steps.late.N; n > 0 {
		out.Self.LateShare = float64(r.steps.late.Above(lateSend)) / float64(n)
	}
	if t.atStart.ok {
		out.Server = &report.Server{IdleBytes: t.atStart.rss, Counters: grown(t.atStart, t.atEnd), Beside: t.beside}
		if t.atEnd.ok && t.atEnd.cpu >= t.atStart.cpu {
			out.Server.CPUs = (t.atEnd.cpu - t.atStart.cpu) / took
		}
		for _, x := range r.series {
			out.Server.PeakBytes = max(out.Server.PeakBytes, x.ServerBytes)
		}
	}
	out.Verdict = t.judged(out)
	return out
}

func (t *trial) ledger() report.Ledger {
	v := t.verdict
	l := report.Ledger{
		Posts: int64(len(t.posts)), Unknown: int64(t.unknown), Expected: v.Expected, Taken: v.Taken, Users: int64(v.Users),
		WholeAfterS: -1, Faults: v.Faults.Counts, Samples: v.Faults.Samples,
	}
	if l.Faults == nil {
		l.Faults = map[ledger.Kind]int64{}
	}
	if l.Samples == nil {
		l.Samples = []ledger.Fault{}
	}
	if v.Whole != 0 {
		l.WholeAfterS = max(float64(v.Whole-t.end)/1e9, 0)
	}
	return l
}

// back is how long it took from the last time that everybody's line was lost until
// everybody was attached again, in seconds.
func (t *trial) back(lastConnect int64) float64 {
	lost := int64(0)
	for i := range t.o.Scenario.Steps {
		st := &t.o.Scenario.Steps[i]
		if st.Do != scenario.Drop || st.Share < 1 {
			continue
		}
		for _, at := range st.At {
			if at < t.o.Scenario.Duration {
				lost = max(lost, t.start+int64(at))
			}
		}
	}
	if lost == 0 || t.start == 0 || lastConnect < lost {
		return 0
	}
	return float64(lastConnect-lost) / 1e9
}

// judged says whether a run is whole and valid, and what speaks against it.
func (t *trial) judged(r *report.Report) (v report.Verdict) {
	v.Why = []string{}
	not := func(flag *bool, format string, args ...any) {
		*flag = false
		v.Why = append(v.Why, fmt.Sprintf(format, args...))
	}
	v.Whole, v.Valid = true, true
	for _, k := range ledger.Kinds {
		if n := r.Ledger.Faults[k]; n > 0 {
			not(&v.Whole, "%d times %s", n, k)
		}
	}
	if r.Ledger.Expected != r.Ledger.Taken && v.Whole {
		not(&v.Whole, "%d deliveries, there had to be %d", r.Ledger.Taken, r.Ledger.Expected)
	}
	if r.Ledger.Users != int64(t.o.Conns) {
		not(&v.Whole, "%d of %d users were checked", r.Ledger.Users, t.o.Conns)
	}
	if r.Interrupted {
		not(&v.Valid, "it was interrupted")
		return v
	}
	planned := int64(schedule.New(t.o.Scenario, t.o.Graph.Seed, t.o.Conns).Posts())
	if lost := planned - r.Ledger.Posts; float64(lost) > missedShare*float64(planned) {
		not(&v.Valid, "%d of %d posts of the plan were published", r.Ledger.Posts, planned)
	}
	if r.Ledger.Unknown > 0 {
		not(&v.Valid, "of %d posts nobody knows what became of them", r.Ledger.Unknown)
	}
	if late := t.rec.steps.late.Above(lateSend); r.Self.LateShare > lateShare && late > lateFew || t.rec.steps.late.Max > lateMost {
		not(&v.Valid, "%.1f %% of the posts were sent more than %v late, one by %.0f ms: the load generator was the bottleneck",
			100*r.Self.LateShare, lateSend, r.Self.Late.Max)
	}
	if r.Self.Lag.P99 > ms(lagP99) {
		not(&v.Valid, "one time in a hundred the load generator's goroutines woke more than %.0f ms late: it was the bottleneck", r.Self.Lag.P99)
	}
	return v
}

func machine() report.Machine {
	m := report.Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryBytes = int64(info.Totalram) * int64(info.Unit)
	}
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) == nil {
		m.Descriptors = int(min(l.Max, 1<<30))
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + strings.TrimSpace(string(b))
	}
	return m
}
