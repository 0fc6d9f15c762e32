package socket

import (
	"math/bits"
	"sync"
)

// atOnce is how many sockets a writer takes from its queue.
const atOnce = 16

// runq holds the sockets that wait for one of a fixed number of goroutines. They are
// served like the floors of a lift: in the order of their descriptors, upwards, and
// from the lowest again. Each waits for one round at most, however often others come.
//
// The order is what a delivery to many costs. The kernel's part of a connection (its
// file, its socket, the peer's) was made when the descriptor was, and so was ours:
// neighbours in number are neighbours in memory, which the processor fetches ahead.
// In the order in which shards wake them, each is a walk to somewhere else
// (BenchmarkRunq has the cost of the queue itself, cmd/benchsockets the order's).
type runq struct {
	takers int // goroutines that pop

	mu      sync.Mutex
	more    sync.Cond
	sockets []*Socket // by descriptor
	waits   []uint64  // a bit for each descriptor
	any     []uint64  // a bit for each of waits that is not zero
	from    int       // the descriptor to look at next
	n       int       // that wait
	waiting int       // goroutines in pop
	ended   bool
}

func newRunq(takers int) *runq {
	q := &runq{takers: takers}
	q.more.L = &q.mu
	return q
}

// push has the socket of a descriptor wait, if it does not yet. Whoever has ended
// waits for nothing: the descriptor may be somebody else's by now.
func (q *runq) push(fd int, s *Socket) {
	q.mu.Lock()
	if s.refs.Load() > 0 {
		q.put(fd, s)
	}
	q.mu.Unlock()
}

func (q *runq) put(fd int, s *Socket) {
	if fd >= len(q.sockets) {
		q.grow(fd)
	}
	q.sockets[fd] = s
	word, bit := fd>>6, uint64(1)<<(fd&63)
	if q.waits[word]&bit != 0 {
		return // it does, or somebody did who has ended since
	}
	q.waits[word] |= bit
	q.any[word>>6] |= 1 << (word & 63)
	q.n++
	if q.waiting > 0 {
		q.more.Signal()
	}
}

// grow makes room for a descriptor.
func (q *runq) grow(fd int) {
	const step = 64 * 64 // a whole word of any
	size := (max(fd+1, 2*len(q.sockets)) + step - 1) &^ (step - 1)
	q.sockets = append(q.sockets, make([]*Socket, size-len(q.sockets))...)
	q.waits = append(q.waits, make([]uint64, size/64-len(q.waits))...)
	q.any = append(q.any, make([]uint64, size/step-len(q.any))...)
}

// pop waits for sockets and moves the next ones to the front of room: not more than
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
		fd := q.next()
		room[i], q.sockets[fd] = q.sockets[fd], nil
		word := fd >> 6
		if q.waits[word] &^= 1 << (fd & 63); q.waits[word] == 0 {
			q.any[word>>6] &^= 1 << (word & 63)
		}
		q.from = fd + 1
	}
	q.n -= len(room)
	return room
}

// next is the descriptor whose turn it is. Somebody waits.
func (q *runq) next() int {
	for {
		word := q.from >> 6
		if word < len(q.waits) {
			if left := q.waits[word] >> (q.from & 63) << (q.from & 63); left != 0 {
				return word<<6 + bits.TrailingZeros64(left)
			}
		}
		word++
		mask := ^uint64(0) << (word & 63)
		for i := word >> 6; i < len(q.any); i++ {
			if left := q.any[i] & mask; left != 0 {
				word = i<<6 + bits.TrailingZeros64(left)
				return word<<6 + bits.TrailingZeros64(q.waits[word])
			}
			mask = ^uint64(0)
		}
		q.from = 0
	}
}

// end lets pop return nothing once the queue is empty.
func (q *runq) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.more.Broadcast()
}
