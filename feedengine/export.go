package feedengine

// retire answers whatever waits for a load.
func (e *Engine) retire() {
	for s := slot(1); s < e.used; s++ {
		v := e.at(s)
		if v.phase == phaseFree || v.pending == nil {
			continue
		}
		waiters := v.pending.waiters
		v.pending.waiters = nil
		for _, w := range waiters {
			e.refuse(w.token, ErrElsewhere)
		}
		e.leave(s)
	}
}

// Export is the engine's state for the next owner, who goes on with Import. It
// comes after a RetireInput, and from then on this engine must not be stepped
// with log events, lest two owners number a stream's events differently. Left
// out are views that are being loaded or have a mark under way: their sessions
// get a Reset from the next owner.
//
// The order of the views is that in which they should be evicted.
func (e *Engine) Export() *Handover {
	h := &Handover{Shard: e.opts.Shard, Heads: append([]Head(nil), e.heads...), Next: e.streams + 1}
	x := exporter{Engine: e, h: h, events: make(map[*Event]uint32)}
	for s := e.idle.oldest; s != 0; s = e.at(s).newer {
		x.view(s)
	}
	for s := slot(1); s < e.used; s++ {
		if v := e.at(s); v.phase == phaseLive && !v.idle {
			x.view(s)
		}
	}
	return h
}

// exporter adds views to a handover.
type exporter struct {
	*Engine
	h      *Handover
	events map[*Event]uint32 // index in h.Events
}

func (x *exporter) view(s slot) {
	v := x.at(s)
	if v.pending != nil && v.pending.marks > 0 {
		return
	}
	w := HandoverView{User: v.user, Stream: v.stream, N: v.n, V: v.v}
	w.Follows = make([]HandoverEdge, len(v.follows))
	for i, a := range v.follows {
		w.Follows[i] = HandoverEdge{Author: string(x.authors.name(a)), Young: x.young[edge{s, a}]}
	}
	w.Tail = make([]uint32, len(v.tail))
	for i, ev := range v.tail {
		at, ok := x.events[ev]
		if !ok {
			at = uint32(len(x.h.Events))
			x.events[ev] = at
			x.h.Events = append(x.h.Events, ev)
		}
		w.Tail[i] = at
	}
	w.Feed = x.counter(&v.feed)
	if m := v.social; m != nil {
		w.Name, w.Hides = m.name, m.hides.list()
		w.Notes = x.counter(&m.notes)
		w.ChatTop, w.ChatsStale = m.chats.top, m.chats.stale
		for i := range m.chats.list {
			w.Chats = append(w.Chats, HandoverChat{m.chats.list[i].conversation, x.counter(&m.chats.list[i].counter)})
		}
	}
	x.h.Views = append(x.h.Views, w)
}

func (x *exporter) counter(c *counter) HandoverCounter {
	h := HandoverCounter{Mark: c.mark, Kept: make([]UnreadID, len(c.kept)), Below: c.below, More: c.more, Stale: c.stale, Lost: c.lost}
	for i, u := range c.kept {
		h.Kept[i].ID = u.id
		if u.by != nobody {
			h.Kept[i].Author = string(x.authors.name(u.by))
		}
	}
	return h
}

// Import returns an engine that goes on where Export's left off, at the
// handover's heads: the caller steps it through what came since. Of opts, Heads
// and FirstStream come from the handover. now is as for Step. The handover
// must be one that Export made or DecodeHandover accepted.
func Import(opts Options, h *Handover, now int64) *Engine {
	opts.Shard, opts.Heads, opts.FirstStream = h.Shard, h.Heads, h.Next
	e := New(opts)
	e.now = now
	for i := range h.Views {
		e.importView(h, &h.Views[i])
	}
	return e
}

func (e *Engine) importView(h *Handover, w *HandoverView) {
	s, v := e.newView(w.User)
	v.phase = phaseLive
	v.stream, v.n, v.v = w.Stream, w.N, w.V
	v.follows = make([]author, len(w.Follows))
	for i, f := range w.Follows {
		v.follows[i] = e.authors.add(f.Author, s)
		if f.Young != 0 {
			e.young[edge{s, v.follows[i]}] = f.Young
		}
	}
	// The last owner may have kept more than this one does.
	tail := w.Tail[max(0, len(w.Tail)-2*e.opts.KeepTail):]
	v.tail = make([]*Event, len(tail))
	for i, at := range tail {
		v.tail[i] = h.Events[at]
	}
	v.feed = e.importCounter(w.Feed)
	e.importSocial(v, w)
	if v.stale() {
		e.retry = append(e.retry, s)
	}
	e.idle.add(e, s)
}

func (e *Engine) importSocial(v *view, w *HandoverView) {
	if !w.social() {
		return
	}
	m := v.more()
	m.name, m.notes = w.Name, e.importCounter(w.Notes)
	for _, h := range w.Hides {
		m.hides.set(h.Other, h.Kind, true)
	}
	m.chats.top, m.chats.stale = w.ChatTop, w.ChatsStale
	for i := range w.Chats {
		m.chats.list = append(m.chats.list, chat{w.Chats[i].Conversation, e.importCounter(w.Chats[i].HandoverCounter)})
	}
	m.chats.sum()
}

func (e *Engine) importCounter(h HandoverCounter) counter {
	kept := h.Kept[max(0, len(h.Kept)-2*e.opts.KeepUnread):]
	c := counter{mark: h.Mark, below: h.Below + int32(len(h.Kept)-len(kept)), more: h.More, stale: h.Stale, lost: h.Lost}
	c.kept = make([]unread, len(kept))
	for i, u := range kept {
		by := nobody
		if u.Author != "" {
			by, _ = e.authors.find(u.Author)
		}
		c.kept[i] = unread{u.ID, by}
		c.top = u.ID
	}
	return c
}
