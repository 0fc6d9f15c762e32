package feedengine

var errNoList = Refuse(BadRequest, "there is no read mark of that list")

// read begins to move a read mark.
func (e *Engine) read(in ReadInput) {
	if in.List != ListFeed && in.List != ListNotifications {
		e.refuse(in.Token, errNoList)
		return
	}
	in.Upto = min(in.Upto, in.Clock)
	e.ask(in.User, waiter{token: in.Token, read: &in, list: in.List})
}

// saveMark asks for a mark that moves to be made durable.
func (e *Engine) saveMark(v *view, token Token, in ReadInput) {
	v.waits().marks++
	e.emit(SaveMark{token, Mark{User: v.user, List: in.List, Upto: in.Upto}})
}

// markSaved moves the mark that is durable now, tells all devices, and answers.
func (e *Engine) markSaved(in MarkSavedInput) {
	s, ok := e.users[in.Mark.User]
	if !ok { // cannot be: a view with a mark under way stays
		e.refuse(in.Token, errNoSession)
		return
	}
	v := e.at(s)
	p := v.pending
	p.marks--
	if in.Err != nil {
		e.refuse(in.Token, in.Err)
		e.leave(s)
		return
	}
	if v.phase == phaseLoading { // rebuilt meanwhile, perhaps by a load from before
		p.saved = append(p.saved, in.Mark)
	} else if v.moveTo(in.Mark.List, in.Mark.Upto) {
		e.pushRead(v, in.Mark.List)
	}
	e.ask(in.Mark.User, waiter{token: in.Token, list: in.Mark.List})
	e.leave(s)
}

// pushRead makes the mark's move the stream's next event.
func (e *Engine) pushRead(v *view, list List) {
	ev := &Event{Kind: KindRead, Actor: v.user, List: list, Target: v.mark(list)}
	e.give(v, ev, true)
	e.flush(ev)
}
