package crowd

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/feedgate/feedgate/loadgen/meter"
)

// agenda is what is to be done later, by the time. It holds at most one entry for
// each client that is away and one for each step that is undone later.
type agenda struct {
	wake chan struct{} // 1: the first entry has changed

	mu    sync.Mutex
	items items // guarded by mu
}

type item struct {
	at int64 // CLOCK_MONOTONIC
	do func()
}

type items []item

func (x items) Len() int           { return len(x) }
func (x items) Less(i, j int) bool { return x[i].at < x[j].at }
func (x items) Swap(i, j int)      { x[i], x[j] = x[j], x[i] }
func (x *items) Push(v any)        { *x = append(*x, v.(item)) }
func (x *items) Pop() any {
	last := len(*x) - 1
	v := (*x)[last]
	(*x)[last] = item{}
	*x = (*x)[:last]
	return v
}

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

func (a *agenda) add(at int64, do func()) {
	a.mu.Lock()
	heap.Push(&a.items, item{at, do})
	first := a.items[0].at == at
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default: // it looks anyway
		}
	}
}

func (a *agenda) after(d time.Duration, do func()) { a.add(meter.Now()+int64(d), do) }

func (a *agenda) size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.items)
}

// take gives the first entry when it is due, else how long it is until then.
func (a *agenda) take() (do func(), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.items) == 0 {
		return nil, time.Hour
	}
	if d := time.Duration(a.items[0].at - meter.Now()); d > 0 {
		return nil, d
	}
	return heap.Pop(&a.items).(item).do, 0
}

// run does what is due until ctx ends.
func (a *agenda) run(ctx context.Context) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for ctx.Err() == nil {
		do, wait := a.take()
		if do != nil {
			do()
			runtime.Gosched() // a storm has hundreds of dials due at once, and a post may be
			continue
		}
		t.Reset(wait)
		select {
		case <-t.C:
		case <-a.wake:
		case <-ctx.Done():
		}
	}
}
