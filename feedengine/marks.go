package feedengine

var errNoList = Refuse(BadRequest, "there is no read mark of that list")

// read begins to move a read mark.
func (e *Engine) read(in ReadInput) {
	if in.List != ListFeed {
		e.refuse(in.Token, errNoList)
		return
	}
	in.Upto = min(in.Upto, in.Clock)
	e.ask(in.User, waiter{token: in.Token, read: &in})
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
		p.mark = max(p.mark, in.Mark.Upto)
	} else if v.feed.moveTo(in.Mark.Upto) {
		e.pushRead(v)
	}
	e.ask(in.Mark.User, waiter{token: in.Token})
	e.leave(s)
}

// pushRead makes the mark's move the stream's next event.
func (e *Engine) pushRead(v *view) {
	v.v++
	ev := &Event{Kind: KindRead, Actor: v.user, List: ListFeed, Target: v.feed.mark}
	v.push(ev, e.opts.KeepTail)
	e.tell(v, true)
	e.flush(ev)
}
