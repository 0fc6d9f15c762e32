package socket

import "sync"

// registry holds the live sockets. A socket's id is its slot and a count that
// makes it unique, so that a late event for a slot's former owner finds nothing.
type registry struct {
	mu    sync.Mutex
	slots []*Socket
	free  []uint32
	made  uint32
	open  int
	shut  bool
	empty chan struct{} // closed when shut and nothing is open
}

func newRegistry() *registry { return &registry{empty: make(chan struct{})} }

// add gives the socket its id. It fails once the registry is shut.
func (r *registry) add(s *Socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return false
	}
	slot := uint32(len(r.slots))
	if n := len(r.free); n > 0 {
		slot, r.free = r.free[n-1], r.free[:n-1]
		r.slots[slot] = s
	} else {
		r.slots = append(r.slots, s)
	}
	if r.made++; r.made == 0 {
		r.made = 1 // ids below 1<<32 are no sockets'
	}
	s.id = uint64(r.made)<<32 | uint64(slot)
	r.open++
	return true
}

func (r *registry) remove(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot := uint32(s.id)
	if int(slot) >= len(r.slots) || r.slots[slot] != s {
		return // never added
	}
	r.slots[slot] = nil
	r.free = append(r.free, slot)
	r.open--
	if r.shut && r.open == 0 {
		close(r.empty)
	}
}

// get is the live socket with this id, or nil.
func (r *registry) get(id uint64) *Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slot := uint32(id); int(slot) < len(r.slots) {
		if s := r.slots[slot]; s != nil && s.id == id {
			return s
		}
	}
	return nil
}

// shutdown lets no more sockets in and returns those that are there. It says
// whether it was the first call.
func (r *registry) shutdown() (all []*Socket, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, r.shut = !r.shut, true
	for _, s := range r.slots {
		if s != nil {
			all = append(all, s)
		}
	}
	if first && r.open == 0 {
		close(r.empty)
	}
	return all, first
}

func (r *registry) closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shut
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}
