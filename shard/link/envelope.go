package link

import (
	"encoding/binary"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// An envelope is what travels over the bus. Numbers in its header are
// little-endian and of fixed width, since they are written last.
//
//	1  version
//	1  length of the sender's name, n
//	n  the sender's name                      up to here all versions are the same,
//	8  the sender's incarnation               so that anybody can say whose it is
//	1  flags: 1 the sender hears announces
//	8  the receiver's incarnation; 0: whichever lives
//	8  stream: which of its numberings for this receiver the sender uses; a later one is greater
//	8  the sender's clock
//	8  number of the first message; 0: they are not numbered
//	4  how many messages
//	   the messages: one byte that says which, and its fields (see encode.go)
//
// Version 2 brought names, facts and More. An envelope of another version is not
// read, and a message that cannot be read takes those behind it along; they are
// treated as lost.
const version = 2

const flagHears = 1

// maxAhead bounds how far ahead of its own clock a node believes another's. Beyond
// that an envelope counts as unreadable: it must not drag all clocks along.
var maxAhead = feedengine.TickAt(feedengine.IDEpoch.Add(time.Hour))

type header struct {
	from   Peer
	hears  bool
	to     uint64
	stream uint64
	clock  feedengine.Tick
	first  uint64
	count  int
}

func headerBytes(node string) int { return 2 + len(node) + 8 + 1 + 4*8 + 4 }

func (h *header) put(b []byte) {
	b[0], b[1] = version, byte(len(h.from.Node))
	b = b[2+copy(b[2:], h.from.Node):]
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(b, v)
		b = b[8:]
	}
	put(h.from.Incarnation)
	b[0] = 0
	if h.hears {
		b[0] = flagHears
	}
	b = b[1:]
	put(h.to)
	put(h.stream)
	put(uint64(h.clock))
	put(h.first)
	binary.LittleEndian.PutUint32(b, uint32(h.count))
}

// header reads the header. When ok is false, from is set if at least that could be read.
func (t *taker) header() (h header, ok bool) {
	v := t.byte()
	n := int(t.byte())
	if n == 0 || len(t.b) < n {
		return header{}, false
	}
	h.from.Node = string(t.b[:n])
	t.b = t.b[n:]
	h.from.Incarnation = t.fixed()
	if v != version || t.bad {
		return h, false
	}
	h.hears = t.byte()&flagHears != 0
	h.to = t.fixed()
	h.stream = t.fixed()
	h.clock = feedengine.Tick(t.fixed())
	h.first = t.fixed()
	if len(t.b) < 4 {
		t.fail()
		return h, false
	}
	h.count = int(binary.LittleEndian.Uint32(t.b))
	t.b = t.b[4:]
	return h, h.clock >= 0 && h.first < 1<<62 && h.count <= len(t.b)
}

// envelope is one being written.
type envelope struct {
	buf    []byte // begins with room for the header
	to     uint64 // the receiver's incarnation, set when it is taken
	stream uint64
	first  uint64
	count  int

	// The events that stand in it already, and under what index; last is the one
	// referred to last, as all shards deliver the same event at about the same time.
	events    map[*feedengine.Event]int
	last      *feedengine.Event
	lastIndex int
}

func newEnvelope(self string, stream, first uint64, size int) *envelope {
	n := headerBytes(self)
	return &envelope{buf: make([]byte, n, n+size), stream: stream, first: first}
}

// index says under which index the event stands already.
func (e *envelope) index(ev *feedengine.Event) (int, bool) {
	if ev == e.last {
		return e.lastIndex, true
	}
	i, ok := e.events[ev]
	if ok {
		e.last, e.lastIndex = ev, i
	}
	return i, ok
}

// enter gives the event the next index.
func (e *envelope) enter(ev *feedengine.Event) {
	if e.events == nil {
		e.events = map[*feedengine.Event]int{}
	}
	e.last, e.lastIndex = ev, len(e.events)
	e.events[ev] = e.lastIndex
}
