package console

import (
	"context"
	"sync"
	"time"
)

const (
	sampleEvery = time.Second // at most, however many look
	keepFor     = 10 * time.Minute
)

// history remembers samples of the last minutes. They are taken while somebody
// looks, so a cluster that nobody looks at is asked nothing.
type history struct {
	state func(ctx context.Context) State

	mu      sync.Mutex // held while a sample is taken: others wait for the same one
	last    State
	samples []Sample // oldest first; bounded by keepFor / sampleEvery
}

// look takes a sample, unless there is one of just now, and returns the state
// with all samples since a time.
func (h *history) look(ctx context.Context, since time.Time) (State, []Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.samples)
	if n == 0 || time.Since(h.samples[n-1].At) >= sampleEvery {
		h.last = h.state(ctx)
		s := h.last.Sample()
		s.At = time.Now()
		h.samples = append(h.forget(s.At.Add(-keepFor)), s)
	}
	from := 0
	for from < len(h.samples) && !h.samples[from].At.After(since) {
		from++
	}
	return h.last, append([]Sample{}, h.samples[from:]...)
}

// forget drops what is older.
func (h *history) forget(than time.Time) []Sample {
	from := 0
	for from < len(h.samples) && h.samples[from].At.Before(than) {
		from++
	}
	return append(h.samples[:0], h.samples[from:]...)
}
