package gateway

import (
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	slotBits  = 20 // 1,048,576 sockets in one process
	chunkBits = 10
	chunkSize = 1 << chunkBits
	chunkMask = chunkSize - 1
	slotMask  = 1<<slotBits - 1
)

// table finds sessions by their id without a lock: the id's low bits are a slot,
// the others a serial number that never comes again, so a late delivery to a
// session that is gone finds nobody.
type table struct {
	chunks [1 << (slotBits - chunkBits)]atomic.Pointer[chunk]

	mu     sync.Mutex
	serial uint64        // guarded by mu
	used   uint32        // guarded by mu: slots below it have been used
	free   []uint32      // guarded by mu: and these are free again
	count  int           // guarded by mu: slots in use
	empty  chan struct{} // holds a word, at most one, when count fell to 0
}

type chunk [chunkSize]atomic.Pointer[session]

// newTable begins its serials at random: what other nodes still send to the sessions
// of an earlier life of this node must not find those of this one.
func newTable() *table {
	return &table{empty: make(chan struct{}, 1), serial: rand.Uint64N(1 << 24)}
}

// reserve gives s its id and a slot. It fails when all are taken.
func (t *table) reserve(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var slot uint32
	switch n := len(t.free); {
	case n > 0:
		slot, t.free = t.free[n-1], t.free[:n-1]
	case t.used <= slotMask:
		slot = t.used
		t.used++
	default:
		return false
	}
	c := &t.chunks[slot>>chunkBits]
	if c.Load() == nil {
		c.Store(new(chunk))
	}
	t.serial++
	t.count++
	s.id = feedengine.SessionID(t.serial<<slotBits | uint64(slot))
	return true
}

// publish makes s, which is complete now, to be found.
func (t *table) publish(s *session) {
	slot := uint32(s.id & slotMask)
	t.chunks[slot>>chunkBits].Load()[slot&chunkMask].Store(s)
}

// get is the session with the id, nil when it is gone.
func (t *table) get(id feedengine.SessionID) *session {
	slot := uint32(id & slotMask)
	c := t.chunks[slot>>chunkBits].Load()
	if c == nil {
		return nil
	}
	if s := c[slot&chunkMask].Load(); s != nil && s.id == id {
		return s
	}
	return nil
}

// remove ends the life of the session's id, published or not.
func (t *table) remove(s *session) {
	slot := uint32(s.id & slotMask)
	t.chunks[slot>>chunkBits].Load()[slot&chunkMask].Store(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free = append(t.free, slot)
	if t.count--; t.count == 0 {
		select {
		case t.empty <- struct{}{}:
		default: // already told
		}
	}
}

func (t *table) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// all goes over the sessions that are there, without a lock.
func (t *table) all() iter.Seq[*session] {
	return func(yield func(*session) bool) {
		for i := range t.chunks {
			c := t.chunks[i].Load()
			if c == nil {
				return
			}
			for j := range c {
				if s := c[j].Load(); s != nil && !yield(s) {
					return
				}
			}
		}
	}
}
