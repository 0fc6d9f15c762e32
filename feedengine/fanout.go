package feedengine

// fanout collects the recipients of one event, by gateway.
type fanout struct {
	groups  []group     // indexed by GatewayID
	touched []GatewayID // groups with recipients, in the order of their first
	to      []Recipient // the step's recipients, as Deliver effects hold them
}

type group struct {
	events []Recipient // get the event and their counters
	counts []Recipient // get their counters alone
}

func (f *fanout) group(g GatewayID) *group {
	for int(g) >= len(f.groups) {
		f.groups = append(f.groups, group{})
	}
	p := &f.groups[g]
	if len(p.events)+len(p.counts) == 0 {
		f.touched = append(f.touched, g)
	}
	return p
}

// tell puts the view's sessions among the recipients of the event that it has
// just taken. Those in the background hear of it when it counted.
func (e *Engine) tell(v *view, counted bool) {
	for i := range v.sessions {
		s := &v.sessions[i]
		if !s.background {
			g := e.fan.group(s.gateway)
			g.events = append(g.events, Recipient{Session: s.id, N: v.n, Counts: v.counts()})
		} else if counted {
			g := e.fan.group(s.gateway)
			g.counts = append(g.counts, Recipient{Session: s.id, Counts: v.counts()})
		}
	}
}

// pushCounts tells all of the view's sessions that its counters changed.
func (e *Engine) pushCounts(v *view) {
	v.v++
	for i := range v.sessions {
		g := e.fan.group(v.sessions[i].gateway)
		g.counts = append(g.counts, Recipient{Session: v.sessions[i].id, Counts: v.counts()})
	}
	e.flush(nil)
}

// flush turns what was collected into Deliver effects, one or two a gateway.
func (e *Engine) flush(event *Event) {
	for _, g := range e.fan.touched {
		p := &e.fan.groups[g]
		e.deliver(g, event, p.events)
		e.deliver(g, nil, p.counts)
		p.events, p.counts = p.events[:0], p.counts[:0]
	}
	e.fan.touched = e.fan.touched[:0]
}

// deliver emits one Deliver with a copy of the recipients.
func (e *Engine) deliver(g GatewayID, event *Event, to []Recipient) {
	if len(to) == 0 {
		return
	}
	from := len(e.fan.to)
	e.fan.to = append(e.fan.to, to...)
	e.emit(Deliver{g, Delivery{Event: event, To: e.fan.to[from:len(e.fan.to):len(e.fan.to)]}})
}

// applyLog takes the next event of a log.
func (e *Engine) applyLog(in LogInput) {
	ev := in.Event
	head := &e.heads[ev.Shard]
	switch {
	case ev.Seq <= head.Seq:
		return // known already
	case ev.Epoch < head.Epoch && ev.Seq >= head.First:
		return // of a history that was lost
	case ev.Seq != head.Seq+1:
		e.emit(Gap{ev.Shard, head.Seq})
		return
	}
	if ev.Epoch != head.Epoch {
		head.Epoch, head.First = ev.Epoch, ev.Seq
		if len(e.loads) > 0 {
			e.giveUp(func(l *load) bool { return fromLost(l.Heads, e.heads) })
		}
	}
	head.Seq, head.ID = ev.Seq, ev.ID

	switch ev.Kind {
	case KindFollow:
		e.follow(in)
	case KindUnfollow:
		e.unfollow(ev)
	case KindBlock, KindUnblock, KindMute, KindUnmute:
		e.hide(ev)
	}
	e.concern(ev)
	e.advanceLoads(ev)
}

// pass takes note of an event that concerns nobody here, as most do in most
// shards, and reports whether it was such a one. It is a shortcut: what
// it leaves to applyLog has the same outcome there.
func (e *Engine) pass(ev *Event) bool {
	head := &e.heads[ev.Shard]
	if ev.Shard == e.opts.Shard || len(e.loads) > 0 || ev.Seq != head.Seq+1 || ev.Epoch != head.Epoch || !e.concernsNobody(ev) {
		return false
	}
	head.Seq, head.ID = ev.Seq, ev.ID
	return true
}

// fanOut lets everybody whom an author's event concerns take it: the local
// followers and the author.
func (e *Engine) fanOut(ev *Event, take func(*Engine, *Event, slot, author)) {
	if a, ok := e.authors.find(ev.Actor); ok {
		for _, s := range e.authors.followers(a) {
			take(e, ev, s, a)
		}
	}
	if s, ok := e.own(ev); ok {
		take(e, ev, s, nobody)
	}
	e.flush(ev)
}

// own finds the view of the user whose doing the event is, if that is resident
// here and is to hear of it: what users do in the logs of others is no part of
// their streams, or names them among its Users. So the other shards need not
// look: each shard sees each event.
func (e *Engine) own(ev *Event) (slot, bool) {
	if ev.Shard != e.opts.Shard {
		return 0, false
	}
	s, ok := e.users[ev.Actor]
	return s, ok
}

// nobody stands for the author in the author's own view, where nothing counts.
const nobody = ^author(0)

// takePost is the hot path. What it costs is cache misses, and only reads stall:
// the view (neighbours follow each other in slot order) and its session are
// read, tail and unread ids are appended to without a look (counter.top).
// Looking at the newest unread id for each recipient cost a third more.
func (e *Engine) takePost(ev *Event, s slot, by author) {
	v, c := e.part(s)
	if v == nil || !e.addressed(ev, v, s, by) || v.hides().hidden(ev.Actor) {
		return
	}
	if by != nobody {
		c.feed.add(ev.ID, by, e.opts.KeepUnread)
	}
	e.give(v, ev, by != nobody)
}

// addressed reports whether a post came after the follow. Only an edge that is
// younger than its author's log needs to be asked; or the load, of a view that joins.
func (e *Engine) addressed(ev *Event, v *view, s slot, by author) bool {
	switch {
	case by == nobody:
		return true
	case e.replaying:
		return ev.ID > v.pending.loaded.since(ev.Actor)
	case len(e.young) == 0:
		return true
	}
	since, ok := e.young[edge{s, by}]
	if ok && ev.ID > since { // ids of a log ascend: so are all to come
		delete(e.young, edge{s, by})
		ok = false
	}
	return !ok
}

func (e *Engine) takeEdit(ev *Event, s slot, _ author) {
	if v, _ := e.part(s); v != nil && !v.hides().hidden(ev.Actor) {
		e.give(v, ev, false)
	}
}

func (e *Engine) takeDeletion(ev *Event, s slot, by author) {
	v, c := e.part(s)
	if v == nil || v.hides().hidden(ev.Actor) {
		return
	}
	v.withdrawPost(ev.Target)
	before := c.counts()
	if by == nobody {
		v.dropNotes(c, ev.Target)
	} else {
		c.feed.remove(ev.Target)
	}
	e.give(v, ev, c.counts() != before)
	e.recountIfStale(v)
}
