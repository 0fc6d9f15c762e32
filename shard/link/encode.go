package link

import "github.com/feedgate/feedgate/feedengine"

// Which message it is. The numbers travel; they never change their meaning.
const (
	kindAsk      = 1
	kindRejoin   = 2
	kindAnswer   = 3
	kindDeliver  = 4
	kindReset    = 5
	kindHand     = 6
	kindTaken    = 7
	kindAnnounce = 8
	kindHeads    = 9
	kindServing  = 10
	kindKick     = 11
	kindQuery    = 12
	kindTold     = 13
)

// How a Deliver refers to its event.
const (
	refNone  = 0 // there is none: counters only
	refBody  = 1 // it follows, and gets the envelope's next index
	refBare  = 2 // its position and kind follow, and get the envelope's next index
	refIndex = 3 // and above: the event of that index
)

// put writes a message, and says false when it is of a kind that it does not know; then
// nothing has been written. bare says which events may go as their position.
func (e *envelope) put(m Message, bare func(*feedengine.Event) bool) bool {
	b := e.buf
	switch m := m.(type) {
	case Ask:
		b = append(b, kindAsk)
		b = putUint(b, m.ID)
		b = putUint(b, uint64(m.Shard))
		b = putString(b, m.User)
		b = putTime(b, m.Deadline)
		b = putString(b, m.Key)
		var ok bool
		if b, ok = putAction(b, m.Do); !ok {
			return false
		}
	case Rejoin:
		b = putRejoin(append(b, kindRejoin), &m)
	case Answer:
		b = append(b, kindAnswer)
		b = putUint(b, m.ID)
		b = putPlace(b, m.Place)
		b = putBool(b, m.Elsewhere)
		if !m.Elsewhere {
			b = putResult(b, &m.Result)
		}
	case Deliver:
		e.putDeliver(&m, bare)
		return true
	case Reset:
		b = putPlace(append(b, kindReset), m.Place)
		b = putUint(b, uint64(m.Session))
		b = putUint(b, uint64(m.Stream))
		b = putUint(b, m.N)
		b = putString(b, string(m.Reason))
		b = putCounts(b, m.Counts)
	case Hand:
		b = putUint(append(b, kindHand), m.Move)
		b = putPlace(b, feedengine.Place{Shard: m.Shard, Epoch: m.Epoch})
		b = putUint(b, uint64(m.Part))
		b = putUint(b, uint64(m.Parts))
		b = putBytes(b, m.Data)
	case Taken:
		b = putUint(append(b, kindTaken), m.Move)
		b = putPlace(b, feedengine.Place{Shard: m.Shard, Epoch: m.Epoch})
		b = putBool(b, m.OK)
		b = putString(b, m.Why)
	case Announce:
		b = putAnnounce(append(b, kindAnnounce), &m)
	case Heads:
		b = putHeads(append(b, kindHeads), &m)
	case Serving:
		b = putUint(append(b, kindServing), uint64(len(m.Places)))
		for _, p := range m.Places {
			b = putPlace(b, p)
		}
	case Kick:
		b = putString(append(b, kindKick), m.User)
	case Query:
		b = putUint(append(b, kindQuery), m.ID)
		b = putString(b, m.What)
		b = putBytes(b, m.Args)
	case Told:
		b = putUint(append(b, kindTold), m.ID)
		b = putString(b, m.Err)
		b = putBytes(b, m.Data)
	default:
		return false
	}
	e.buf = b
	return true
}

func (e *envelope) putDeliver(m *Deliver, bare func(*feedengine.Event) bool) {
	b := putPlace(append(e.buf, kindDeliver), m.Place)
	if ev := m.Event; ev == nil {
		b = append(b, refNone)
	} else if i, ok := e.index(ev); ok {
		b = putUint(b, uint64(refIndex+i))
	} else {
		e.enter(ev)
		if m.Bare || bare(ev) {
			b = putPosition(append(b, refBare), positionOf(ev))
			b = append(b, byte(ev.Kind))
		} else {
			b = putEvent(append(b, refBody), ev, position{}, false)
		}
	}
	e.buf = putRecipients(b, m.To)
}

func putRejoin(b []byte, m *Rejoin) []byte {
	b = putUint(b, uint64(m.Shard))
	b = putBool(b, m.Whole)
	b = putUint(b, uint64(len(m.Sessions)))
	for i := range m.Sessions {
		s := &m.Sessions[i]
		b = putString(b, s.User)
		b = putUint(b, uint64(s.Session))
		b = putUint(b, uint64(s.Stream))
		b = putUint(b, s.N)
		b = putUint(b, s.V)
		b = putBool(b, s.Background)
	}
	return b
}

func putAnnounce(b []byte, m *Announce) []byte {
	b = putPlace(b, feedengine.Place{Shard: m.Shard, Epoch: m.Epoch})
	b = putUint(b, m.First)
	b = putUint(b, uint64(len(m.Events)))
	before := position{}
	for _, ev := range m.Events {
		b = putEvent(b, ev, before, !ev.Travels())
		before = positionOf(ev)
	}
	return b
}

func putHeads(b []byte, m *Heads) []byte {
	b = putUint(b, uint64(len(m.Owned)))
	for _, o := range m.Owned {
		b = putUint(b, uint64(o.Shard))
		b = putHead(b, o.Head)
	}
	b = putUint(b, uint64(len(m.Links)))
	for node, h := range m.Links {
		b = putString(b, node)
		b = putUint(b, h.To)
		b = putUint(b, h.Stream)
		b = putUint(b, h.Seq)
	}
	return b
}
