package link

import "github.com/feedgate/feedgate/feedengine"

// reading is an envelope being read.
type reading struct {
	taker
	lookup func(feedengine.ShardID, uint64, uint64) *feedengine.Event
	events []entered
	to     []feedengine.Recipient // of the Deliver read last
	rejoin []feedengine.Rejoin    // of the Rejoin read last
}

// entered is an event that the envelope's later messages may refer to.
type entered struct {
	ev   *feedengine.Event
	bare bool // only its position is known
}

// begin takes the next envelope, in the buffers of the one before.
func (r *reading) begin(b []byte) {
	clear(r.events)
	r.events = r.events[:0]
	r.taker = taker{b: b}
}

// message reads the next message; nil when it cannot be read.
func (r *reading) message() Message {
	m := r.any()
	if r.bad {
		return nil
	}
	return m
}

func (r *reading) any() Message {
	t := &r.taker
	switch t.byte() {
	case kindAsk:
		m := Ask{ID: t.uint(), Shard: t.shard(), User: t.string(), Deadline: t.time(), Key: t.string()}
		m.Do = t.action()
		return m
	case kindRejoin:
		return r.rejoins()
	case kindAnswer:
		m := Answer{ID: t.uint(), Place: t.place(), Elsewhere: t.bool()}
		if m.Elsewhere {
			m.Result.Err = feedengine.ErrElsewhere
		} else {
			m.Result = t.result()
		}
		return m
	case kindDeliver:
		return r.deliver()
	case kindReset:
		m := Reset{Place: t.place()}
		m.Session, m.Stream, m.N = t.session(), feedengine.StreamID(t.uint()), t.uint()
		m.Reason, m.Counts = feedengine.ResetReason(t.string()), t.counts()
		return m
	case kindHand:
		m := Hand{Move: t.uint(), Shard: t.shard(), Epoch: t.uint()}
		m.Part, m.Parts, m.Data = int(t.upTo(1<<30)), int(t.upTo(1<<30)), t.bytes()
		return m
	case kindTaken:
		return Taken{Move: t.uint(), Shard: t.shard(), Epoch: t.uint(), OK: t.bool(), Why: t.string()}
	case kindAnnounce:
		return t.announce()
	case kindHeads:
		return t.heads()
	case kindServing:
		m := Serving{Places: make([]feedengine.Place, t.count(2))}
		for i := range m.Places {
			m.Places[i] = t.place()
		}
		return m
	case kindKick:
		return Kick{User: t.string()}
	case kindQuery:
		return Query{ID: t.uint(), What: t.string(), Args: t.bytes()}
	case kindTold:
		return Told{ID: t.uint(), Err: t.string(), Data: t.bytes()}
	}
	t.fail()
	return nil
}

func (r *reading) deliver() Message {
	m := Deliver{Place: r.place()}
	switch ref := r.uint(); ref {
	case refNone:
	case refBody:
		r.events = append(r.events, entered{ev: r.event(position{})})
		m.Event = r.events[len(r.events)-1].ev
	case refBare:
		at, kind := r.position(), feedengine.EventKind(r.byte())
		if r.bad {
			return nil
		}
		one := entered{ev: r.lookup(at.shard, at.epoch, at.seq)}
		if one.ev == nil {
			one = entered{bare: true, ev: &feedengine.Event{Shard: at.shard, Epoch: at.epoch, Seq: at.seq, Kind: kind}}
		}
		r.events = append(r.events, one)
		m.Event, m.Bare = one.ev, one.bare
	default:
		i := ref - refIndex
		if i >= uint64(len(r.events)) {
			r.fail()
			return nil
		}
		m.Event, m.Bare = r.events[i].ev, r.events[i].bare
	}
	r.to = r.recipients(r.to)
	m.To = r.to
	return m
}

func (r *reading) rejoins() Message {
	m := Rejoin{Shard: r.shard(), Whole: r.bool()}
	const least = 6
	n := r.count(least)
	clear(r.rejoin)
	r.rejoin = r.rejoin[:0]
	for range n {
		r.rejoin = append(r.rejoin, feedengine.Rejoin{
			User: r.string(), Session: r.session(), Stream: feedengine.StreamID(r.uint()),
			N: r.uint(), V: r.uint(), Background: r.bool(),
		})
	}
	m.Sessions = r.rejoin
	return m
}

func (t *taker) announce() Message {
	m := Announce{Shard: t.shard(), Epoch: t.uint(), First: t.uint()}
	const least = 11
	m.Events = make([]*feedengine.Event, t.count(least))
	before := position{}
	for i := range m.Events {
		m.Events[i] = t.event(before)
		before = positionOf(m.Events[i])
	}
	return m
}

func (t *taker) heads() Message {
	const leastOwned, leastLink = 12, 4
	m := Heads{Owned: make([]OwnedHead, t.count(leastOwned))}
	for i := range m.Owned {
		m.Owned[i] = OwnedHead{Shard: t.shard(), Head: t.head()}
	}
	n := t.count(leastLink)
	m.Links = make(map[string]LinkHead, n)
	for range n {
		node := t.string()
		m.Links[node] = LinkHead{To: t.uint(), Stream: t.uint(), Seq: t.uint()}
	}
	return m
}
