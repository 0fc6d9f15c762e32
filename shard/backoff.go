package shard

import (
	"context"
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
	return sleep(ctx, b.last/2+jitter(b.last/2+1))
}

// jitter is some duration below d. It comes from the clock's nanoseconds, which
// differ from node to node, and not from a generator: on virtual time it comes out
// the same each time.
func jitter(d time.Duration) time.Duration {
	x := uint64(time.Now().UnixNano()) + 0x9e3779b97f4a7c15 // SplitMix64 (Steele, Lea, Flood 2014)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return time.Duration((x ^ x>>31) % uint64(d))
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
