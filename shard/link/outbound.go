package link

import (
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	// splitAt is the size beyond which nothing more is written into an envelope.
	splitAt = 256 << 10
	// mostPending bounds what waits for one destination, in bytes. The flusher
	// takes it within microseconds, so only one that is starved of CPU meets it.
	mostPending = 16 << 20
	// fullFor is how long a node that brought its sessions again, as it had
	// lost something, gets bodies in full.
	fullFor = 2 * time.Second
)

// bareFor is how old an event may be to go as its position.
var bareFor = feedengine.TickAt(feedengine.IDEpoch.Add(5 * time.Second))

// outbound is what is pending for one destination: a node, or all of them.
type outbound struct {
	l     *Links
	topic string
	node  string // "" for broadcasts, which are not numbered

	mu        sync.Mutex
	to        uint64    // the receiver's incarnation; 0: not known yet
	hears     bool      // the receiver hears announces
	fullUntil time.Time // until then it gets bodies in full
	stream    uint64    // this numbering
	next      uint64    // number of the next message
	sealed    []*envelope
	current   *envelope // nil: none is being written
	pending   int       // bytes in sealed
	size      int       // of the last envelope: a guess at the next one's
}

func (o *outbound) init(l *Links, topic, node string) {
	o.l, o.topic, o.node = l, topic, node
	o.renumber()
}

// renumber begins a new numbering.
func (o *outbound) renumber() {
	o.stream, o.next = o.l.streams.Add(1), 1
}

// add writes a message behind what is pending. A dropped one has had its number,
// so that the receiver misses it.
func (o *outbound) add(m Message) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending > mostPending {
		o.skip()
		o.l.count.full.Inc()
		return false
	}
	e := o.current
	if e == nil {
		e = o.begin()
	}
	if !e.put(m, o.bare) {
		o.l.opts.Log.Error("link: a message of unknown kind", "to", o.node)
		o.skip()
		return false
	}
	o.l.count.sent.Inc()
	e.count++
	o.next++
	if len(e.buf) > splitAt {
		o.seal()
	}
	return true
}

func (o *outbound) begin() *envelope {
	first := uint64(0)
	if o.node != "" {
		first = o.next
	}
	o.current = newEnvelope(o.l.opts.Self.Node, o.stream, first, o.size+o.size/4+256)
	return o.current
}

func (o *outbound) skip() {
	if o.current != nil {
		o.seal()
	}
	o.next++
}

func (o *outbound) seal() {
	e := o.current
	o.current = nil
	if e.count > 0 {
		o.sealed = append(o.sealed, e)
		o.pending += len(e.buf)
		o.size = min(len(e.buf), splitAt)
	}
}

// bare reports whether an event may go as its position.
func (o *outbound) bare(ev *feedengine.Event) bool {
	bare := o.hears && o.l.recent(ev) && !time.Now().Before(o.fullUntil)
	if bare {
		o.l.count.bare.Inc()
	} else {
		o.l.count.bodies.Inc()
	}
	return bare
}

// take takes what is pending, ready to travel but for the clock, and says where
// the numbering stands.
func (o *outbound) take() ([]*envelope, LinkHead) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current != nil {
		o.seal()
	}
	taken := o.sealed
	o.sealed, o.pending = nil, 0
	for _, e := range taken {
		e.to = o.to
	}
	return taken, LinkHead{To: o.to, Stream: o.stream, Seq: o.next - 1}
}

// met takes note of an incarnation of the receiver that lives. What is pending
// for an earlier one concerns nobody any more.
func (o *outbound) met(incarnation uint64, hears bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hears = hears
	if o.to != 0 && o.to != incarnation {
		o.sealed, o.current, o.pending = nil, nil, 0
		o.renumber()
	}
	o.to = incarnation
}

// full has bodies travel in full for a while.
func (o *outbound) full() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fullUntil = time.Now().Add(fullFor)
}

func (o *outbound) incarnation() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to
}
