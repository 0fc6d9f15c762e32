package socket

import "sync"

// runq is a queue of sockets that wait for one of a fixed number of goroutines.
// It needs no bound of its own: a socket stands in it at most once (its state
// says so), in a node that is part of it, so pushing allocates nothing.
type runq struct {
	mu         sync.Mutex
	more       sync.Cond
	head, tail *runNode
	waiting    int // goroutines in pop
	ended      bool
}

// runNode is a socket's place in one queue. next is guarded by the queue's mu.
type runNode struct {
	next *runNode
	s    *Socket
}

func newRunq() *runq {
	q := new(runq)
	q.more.L = &q.mu
	return q
}

func (q *runq) push(n *runNode) {
	q.mu.Lock()
	if q.tail == nil {
		q.head = n
	} else {
		q.tail.next = n
	}
	q.tail = n
	if q.waiting > 0 {
		q.more.Signal()
	}
	q.mu.Unlock()
}

// pop waits for the next socket; nil when the queue has ended.
func (q *runq) pop() *Socket {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.head == nil {
		if q.ended {
			return nil
		}
		q.waiting++
		q.more.Wait()
		q.waiting--
	}
	n := q.head
	if q.head = n.next; q.head == nil {
		q.tail = nil
	}
	n.next = nil
	return n.s
}

// end lets pop return nil once the queue is empty.
func (q *runq) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.more.Broadcast()
}
