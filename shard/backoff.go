package shard

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the pauses between attempts at a store that is down: doubling
// from min to max, each a random half to whole of that, so that the nodes of a
// cluster do not come back in step.
type backoff struct {
	min, max time.Duration
	last     time.Duration
}

// wait pauses once more. It says false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.last = max(b.min, min(2*b.last, b.max))
	return sleep(ctx, b.last/2+rand.N(b.last/2+1))
}

// reset says that an attempt succeeded.
func (b *backoff) reset() { b.last = 0 }

// sleep says false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
