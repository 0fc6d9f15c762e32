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

// saveMark asks for a mark to be made durable, if it moves.
func (e *Engine) saveMark(v *view, in ReadInput) {
	if in.Upto <= v.feed.mark {
		e.ask(v.user, waiter{token: in.Token, mark: v.feed.mark})
		return
	}
	v.waits().marks++
	e.emit(SaveMark{in.Token, Mark{User: v.user, List: in.List, Upto: in.Upto}})
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
		v.v++
		ev := &Event{Kind: KindRead, Actor: v.user, List: in.Mark.List, Target: in.Mark.Upto}
		v.push(ev, e.opts.KeepTail)
		e.tell(v, true)
		e.flush(ev)
	}
	e.ask(in.Mark.User, waiter{token: in.Token, mark: max(in.Mark.Upto, v.feed.mark)})
	e.leave(s)
}
