package shard

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Trim deletes one bounded piece of what is older than before, log rows and
// idempotency keys, and says how many rows that were; 0 when nothing is left.
type Trim interface {
	Trim(ctx context.Context, before time.Time) (int, error)
}

// TrimmerOptions are what a Trimmer is made of.
type TrimmerOptions struct {
	Store     Trim
	Retention time.Duration // default 24 h
	Every     time.Duration // from one round to the next, give or take a quarter; default 5 min
	Pause     time.Duration // between pieces, for others to get in; default 50 ms
	Timeout   time.Duration // of one piece; default 10 s
	Metrics   *metrics.Set
	Logger    *slog.Logger
}

// Trimmer keeps the logs and the keys from growing for ever, piece by piece in
// the background. Several nodes may do so at once: they find less to do.
type Trimmer struct {
	TrimmerOptions
	rows     *metrics.Counter
	failures *metrics.Counter
	cancel   context.CancelFunc
	done     sync.WaitGroup
}

// NewTrimmer starts a trimmer. The first round comes after a part of Every.
func NewTrimmer(o TrimmerOptions) *Trimmer {
	o.Retention = cmp.Or(o.Retention, 24*time.Hour)
	o.Every = cmp.Or(o.Every, 5*time.Minute)
	o.Pause = cmp.Or(o.Pause, 50*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	t := &Trimmer{
		TrimmerOptions: o,
		rows:           o.Metrics.NewCounter("feedgate_trimmed_rows_total"),
		failures:       o.Metrics.NewCounter("feedgate_trim_failures_total"),
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.done.Go(func() { t.run(ctx) }) // Stop waits
	return t
}

// Stop ends a round under way and returns when it has ended.
func (t *Trimmer) Stop() {
	t.cancel()
	t.done.Wait()
}

func (t *Trimmer) run(ctx context.Context) {
	next := jitter(t.Every) // nodes that start together do not trim together
	for sleep(ctx, next) {
		t.round(ctx)
		next = t.Every*3/4 + jitter(t.Every/2)
	}
}

// round trims until nothing is left or something goes wrong: the next round
// will do.
func (t *Trimmer) round(ctx context.Context) {
	before := time.Now().Add(-t.Retention)
	for {
		n, err := t.piece(ctx, before)
		if err != nil && ctx.Err() == nil {
			t.failures.Inc()
			t.Logger.Warn("trim: failed", "before", before, "error", err)
		}
		t.rows.Add(n)
		if n == 0 || err != nil || !sleep(ctx, t.Pause) {
			return
		}
	}
}

func (t *Trimmer) piece(ctx context.Context, before time.Time) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	return t.Store.Trim(ctx, before)
}
