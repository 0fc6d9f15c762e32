package socket

import "sync"

// runq is a queue of sockets that wait for one of a fixed number of goroutines.
// It needs no bound of its own: a socket stands in it at most once (its state
// says so), so the ring is at most twice as long as there are sockets.
//
// The queue is an array and not a list through the sockets: with many thousands
// waiting, each is out of the processor's cache by the time its turn comes, and
// a list would fetch them one by one.
type runq struct {
	takers int // goroutines that pop

	mu      sync.Mutex
	more    sync.Cond
	ring    []*Socket // its length is a power of two
	head    int       // of the oldest in ring
	n       int       // that wait
	waiting int       // goroutines in pop
	ended   bool
}

func newRunq(takers int) *runq {
	q := &runq{takers: takers, ring: make([]*Socket, 64)}
	q.more.L = &q.mu
	return q
}

func (q *runq) push(s *Socket) {
	q.mu.Lock()
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = s
	q.n++
	if q.waiting > 0 {
		q.more.Signal()
	}
	q.mu.Unlock()
}

func (q *runq) grow() {
	longer := make([]*Socket, 2*len(q.ring))
	n := copy(longer, q.ring[q.head:])
	copy(longer[n:], q.ring[:q.head])
	q.ring, q.head = longer, 0
}

// pop waits for sockets and moves the oldest to the front of room: not more than
// a goroutine's share of those that wait. None when the queue has ended.
func (q *runq) pop(room []*Socket) []*Socket {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 {
		if q.ended {
			return nil
		}
		q.waiting++
		q.more.Wait()
		q.waiting--
	}
	room = room[:min(len(room), (q.n+q.takers-1)/q.takers)]
	for i := range room {
		at := &q.ring[q.head]
		room[i], *at = *at, nil
		q.head = (q.head + 1) & (len(q.ring) - 1)
	}
	q.n -= len(room)
	return room
}

// end lets pop return nothing once the queue is empty.
func (q *runq) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.more.Broadcast()
}
