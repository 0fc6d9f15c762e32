package shard

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Log is what a Writer writes to. storage.Store says what its methods promise.
type Log interface {
	Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error)
	Owners(ctx context.Context) ([]feedengine.Owner, error)
	Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error
	Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error)
	Heads(ctx context.Context) ([]feedengine.Head, error)
}

// LogReader reads the events of one shard's log again.
type LogReader interface {
	ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error)
}

// Pending is one write on its way to the log. One without an event and a mark
// writes nothing, and only confirms that the shard is still this node's.
type Pending struct {
	// Write's event, if it has one, belongs to the writer from Submit on, which
	// gives it Epoch and Seq. Within a shard, IDs ascend in the order of Submit.
	Write feedengine.Write
	// Deadline is when nobody waits for the write any more: after it, it is
	// refused instead of tried. Zero for none.
	Deadline time.Time
	// Done is called exactly once, on the writer's goroutine, which it must not
	// hold up. It may call Submit.
	Done func(Outcome)
}

// Outcome is what became of a Pending. When all its fields are zero, a mark
// has become durable.
type Outcome struct {
	Event *feedengine.Event // the event has become durable, and is from now on immutable
	Prior *feedengine.Key   // the same request was carried out before: Prior.ID names its event; nothing was written
	Err   error             // a *feedengine.Error: nothing was written, save after a Stop that was cut short
}

// WriterOptions are what a Writer is made of. All are wanted, unless their
// comment gives a default.
type WriterOptions struct {
	Node   string // claims in this name
	Log    Log
	Reader LogReader
	// Heads are the logs as Claim returned them, by ShardID. One with Epoch 0
	// is not this node's.
	Heads []feedengine.Head

	MaxRows int           // rows of one commit; default 512
	Queue   int           // writes that may wait; default 8192
	Timeout time.Duration // of one call of the store; default 10 s

	// OnCommit takes note of the events of a commit, in log order, before any
	// of their Done is called. The slice is valid during the call only.
	OnCommit func(events []*feedengine.Event)
	// OnRaised says that this node goes on with a log under a new epoch, to find
	// out what became of a commit. What it has found has been told. Nil: nobody is.
	OnRaised func(shard feedengine.ShardID, head feedengine.Head)
	// OnLost says that the shards are another's now, or that their logs are not
	// what this node took them for. Everything pending for them has been
	// refused, and so is every Submit, until Own.
	OnLost func(shards []feedengine.ShardID, err error)

	Metrics *metrics.Set
	Logger  *slog.Logger
}

// Writer is a node's one writer of all its logs. It commits in groups: while
// one commit is in flight, what is submitted makes up the next. Keys are settled
// before seqs are given out, so that a log has no holes; a commit whose outcome
// is unknown is settled before anybody hears of it.
//
// One goroutine does all this and calls all callbacks. Submit may be called
// from any.
type Writer struct {
	// Set at construction.
	WriterOptions
	metrics *writerMetrics
	ctx     context.Context // ends when Stop is cut short
	cancel  context.CancelFunc
	wake    chan struct{} // 1: a token says that queue or stopping changed
	done    chan struct{} // closed when the goroutine has ended
	doubt   atomic.Int64  // since when storage may have lost what was durable, Unix ns; 0: there is no doubt

	mu       sync.Mutex
	stopping bool
	queue    []*entry
	logs     []tail // by ShardID; only the goroutine changes one that is owned

	// Owned by the goroutine.
	pauses  backoff
	marks   keptMarks
	again   time.Time            // marks from just before then have to be written again; zero: none
	lost    []feedengine.ShardID // to be told to OnLost
	lostErr error
}

// tail is where one log stands as far as this node has written it.
type tail struct {
	owned bool
	life  uint64 // how often the shard was taken up: what was submitted in an earlier life is refused
	epoch uint64
	first uint64 // seq with which the epoch begins
	seq   uint64
	id    feedengine.ID
}

func tailOf(h feedengine.Head) tail {
	return tail{owned: true, epoch: h.Epoch, first: h.First, seq: h.Seq, id: h.ID}
}

// entry is a Pending in the writer's hands.
type entry struct {
	Pending
	life  uint64          // of its shard, when it was submitted
	epoch uint64          // of its shard, when it was sent
	prior *feedengine.Key // who had the key before, once that is known
	twins []*entry        // later writes of the same batch with the same key
}

// NewWriter starts a writer.
func NewWriter(o WriterOptions) *Writer {
	o.MaxRows = cmp.Or(o.MaxRows, 512)
	o.Queue = cmp.Or(o.Queue, 8192)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	w := &Writer{
		WriterOptions: o,
		wake:          make(chan struct{}, 1),
		done:          make(chan struct{}),
		logs:          make([]tail, len(o.Heads)),
		pauses:        backoff{min: 10 * time.Millisecond, max: 500 * time.Millisecond},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for shard, head := range o.Heads {
		if head.Epoch > 0 {
			w.logs[shard] = tailOf(head)
		}
	}
	w.metrics = newWriterMetrics(o.Metrics, w.Waiting)
	go w.run() // Stop waits for done
	return w
}

// Own takes up a shard that was lost, or is new to this node, and has been claimed.
func (w *Writer) Own(shard feedengine.ShardID, head feedengine.Head) {
	w.mu.Lock()
	defer w.mu.Unlock()
	life := w.logs[shard].life + 1
	w.logs[shard] = tailOf(head)
	w.logs[shard].life = life
}

// Disown gives a shard up of its own accord. What still waits for it is refused,
// even if the shard has been taken up again until the writer gets to it.
func (w *Writer) Disown(shard feedengine.ShardID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[shard].owned = false
}

// Forfeit gives a shard up that another has claimed, if it is still held so.
func (w *Writer) Forfeit(held feedengine.Fence) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.logs[held.Shard]
	if !t.owned || t.epoch != held.Epoch {
		return false
	}
	t.owned = false
	return true
}

