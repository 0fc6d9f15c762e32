package shard

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Views is what a Loader reads. storage.Store says what its methods promise.
type Views interface {
	Load(ctx context.Context, users []feedengine.LoadUser, keep int) (*feedengine.Snapshot, error)
	ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error)
}

// Loaded is one shard's part of a batch. Everything but Users and Err is shared
// with the other shards, and immutable.
//
// With Before, and the ring's events from From on whose Seq is above their
// log's head in Heads, the users are as of the ring's position up to which those
// were added.
type Loaded struct {
	From   uint64              // position in the ring when the batch was asked for
	Heads  []feedengine.Head   // of the snapshot, by ShardID: just what is up to them is in Users
	Before []*feedengine.Event // events above Heads from before From; log by log, in order
	Users  []feedengine.LoadedUser
	Err    error // a *feedengine.Error: nothing was loaded, of Users only the names are set
}

// LoaderOptions are what a Loader is made of. All are wanted, unless their
// comment gives a default.
type LoaderOptions struct {
	Views Views
	Ring  *Ring

	MaxBatch int           // users of one query; default 1000
	InFlight int           // queries at a time; default 2
	Keep     int           // unread ids wanted of each counter; default 512
	Queue    int           // users that may wait; default 1<<17
	Timeout  time.Duration // of one call of the store; default 10 s

	// Gather is the least time from the beginning of a query to that of the next,
	// unless there is a full batch; default 20 ms. Users come one by one even in a
	// storm of reconnects, and a query costs 100 µs before the first of them.
	Gather time.Duration

	// Deliver takes a shard's part of a batch. It is called from as many
	// goroutines as there are queries, and may wait.
	Deliver func(shard feedengine.ShardID, l *Loaded)

	Metrics *metrics.Set
	Logger  *slog.Logger
}

// Loader reads what views are built from, for all shards of a node, hundreds of
// users per statement: a storm of reconnects costs hundreds of queries and not
// hundreds of thousands.
//
// Who asks first does not wait. While a query is under way, and until Gather after
// it began, the others gather; they go when both are over, or as soon as they fill
// a batch and a second query may run.
type Loader struct {
	// Set at construction.
	LoaderOptions
	metrics loaderMetrics
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu       sync.Mutex
	changed  sync.Cond // queue, busy or stopped
	queue    []waiter
	busy     int       // queries under way
	limit    int       // users of the next query: MaxBatch, or less while that takes too long
	began    time.Time // when the last query did
	timed    bool      // changed is signalled when Gather is over
	failures int       // in a row
	pauses   backoff
	stopped  bool
}

// waiter is one user that a shard has asked for.
type waiter struct {
	shard feedengine.ShardID
	user  feedengine.LoadUser
}

type loaderMetrics struct {
	users    *metrics.Histogram // of a batch
	seconds  *metrics.Histogram // a batch, with what it read from the logs
	loads    *metrics.Counter
	failures *metrics.Counter
	refused  *metrics.Counter // asked when the queue was full
	events   *metrics.Counter // read from logs for snapshots that trailed
}

// NewLoader starts a loader.
func NewLoader(o LoaderOptions) *Loader {
	o.MaxBatch = cmp.Or(o.MaxBatch, 1000)
	o.InFlight = cmp.Or(o.InFlight, 2)
	o.Keep = cmp.Or(o.Keep, 512)
	o.Queue = cmp.Or(o.Queue, 1<<17)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Gather = cmp.Or(o.Gather, 20*time.Millisecond)
	l := &Loader{
		LoaderOptions: o,
		limit:         o.MaxBatch,
		pauses:        backoff{min: 20 * time.Millisecond, max: time.Second},
		metrics: loaderMetrics{
			users:    o.Metrics.NewHistogram("feedgate_load_batch_users"),
			seconds:  o.Metrics.NewHistogram("feedgate_load_seconds"),
			loads:    o.Metrics.NewCounter("feedgate_loads_total"),
			failures: o.Metrics.NewCounter("feedgate_load_failures_total"),
			refused:  o.Metrics.NewCounter("feedgate_load_refused_total"),
			events:   o.Metrics.NewCounter("feedgate_load_log_events_total"),
		},
	}
	l.changed.L = &l.mu
	o.Metrics.NewGauge("feedgate_load_queue", func() float64 { return float64(l.Waiting()) })
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range o.InFlight {
		l.work.Go(l.run) // Stop waits
	}
	return l
}

// Ask has a user's facts delivered to the shard, and never waits. It says false
// when the queue is full or the loader stopped. Asked several times before the
// query begins, a user is delivered once, with the longest page asked for.
func (l *Loader) Ask(shard feedengine.ShardID, user feedengine.LoadUser) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || len(l.queue) >= l.Queue {
		l.metrics.refused.Inc()
		return false
	}
	l.queue = append(l.queue, waiter{shard, user})
	if len(l.queue) >= l.limit || l.busy == 0 && !l.timed { // else there is another signal to come
		l.changed.Signal()
	}
	return true
}

// Waiting is how many users wait for a query.
func (l *Loader) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Stop ends the queries under way, delivers a refusal to all that were asked
// for, and returns when that is done. Whoever Deliver waits for must still be there.
func (l *Loader) Stop() {
	l.mu.Lock()
	l.stopped = true
	l.changed.Broadcast()
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
}

// run is one of the goroutines that query.
func (l *Loader) run() {
	for {
		batch := l.take()
		if batch == nil {
			return
		}
		took, err := l.load(batch)
		l.returned(took, err)
	}
}

// take waits until a batch may go, and cuts it off the queue; nil when the
// loader has stopped and nobody waits.
func (l *Loader) take() []waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if n := len(l.queue); n >= l.limit || n > 0 && (l.stopped || l.busy == 0 && l.gathered()) {
			break
		}
		if l.stopped {
			return nil
		}
		l.changed.Wait()
	}
	n := min(len(l.queue), l.limit)
	batch := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.busy++
	l.began = time.Now()
	return batch
}

// gathered says whether the last query began long enough ago. If not, it has
// changed signalled when that is so. l.mu is held.
func (l *Loader) gathered() bool {
	left := l.Gather - time.Since(l.began)
	if left <= 0 {
		return true
	}
	if !l.timed {
		l.timed = true
		time.AfterFunc(left, func() {
			l.mu.Lock()
			l.timed = false
			l.mu.Unlock()
			l.changed.Signal()
		})
	}
	return false
}

// Batches shrink when a query takes longer than slowLoad, as one with a
// thousand pages may, and grow again when it does not: else a storm whose batches
// run into their timeout would never end.
const (
	slowLoad = time.Second
	minBatch = 16
)

// returned lets the next query go, after a pause if this one has failed. A
// single failure may be chance; when storage is down, those who wait are
// refused now, not batch by batch.
func (l *Loader) returned(took time.Duration, err error) {
	var refused []waiter
	l.mu.Lock()
	if err != nil || took > slowLoad {
		l.limit = max(l.limit/2, min(minBatch, l.MaxBatch))
	} else {
		l.limit = min(l.limit*2, l.MaxBatch)
	}
	if err == nil {
		l.failures = 0
		l.pauses.reset()
	} else if l.failures++; l.failures > 1 {
		refused, l.queue = l.queue, nil
	}
	pauses := l.pauses
	l.mu.Unlock()

	if err != nil {
		l.refuse(refused, unavailable)
		pauses.wait(l.ctx)
	}

	l.mu.Lock()
	if err != nil {
		l.pauses = pauses
	}
	l.busy--
	l.changed.Signal()
	l.mu.Unlock()
}
