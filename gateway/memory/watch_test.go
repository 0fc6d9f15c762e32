package memory

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

const mb = 1 << 20

func TestExceeds(t *testing.T) {
	for name, tc := range map[string]struct {
		s      Sample
		budget uint64
		was    bool
		want   bool
	}{
		"no budget":                 {Sample{Live: 1 << 40, Held: 1 << 41}, 0, true, false},
		"much room":                 {Sample{Live: 10 * mb, Held: 20 * mb}, 100 * mb, false, false},
		"at the share":              {Sample{Live: 80 * mb, Held: 90 * mb}, 100 * mb, false, false},
		"live objects":              {Sample{Live: 81 * mb, Held: 90 * mb}, 100 * mb, false, true},
		"stacks count":              {Sample{Live: 70 * mb, Stacks: 11 * mb, Held: 90 * mb}, 100 * mb, false, true},
		"the runtime counts":        {Sample{Live: 70 * mb, Runtime: 11 * mb, Held: 90 * mb}, 100 * mb, false, true},
		"garbage does not":          {Sample{Live: 10 * mb, Held: 100 * mb}, 100 * mb, false, false},
		"unless it cannot be freed": {Sample{Live: 10 * mb, Held: 101 * mb}, 100 * mb, false, true},
		"a little less":             {Sample{Live: 76 * mb, Held: 90 * mb}, 100 * mb, true, true},
		"less":                      {Sample{Live: 75 * mb, Held: 90 * mb}, 100 * mb, true, false},
	} {
		if got := exceeds(tc.s, tc.budget, tc.was); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// process is a fake one.
type process struct {
	mu        sync.Mutex
	now       Sample
	collected int
	room      uint64 // what a collection leaves live
	returns   int
}

// giveBack is a collection after which nothing is held but what is needed.
func (p *process) giveBack() {
	p.collect()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returns++
	p.now.Held = p.now.Needed()
}

func (p *process) read() Sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *process) collect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.collected++
	p.now.Cycles++
	p.now.Live = p.room
}

func (p *process) collections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.collected
}

// runs is that a collection which the runtime made left so much.
func (p *process) runs(live uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Cycles++
	p.now.Live, p.room = live, live
}

// makes is that objects of so many bytes were made.
func (p *process) makes(bytes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Made += bytes
}

func watch(budget uint64, p *process) (*Watch, *metrics.Set) {
	set := metrics.NewSet()
	return NewWatch(Options{
		Budget: budget, Metrics: set, Log: slog.New(slog.DiscardHandler), Read: p.read, Collect: p.collect, Return: p.giveBack,
	}), set
}

func has(t *testing.T, set *metrics.Set, lines ...string) {
	t.Helper()
	var b strings.Builder
	set.WritePrometheus(&b)
	for _, line := range lines {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no %q in\n%s", line, &b)
		}
	}
}

func TestWatchGoesOverAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{now: Sample{Live: 10 * mb, Held: 20 * mb}, room: 10 * mb}
		w, set := watch(100*mb, p)
		defer w.Stop()
		w.Baseline()
		time.Sleep(10 * every)
		if w.Over() || p.collections() != 1 {
			t.Fatalf("over: %v; collected %d times", w.Over(), p.collections())
		}
		p.runs(90 * mb)
		time.Sleep(2 * every)
		if !w.Over() || w.Grown() != 80*mb {
			t.Fatalf("over: %v, grown %d", w.Over(), w.Grown())
		}
		has(t, set, "feedgate_memory_over_budget 1", "feedgate_memory_over_budget_total 1",
			"feedgate_memory_needed_bytes 94371840", "feedgate_memory_budget_bytes 104857600", "feedgate_memory_held_bytes 20971520")
		p.runs(77 * mb)
		time.Sleep(2 * every)
		if !w.Over() {
			t.Error("back too early")
		}
		p.runs(50 * mb)
		time.Sleep(2 * every)
		if w.Over() {
			t.Error("still over")
		}
		has(t, set, "feedgate_memory_over_budget 0", "feedgate_memory_over_budget_total 1")
	})
}

// TestWatchCollects: a node that refuses everybody would not see that there is
// room again, for it allocates nothing.
func TestWatchCollects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{now: Sample{Live: 90 * mb, Held: 95 * mb}, room: 90 * mb}
		w, _ := watch(100*mb, p)
		defer w.Stop()
		time.Sleep(60 * every)
		if n := p.collections(); !w.Over() || n < 5 || n > 60/stale {
			t.Errorf("over: %v; collected %d times in a minute", w.Over(), n)
		}
		p.mu.Lock()
		p.room, p.now.Held = 20*mb, 24*mb // the connections have gone
		p.mu.Unlock()
		time.Sleep((stale + 1) * every)
		if w.Over() {
			t.Error("still over")
		}
		was := p.collections()
		time.Sleep(time.Minute)
		if p.collections() != was {
			t.Error("collected while within the budget")
		}
	})
}

var kept []byte

// TestRead: what is allocated and kept shows in this very process.
func TestRead(t *testing.T) {
	runtime.GC()
	before := Read()
	kept = make([]byte, 64*mb)
	runtime.GC()
	after := Read()
	runtime.KeepAlive(kept)
	kept = nil
	if grown := int64(after.Live) - int64(before.Live); grown < 63*mb || grown > 70*mb {
		t.Errorf("64 MB of live objects are %d", grown)
	}
	if after.Cycles <= before.Cycles {
		t.Error("no collection was counted")
	}
	if after.Held < after.Needed() || after.Stacks == 0 || after.Runtime == 0 || after.Runtime > 64*mb {
		t.Errorf("%+v", after)
	}
	if n := testing.AllocsPerRun(100, func() { Read() }); n > 1 {
		t.Errorf("%v allocations per sample", n)
	}
}

// TestWatchOfItself: by default a Watch judges the process that it is in.
func TestWatchOfItself(t *testing.T) {
	w := NewWatch(Options{Budget: 1, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if !w.Over() {
		t.Error("a process within one byte")
	}
	w.Stop()
	w = NewWatch(Options{Budget: 1 << 40, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if w.Over() {
		t.Error("a process beyond a terabyte")
	}
	w.Stop()
}

func TestAQuietProcessGivesBackWhatItDoesNotNeed(t *testing.T) {
	for name, tc := range map[string]struct {
		held    uint64
		busy    bool
		makes   uint64 // bytes a second
		returns int
	}{
		"much, and quiet":        {held: 160 * mb, returns: 1},
		"much, but busy":         {held: 160 * mb, busy: true},
		"much, and little made":  {held: 160 * mb, makes: busyBytes / 2, returns: 1},
		"much, but much is made": {held: 160 * mb, makes: 2 * busyBytes},
		"less than the share":    {held: 124 * mb},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{now: Sample{Live: 100 * mb, Held: tc.held}, room: 100 * mb}
				w, set := watch(0, p)
				defer w.Stop()
				for i := range 5 * calm {
					time.Sleep(every)
					p.makes(tc.makes)
					if tc.busy && i%(calm/2) == 0 {
						p.runs(100 * mb)
					}
				}
				synctest.Wait()
				if p.returns != tc.returns {
					t.Errorf("gave back %d times, want %d", p.returns, tc.returns)
				}
				has(t, set, fmt.Sprint("feedgate_memory_returned_total ", tc.returns))
			})
		})
	}
	if (Sample{Live: 1 * mb, Held: 10 * mb}).slack() {
		t.Error("a few megabytes are worth a collection")
	}
}
