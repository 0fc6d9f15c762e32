package bus

import (
	"sync"
	"sync/atomic"
)

const (
	// Bounds of what waits to be published. Beyond either a message is dropped,
	// and counted; links find out.
	maxQueued      = 1 << 16
	maxQueuedBytes = 64 << 20
	// maxPipeline bounds what goes to Redis before its answers are read, in bytes.
	maxPipeline = 4 << 20
)

// queue is what waits for the publisher.
type queue struct {
	up   atomic.Bool   // Redis took the last messages; while it does not, there is no queue
	wake chan struct{} // holds one: there is something

	mu      sync.Mutex
	waiting []outgoing
	spare   []outgoing // the slice that the publisher has emptied
	bytes   int
}

type outgoing struct {
	topic string
	msg   []byte
}

func (q *queue) init() {
	q.wake = make(chan struct{}, 1)
	q.up.Store(true) // nobody knows yet: try
}

func (q *queue) add(topic string, msg []byte) bool {
	q.mu.Lock()
	if len(q.waiting) >= maxQueued || q.bytes+len(msg) > maxQueuedBytes {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, outgoing{topic, msg})
	q.bytes += len(msg)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take takes all that waits. The slice is given back with recycle.
func (q *queue) take() []outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.waiting
	q.waiting, q.spare, q.bytes = q.spare[:0], nil, 0
	return taken
}

func (q *queue) recycle(taken []outgoing) {
	clear(taken)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = taken
}
