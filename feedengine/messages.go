package feedengine

// deliverMessage gives a message to the members of its conversation. It counts for
// all but the sender.
func (e *Engine) deliverMessage(ev *Event) {
	m, ok := ev.Fact.(*Message)
	if !ok {
		return
	}
	for _, user := range ev.Users {
		v, c := e.partOf(user)
		if v == nil || v.hides().blocked(ev.Actor) {
			continue
		}
		if user != ev.Actor {
			c.more().chats.add(m.Conversation, ev.ID, e.opts.KeepUnread)
		}
		e.give(v, ev, user != ev.Actor)
		e.recountIfStale(v)
	}
	e.flush(ev)
}

// takeSeen moves the actor's read mark of a conversation, and tells the senders of
// what was got or read.
func (e *Engine) takeSeen(ev *Event) {
	seen, ok := ev.Fact.(*Seen)
	if !ok {
		return
	}
	if v, c := e.partOf(ev.Actor); v != nil && seen.Read {
		c.more().chats.read(seen.Conversation, seen.Upto)
		told := ev.derive(KindRead)
		told.List, told.Target, told.Fact = ListMessages, seen.Upto, seen
		e.give(v, told, true)
		e.flush(told)
		e.recountIfStale(v)
	}
	var told *Event
	for _, user := range ev.Users {
		v, _ := e.partOf(user)
		if v == nil || user == ev.Actor || v.hides().blocked(ev.Actor) {
			continue
		}
		if told == nil {
			told = ev.derive(KindReceipt)
			told.Fact = seen
		}
		e.give(v, told, false)
	}
	if told != nil {
		e.flush(told)
	}
}
