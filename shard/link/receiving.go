package link

import (
	"sync"
	"time"
)

// receiving is what a node knows of those that send to it.
type receiving struct {
	l *Links

	mu       sync.Mutex // held while the Receiver is called, so that it is called by one at a time
	peers    map[string]*inbound
	read     reading
	suspects int // how many of peers have a suspect

	later   sync.Mutex // a small one beside mu: Forget may be called by the Receiver
	forgets []Peer
}

// inbound is one sender: its latest incarnation, and what came of it.
type inbound struct {
	peer   Peer
	stream uint64
	last   uint64 // number of the last message of that stream

	// suspect is where the sender's heartbeat says that the numbering stands, when
	// that is beyond last: what is between is lost if it does not come soon.
	suspect LinkHead
	since   time.Time // zero: there is none
}

func (r *receiving) init(l *Links) {
	r.l, r.peers = l, map[string]*inbound{}
	r.read.lookup = l.opts.Lookup
}

// forget is carried out before the next message or tick: see later.
func (r *receiving) forget(p Peer) {
	r.later.Lock()
	defer r.later.Unlock()
	r.forgets = append(r.forgets, p)
}

func (r *receiving) doForget() {
	r.later.Lock()
	defer r.later.Unlock()
	for _, p := range r.forgets {
		if in := r.peers[p.Node]; in != nil && in.peer.Incarnation <= p.Incarnation {
			r.trust(in)
			delete(r.peers, p.Node)
		}
	}
	r.forgets = r.forgets[:0]
}

// envelope takes what came over the bus.
func (r *receiving) envelope(msg []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doForget()
	c := &r.l.count
	r.read.begin(msg)
	h, ok := r.read.header()
	self := r.l.opts.Self
	switch {
	case h.from.Node == self.Node:
		return // a broadcast of our own, or a node that took our name, which storage settles
	case !ok || h.clock > r.l.opts.Clock.Now()+maxAhead:
		c.unreadable.Inc()
		r.l.opts.Log.Warn("link: an envelope cannot be read", "from", h.from.Node, "bytes", len(msg))
		return
	}
	in := r.sender(&h)
	if in == nil || h.to != 0 && h.to != self.Incarnation {
		c.stale.Inc()
		return
	}
	r.l.opts.Clock.Observe(h.clock)
	if h.first > 0 && !r.expected(in, &h) {
		return
	}
	r.messages(in, &h)
}

// sender is the envelope's sender, nil when that incarnation is gone.
func (r *receiving) sender(h *header) *inbound {
	in := r.peers[h.from.Node]
	switch {
	case in != nil && h.from.Incarnation < in.peer.Incarnation:
		return nil
	case in != nil && h.from.Incarnation == in.peer.Incarnation:
		return in
	case in != nil:
		r.trust(in)
	}
	in = &inbound{peer: h.from}
	r.peers[h.from.Node] = in
	r.l.outbound(h.from.Node).met(h.from.Incarnation, h.hears)
	return in
}

// expected looks at the numbers of an envelope: it says Lost for a gap before it,
// and false when nothing of it is new.
func (r *receiving) expected(in *inbound, h *header) bool {
	switch {
	case h.stream < in.stream:
		r.l.count.stale.Inc()
		return false
	case h.stream > in.stream:
		in.stream, in.last = h.stream, 0
	case h.first+uint64(h.count)-1 <= in.last:
		r.l.count.duplicate.Inc()
		return false
	}
	if h.first > in.last+1 {
		in.last = h.first - 1
		r.l.count.gaps.Inc()
		r.lost(in)
	}
	return true
}

// messages hands over the messages of an envelope, one by one.
func (r *receiving) messages(in *inbound, h *header) {
	for i := range h.count {
		m := r.read.message()
		if m == nil {
			r.l.count.unreadable.Inc()
			r.l.opts.Log.Warn("link: a message cannot be read", "from", in.peer.Node, "of", h.count, "nth", i+1)
			if h.first > 0 {
				in.last = max(in.last, h.first+uint64(h.count)-1)
				r.lost(in)
			}
			return
		}
		if n := h.first + uint64(i); h.first > 0 {
			if n <= in.last {
				continue // a part of what came already
			}
			in.last = n
		}
		r.l.count.received.Inc()
		switch m := m.(type) {
		case Heads:
			r.compare(in, m.Links[r.l.opts.Self.Node])
		case Rejoin:
			r.l.outbound(in.peer.Node).full()
		}
		r.l.opts.Receiver.Receive(in.peer, m)
	}
}

// lost tells the Receiver.
func (r *receiving) lost(in *inbound) {
	r.trust(in)
	r.l.opts.Receiver.Lost(in.peer)
}
