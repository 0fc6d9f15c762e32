package trial

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/loadgen/crowd"
	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/report"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// trial is a run under way.
type trial struct {
	o     *Options
	rec   *recorder
	fleet *fleet.Fleet
	began time.Time

	ramp     time.Duration
	start    int64   // when the steps began, CLOCK_MONOTONIC; 0: never
	end      int64   // when they ended
	atStart  reading // the server's metrics
	atEnd    reading
	cpuStart time.Duration // the load generator's
	cpuEnd   time.Duration
	beside   map[string]int64
	posts    []ledger.Post
	unknown  int
	verdict  *crowd.Verdict
	stopped  atomic.Bool // asked to end early
}

// Run does a run. The error is for what kept it from being one; what it found is in
// the report, which there is also when ctx has ended the run early.
func Run(ctx context.Context, o *Options) (*report.Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	n := fleet.Processes(o.Conns, o.PerProcess)
	scrape := newScraper(o.Metrics)
	t := &trial{o: o, began: time.Now(), rec: newRecorder(n, o.Conns, o.Screen, scrape)}
	var err error
	if t.fleet, err = fleet.Start(n, o.Spawn, t.rec.progress); err != nil {
		return nil, err
	}
	sampling, stopSampling := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { t.rec.run(sampling) })
	// A run that is to end early is not broken off: what is being done is.
	stopWatch := context.AfterFunc(ctx, func() {
		t.stopped.Store(true)
		t.rec.mark("interrupted")
		t.fleet.Cancel()
	})
	err = t.work(scrape)
	stopWatch()
	if err == nil {
		t.rec.sample(scrape.read(sampling)) // what is shown last is how it ended
	}
	stopSampling()
	wg.Wait()
	err = errors.Join(err, t.fleet.Close())
	if err != nil {
		return nil, err
	}
	return t.report(), nil
}

// work does all that a run is made of.
func (t *trial) work(scrape *scraper) error {
	s := t.o.Scenario
	t.rec.begin("connect")
	err := t.fleet.Setup(crowd.Setup{
		Run: rand.Uint32(), Seed: t.o.Graph.Seed, Graph: t.o.Graph, Scenario: *s, Conns: t.o.Conns, Targets: t.o.Targets, Secret: t.o.Secret,
	})
	if err != nil {
		return err
	}
	began := meter.Now()
	if err := t.fleet.Connect(s.Ramp); err != nil {
		return err
	}
	t.ramp = time.Duration(meter.Now() - began)
	if s.ReadAll && !t.stopped.Load() {
		t.rec.begin("read all")
		if err := t.fleet.ReadAll(); err != nil {
			return err
		}
	}
	t.pause(s.Settle.D())
	if !t.stopped.Load() {
		if err := t.drive(scrape); err != nil {
			return err
		}
	}
	return t.judge(scrape)
}

// pause lets time pass, in steps that an interruption can end.
func (t *trial) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t.rec.begin("settle")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := meter.Now() + int64(d); meter.Now() < end && !t.stopped.Load(); {
		<-tick.C
	}
}

// ahead is how long before its time the start is told to all processes.
const ahead = 300 * time.Millisecond

func (t *trial) drive(scrape *scraper) error {
	s := t.o.Scenario
	t.atStart = scrape.read(context.Background())
	if t.o.Beside != nil {
		t.beside = t.o.Beside()
	}
	t.rec.mu.Lock()
	t.cpuStart, _, _ = t.rec.cpu()
	t.rec.mu.Unlock()
	t.rec.begin("steps")
	t.rec.drive(true)
	t.start = meter.Now() + int64(ahead)
	plan := schedule.New(s, t.o.Graph.Seed, t.o.Conns)
	for c := plan.Cursor(); ; {
		task, ok := c.Next()
		if !ok {
			break
		}
		if task.Step.Rate == 0 { // what happens at given times is worth a line
			t.rec.mu.Lock()
			t.rec.marks = append(t.rec.marks, report.Mark{AtS: t.rec.seconds(t.start + int64(task.At)), What: string(task.Step.Do)})
			t.rec.mu.Unlock()
		}
	}
	stage := &Stage{t: t, scrape: scrape, over: make(chan struct{})}
	var wg sync.WaitGroup
	if t.o.Disturb != nil {
		wg.Go(func() { t.o.Disturb(stage) })
	}
	err := t.fleet.Drive(t.start)
	close(stage.over)
	wg.Wait()
	t.end = meter.Now()
	t.rec.mu.Lock()
	t.cpuEnd, _, _ = t.rec.cpu()
	t.rec.mu.Unlock()
	t.atEnd = scrape.read(context.Background())
	return err
}

// leastSettle is for how long the outcome of posts is waited for at least: what is
// not known about a post can make nobody whole.
const leastSettle = 30 * time.Second

// judge finds out what was published and whether all of it came.
func (t *trial) judge(scrape *scraper) error {
	s := *t.o.Scenario
	settle := max(s.Patience.D(), leastSettle)
	if t.stopped.Load() {
		s.Patience = min(s.Patience, scenario.Duration(5*time.Second))
		settle = s.Patience.D()
	}
	t.rec.begin("verify")
	err := t.fleet.Settle(settle)
	if err != nil {
		return err
	}
	if t.posts, t.unknown, err = t.fleet.Posts(); err != nil {
		return err
	}
	if t.verdict, err = t.fleet.Verify(t.posts, &s); err != nil {
		return err
	}
	t.rec.drive(false)
	if t.start != 0 {
		if r := scrape.read(context.Background()); r.ok {
			t.atEnd.sums = r.sums
		}
	}
	return nil
}

// Stage is what somebody who disturbs a run has to do with it.
type Stage struct {
	t      *trial
	scrape *scraper
	over   chan struct{}
}

// Over is closed when the steps are over.
func (s *Stage) Over() <-chan struct{} { return s.over }

// Mark notes that something was done.
func (s *Stage) Mark(what string) { s.t.rec.mark(what); s.t.rec.screen.Phase(what) }

// Nodes says where clients connect to from now on, and whose metrics count.
func (s *Stage) Nodes(targets, metrics []string) {
	s.t.fleet.Targets(targets)
	s.scrape.mu.Lock()
	s.scrape.urls = metrics
	s.scrape.mu.Unlock()
}