// Head is where the log of a shard stands as far as this node has written it;
// Epoch 0 when the shard is not its own.
func (w *Writer) Head(shard feedengine.ShardID) feedengine.Head {
	t := w.tail(shard)
	if !t.owned {
		return feedengine.Head{Seq: t.seq, ID: t.id}
	}
	return feedengine.Head{Epoch: t.epoch, First: t.first, Seq: t.seq, ID: t.id}
}

// Submit queues a write and never waits. At an error, a *feedengine.Error, the
// write was not taken and Done is not called: overloaded when the queue is
// full, unavailable when the writer is stopping or the shard is not this node's.
func (w *Writer) Submit(p Pending) error {
	if p.Write.Event != nil && p.Write.Key != nil {
		p.Write.Key.ID = p.Write.Event.ID
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopping:
		w.metrics.stopped.Inc()
		return refusal(feedengine.Unavailable, "the node is stopping")
	case !w.logs[p.Write.Shard].owned:
		w.metrics.lost.Inc()
		return shardLost
	case len(w.queue) >= w.Queue:
		w.metrics.overloaded.Inc()
		return refusal(feedengine.Overloaded, "too many writes are waiting")
	}
	w.queue = append(w.queue, &entry{Pending: p, life: w.logs[p.Write.Shard].life})
	w.signal()
	return nil
}

// Doubt says that storage was away, and may have come back without its last
// commits: before anything more is written, the logs are held against it.
// The same goes for read marks, which leave no trace: those of the last seconds
// are written again. Doubt never waits.
func (w *Writer) Doubt() {
	w.doubt.CompareAndSwap(0, time.Now().UnixNano())
	w.signal()
}

// Waiting is how many writes wait for a commit.
func (w *Writer) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// Stop refuses new writes, finishes those that wait, and returns. When ctx ends
// first, the rest is refused, the outcome of the commit in flight stays unknown,
// and Stop returns ctx's error.
func (w *Writer) Stop(ctx context.Context) error {
	w.mu.Lock()
	w.stopping = true
	w.signal()
	w.mu.Unlock()
	defer w.cancel()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		w.cancel()
		<-w.done
		return ctx.Err()
	}
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run commits batch after batch until there is nothing left to be done.
func (w *Writer) run() {
	defer close(w.done)
	failures := 0
	last := 0 // size of the batch before
	for {
		w.gather(last)
		batch, stopping := w.take()
		last = len(batch)
		if len(batch) == 0 {
			switch {
			case stopping:
				return
			case w.doubt.Load() != 0 || !w.again.IsZero():
				if w.holdsUp() && w.saveAgain() {
					w.pauses.reset()
				} else {
					w.pauses.wait(w.ctx)
				}
				w.tellLost()
			default:
				<-w.wake
			}
			continue
		}
		reached := w.write(batch)
		w.tellLost()
		if reached {
			failures = 0
			w.pauses.reset()
			continue
		}
		// A single failure may be chance. When storage is down, those who wait
		// are refused now, not batch by batch.
		if failures++; failures > 1 || w.ctx.Err() != nil {
			w.refuseQueue()
		}
		w.pauses.wait(w.ctx)
	}
}

// gather gives those who were just answered the chance to submit what they do
// next, so that half of them does not miss the coming commit: it lets other
// goroutines run as long as the queue grows and is shorter than the last batch.
// With 256 who write one thing after the other, that doubles what a commit holds
// (BenchmarkWriter).
func (w *Writer) gather(last int) {
	for seen := -1; last > 1; {
		n := w.Waiting()
		if n == seen || n >= last {
			return
		}
		seen = n
		runtime.Gosched()
	}
}

// bulkUsers is how many users an event may name before it commits apart.
const bulkUsers = 100

// take cuts the next batch off the queue.
func (w *Writer) take() (batch []*entry, stopping bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rows := 0
	for _, e := range w.queue {
		n, bulk := e.rows()
		if len(batch) > 0 && (bulk || rows+n > w.MaxRows) {
			break
		}
		batch = append(batch, e)
		rows += n
		if bulk {
			break
		}
	}
	rest := copy(w.queue, w.queue[len(batch):])
	clear(w.queue[rest:])
	w.queue = w.queue[:rest]
	return batch, w.stopping
}

// rows is roughly how many rows the entry means to the store, and whether it
// is to commit apart.
func (e *entry) rows() (n int, bulk bool) {
	if e.Write.Event == nil {
		return 1, false
	}
	users := 0 // that have a row each
	switch ev := e.Write.Event; ev.Kind {
	case feedengine.KindMessage:
		if m, ok := ev.Fact.(*feedengine.Message); ok && m.Opens {
			users = len(ev.Users)
		}
	case feedengine.KindSeen:
	case feedengine.KindPost:
		if users = len(ev.Users); ev.Post.More != nil {
			users += len(ev.Post.More.Alerts)
		}
	default:
		users = len(ev.Users)
	}
	return 1 + users, users > bulkUsers
}

// write answers every entry of the batch. It says false when storage could not
// be reached.
func (w *Writer) write(batch []*entry) (reached bool) {
	batch, reached = w.settle(batch)
	return reached && w.commit(batch)
}

// call bounds one call of the store.
func (w *Writer) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.ctx, w.Timeout)
}
