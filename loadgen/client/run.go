package client

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// Host is who drives clients. It is called with the client locked, and must not call
// back.
type Host interface {
	// Published: publish was answered. err is nil, or says why not.
	Published(number int, id int64, err *wire.Error)
	// Attached: the client has a session, and can publish.
	Attached(user uint32)
	// Lost: the socket is gone. The client wants to come back after so long; below
	// zero: never.
	Lost(c *Client, after time.Duration)
}

// Run is what all clients of one process share.
type Run struct {
	// Set at construction.
	ID    uint32 // in every post's text
	Graph graph.Graph
	Plan  *schedule.Plan
	Host  Host
	Feed  int // newest posts asked for with connect
	Began time.Time

	Stats Stats
	start atomic.Int64 // when the plan begins, CLOCK_MONOTONIC; 0: not yet
	over  atomic.Bool  // nobody comes back
	seen  seen

	mu       sync.Mutex
	faults   ledger.Faults    // guarded by mu
	live     meter.Histogram  // guarded by mu: of who was there when it was due
	replayed meter.Histogram  // guarded by mu: of who was not
	codes    map[string]int64 // guarded by mu: closes and refusals, by their reason
}

// Stats are counters of all clients of a process.
type Stats struct {
	Attached    atomic.Int64 // now
	Whole       atomic.Int64 // attached for the first time
	Connects    atomic.Int64 // answered
	Resumed     atomic.Int64 // of them, with the stream that was left
	Rebuilt     atomic.Int64 // of them, with another stream
	Closed      atomic.Int64
	GivenUp     atomic.Int64 // clients that do not come back
	Deliveries  atomic.Int64 // posts taken, by event or page
	Events      atomic.Int64 // numbered frames
	Resets      atomic.Int64
	Gaps        atomic.Int64
	Pages       atomic.Int64
	Heartbeats  atomic.Int64
	Counters    atomic.Int64 // frames with counters only
	Timeouts    atomic.Int64
	Retried     atomic.Int64 // requests refused for now
	LastArrival atomic.Int64 // when the last event came, CLOCK_MONOTONIC
	LastConnect atomic.Int64 // when the last connect was answered, likewise
}

// Start sets when the plan begins, CLOCK_MONOTONIC in nanoseconds.
func (r *Run) Start(at int64) { r.start.Store(at) }

// Due is when a moment of the plan is, CLOCK_MONOTONIC in nanoseconds.
func (r *Run) Due(d time.Duration) int64 { return r.start.Load() + int64(d) }

// End has no client come back.
func (r *Run) End() { r.over.Store(true) }

// Fault notes a fault of the server.
func (r *Run) Fault(k ledger.Kind, user uint32, what string) {
	r.mu.Lock()
	r.faults.Add(ledger.Fault{Kind: k, User: r.Graph.Name(user), What: what})
	r.mu.Unlock()
}

// Faults is all so far.
func (r *Run) Faults() ledger.Faults {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults.Clone()
}

// Latencies is what was measured since the last time: of clients that were there when
// a post was due, and of those that came back to it.
func (r *Run) Latencies() (live, replayed meter.Histogram) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live.Take(), r.replayed.Take()
}

// Codes is how often sockets were closed and requests refused, by reason.
func (r *Run) Codes() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := make(map[string]int64, len(r.codes))
	for k, n := range r.codes {
		c[k] = n
	}
	return c
}

func (r *Run) code(name string) {
	r.mu.Lock()
	if r.codes == nil {
		r.codes = map[string]int64{}
	}
	r.codes[name]++
	r.mu.Unlock()
}

func (r *Run) latency(d time.Duration, live bool) {
	r.mu.Lock()
	if live {
		r.live.Add(d)
	} else {
		r.replayed.Add(d)
	}
	r.mu.Unlock()
}
