package bus

import (
	"slices"
	"sync"
	"time"
)

// maxInbox bounds what waits for one node of a Hub: what comes beyond is lost to it, as
// Redis drops a subscriber that does not read.
const maxInbox = 1 << 17

// Hub is what the nodes of one process share in the place of Redis. Under
// testing/synctest it depends on nothing but the order of calls and virtual time.
type Hub struct {
	mu      sync.Mutex
	faults  func(Passage) Fate
	down    bool
	members []*Memory            // in the order of Join
	nth     map[[2]string]uint64 // messages so far, by sender and receiver
	seq     uint64               // of the last letter
}

// Passage is one message on its way to one subscribed node, as a Hub's faults see it.
type Passage struct {
	Topic    string
	From, To string // names given to Join
	Nth      uint64 // counts the messages from From to To, from 1
	Msg      []byte // read only
}

// Fate is what becomes of a Passage. The zero Fate: it arrives at once.
type Fate struct {
	Drop     bool
	Delay    time.Duration
	Overtake bool          // with Delay: later messages may arrive first; without it they wait behind
	Again    int           // how many more times it arrives
	Later    time.Duration // each of the repetitions comes that much later
}

// NewHub makes a hub. faults decides about each passage; nil: all arrive at
// once. It is called with the hub locked: it must not wait, nor use the hub.
func NewHub(faults func(Passage) Fate) *Hub {
	return &Hub{faults: faults, nth: map[[2]string]uint64{}}
}

// Join makes the bus of one node. A node that comes back joins again under its name.
func (h *Hub) Join(name string) *Memory {
	m := &Memory{
		hub: h, name: name,
		held:     map[*Memory]time.Time{},
		handlers: map[string][]*handler{},
		wake:     make(chan struct{}, 1),
		calling:  make(chan struct{}, 1),
		ended:    make(chan struct{}),
	}
	h.mu.Lock()
	h.members = append(h.members, m)
	h.mu.Unlock()
	go m.deliver() // ends in Close
	return m
}

// SetFaults replaces the faults from now on.
func (h *Hub) SetFaults(faults func(Passage) Fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = faults
}

// SetDown begins or ends an outage for all: publishing fails, what is under way is lost.
func (h *Hub) SetDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	if down {
		for _, m := range h.members {
			m.inbox.drop()
		}
	}
}

func (h *Hub) leave(m *Memory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.closed = true
	m.inbox.drop()
	h.members = slices.DeleteFunc(h.members, func(other *Memory) bool { return other == m })
	for _, other := range h.members {
		delete(other.held, m)
	}
}

func (h *Hub) publish(from *Memory, topic string, msg []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down || from.cut || from.closed {
		return false
	}
	for _, to := range h.members {
		if len(to.handlers[topic]) == 0 || to.cut {
			continue
		}
		h.carry(from, to, topic, msg)
	}
	return true
}

// carry puts a message among those that will arrive at a node.
func (h *Hub) carry(from, to *Memory, topic string, msg []byte) {
	pair := [2]string{from.name, to.name}
	h.nth[pair]++
	var fate Fate
	if h.faults != nil {
		fate = h.faults(Passage{Topic: topic, From: from.name, To: to.name, Nth: h.nth[pair], Msg: msg})
	}
	if fate.Drop {
		return
	}
	due := time.Now().Add(fate.Delay)
	if !fate.Overtake {
		if held := from.held[to]; due.Before(held) {
			due = held
		}
		from.held[to] = due
	}
	for range 1 + fate.Again {
		if len(to.inbox) < maxInbox {
			h.seq++
			to.inbox.add(letter{due: due, seq: h.seq, topic: topic, msg: msg})
		}
		due = due.Add(fate.Later)
	}
	to.poke()
}
