package shard

import (
	"context"
	"sync"
)

// Pool runs storage reads that a command needs before it can be decided (is
// this user followed already, whose post is this), so that no shard goroutine
// waits for a query. Its workers and its queue bound what the reads may cost.
type Pool struct {
	ctx    context.Context
	cancel context.CancelFunc
	queue  chan func(context.Context)
	done   sync.WaitGroup

	mu      sync.RWMutex // Go holds it for reading, so that nothing enters a closed queue
	stopped bool
}

// NewPool starts the workers. queue is how many checks may wait for one.
func NewPool(workers, queue int) *Pool {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool{
		ctx:    ctx,
		cancel: cancel,
		queue:  make(chan func(context.Context), queue), // full: Go says false, and the command is refused
	}
	for range workers {
		p.done.Go(p.work)
	}
	return p
}

// Go has a worker call check, and never waits. It says false when the queue is
// full or the pool stopped. A check that was taken is called exactly once; its
// context ends when the pool stops.
func (p *Pool) Go(check func(context.Context)) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.stopped {
		return false
	}
	select {
	case p.queue <- check:
		return true
	default:
		return false
	}
}

// Waiting is how many checks wait for a worker.
func (p *Pool) Waiting() int { return len(p.queue) }

// Stop refuses new checks, ends the context of those that were taken, and
// returns when all of them have been called and returned.
func (p *Pool) Stop() {
	p.mu.Lock()
	if !p.stopped {
		p.stopped = true
		close(p.queue)
	}
	p.mu.Unlock()
	p.cancel()
	p.done.Wait()
}

func (p *Pool) work() {
	for check := range p.queue {
		check(p.ctx)
	}
}
