package memory

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

const (
	// every is how often the process is sampled. A node admits a few thousand
	// connections in that time, some 20 MB.
	every = time.Second
	// Needed beyond the first share of the budget is too much; it is good again
	// below the second.
	highShare, lowShare = 0.80, 0.75
	// stale is how many samples without a collection are believed while over the
	// budget: a node that refuses everybody allocates so little that the runtime
	// would not collect for minutes, and not see that there is room again.
	stale = 5
	// calm is how many samples without a collection, and with less than busyBytes of
	// new objects in each, mean that the process is quiet. The runtime keeps room for as much garbage as there are live objects;
	// a quiet process that keeps more than idleShare of what it needs, and more
	// than idleBytes, collects once and gives the rest back to the system. With
	// 100,000 idle connections in 7 processes that was 0.5 GB; it costs 1 ms of
	// processor time per megabyte of live objects, and comes again only after as
	// much has been allocated again.
	// A process with something to do would soon ask for the memory again, a page fault
	// for every 4 KB of it: a twelfth of all CPU at 100 posts/s.
	calm      = 20
	busyBytes = 1 << 20
	idleShare = 0.25
	idleBytes = 16 << 20
)

// Options are what a Watch is made of.
type Options struct {
	Budget  uint64 // bytes; 0: none, the process is never over it
	Metrics *metrics.Set
	Log     *slog.Logger

	Read    func() Sample // default: Read
	Collect func()        // default: runtime.GC, which holds nobody else up
	Return  func()        // collects, and gives back what is free; default: debug.FreeOSMemory
}

// Watch samples the process until Stop. Its methods may be called from any
// goroutine.
type Watch struct {
	// Set at construction.
	o    Options
	stop chan struct{}
	done chan struct{} // closed when the goroutine has ended

	over  atomic.Bool
	start atomic.Pointer[Sample]
	last  atomic.Pointer[Sample]
	begun *metrics.Counter // times that over became true

	returned *metrics.Counter // times that a quiet process gave memory back

	// Owned by the goroutine.
	cycles uint64 // as of the newest collection seen
	quiet  int    // samples since then
	made   uint64 // as of the last sample
	calm   int    // samples since one in which much was made
}

// NewWatch begins to watch.
func NewWatch(o Options) *Watch {
	if o.Read == nil {
		o.Read = Read
	}
	if o.Collect == nil {
		o.Collect = runtime.GC
	}
	if o.Return == nil {
		o.Return = debug.FreeOSMemory
	}
	w := &Watch{o: o, stop: make(chan struct{}), done: make(chan struct{})}
	w.begun = o.Metrics.NewCounter("feedgate_memory_over_budget_total")
	w.returned = o.Metrics.NewCounter("feedgate_memory_returned_total")
	gauge := func(name string, of func(Sample) uint64) {
		o.Metrics.NewGauge(name, func() float64 { return float64(of(*w.last.Load())) })
	}
	gauge("feedgate_memory_needed_bytes", Sample.Needed)
	gauge("feedgate_memory_held_bytes", func(s Sample) uint64 { return s.Held })
	gauge("feedgate_memory_budget_bytes", func(Sample) uint64 { return o.Budget })
	gauge("feedgate_memory_over_budget", func(Sample) uint64 {
		if w.Over() {
			return 1
		}
		return 0
	})
	w.look()
	w.start.Store(w.last.Load())
	go w.run() // until Stop, which waits for it
	return w
}

// Over says that the process is over its budget.
func (w *Watch) Over() bool { return w.over.Load() }

// Baseline says that all the process needs without connections is there by now.
// It collects once.
func (w *Watch) Baseline() {
	w.o.Collect()
	s := w.o.Read()
	w.start.Store(&s)
}

// Grown is by how many bytes live objects and stacks have grown since Baseline,
// as of the last sample. Live objects are those that the last collection found.
func (w *Watch) Grown() int64 {
	s, start := w.last.Load(), w.start.Load()
	return int64(s.Live+s.Stacks) - int64(start.Live+start.Stacks)
}

// Stop ends the watching. What was found last stands.
func (w *Watch) Stop() {
	close(w.stop)
	<-w.done
}

func (w *Watch) run() {
	defer close(w.done)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			w.look()
		case <-w.stop:
			return
		}
	}
}

// look takes a sample and judges it.
func (w *Watch) look() {
	s := w.o.Read()
	if w.quiet++; s.Cycles != w.cycles {
		w.cycles, w.quiet = s.Cycles, 0
	}
	if w.calm++; s.Made-w.made > busyBytes {
		w.calm = 0
	}
	w.made = s.Made
	switch {
	case w.over.Load() && w.quiet >= stale:
		w.o.Collect()
	case min(w.quiet, w.calm) >= calm && s.slack():
		w.o.Return()
		w.returned.Inc()
	default:
		w.judge(s)
		return
	}
	s = w.o.Read()
	w.cycles, w.quiet = s.Cycles, 0
	w.judge(s)
}

// slack reports whether much more is held than needed.
func (s Sample) slack() bool {
	spare := s.Held - min(s.Held, s.Needed())
	return spare > idleBytes && float64(spare) > idleShare*float64(s.Needed())
}

// judge decides by a sample whether the process is over its budget.
func (w *Watch) judge(s Sample) {
	w.last.Store(&s)
	was := w.over.Load()
	now := exceeds(s, w.o.Budget, was)
	if now == was {
		return
	}
	w.over.Store(now)
	log := []any{"needed", s.Needed(), "held", s.Held, "budget", w.o.Budget}
	if now {
		w.begun.Inc()
		w.o.Log.Warn("over the memory budget: new connections are refused, idle views evicted", log...)
	} else {
		w.o.Log.Info("within the memory budget again", log...)
	}
}

// exceeds judges a sample. A process that was over its budget has to come down a
// little more than to where it began.
func exceeds(s Sample, budget uint64, was bool) bool {
	if budget == 0 {
		return false
	}
	share := highShare
	if was {
		share = lowShare
	}
	return float64(s.Needed()) > share*float64(budget) || s.Held > budget
}
