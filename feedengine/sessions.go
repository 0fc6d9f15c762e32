package feedengine

import "slices"

// arrived is what a load brought beside the view itself.
type arrived struct {
	page  *Page
	asked int    // length of the page that was asked for
	first uint64 // the stream's first event that is not on the page, 0 when that is not known
}

func (e *Engine) attach(in AttachInput) {
	e.ask(in.User, waiter{token: in.Token, attach: &in})
}

// answer gives a waiter what it wants if the live view, and what a load has just
// brought, suffice.
func (e *Engine) answer(s slot, v *view, w waiter, got *arrived) bool {
	moves := w.read != nil && w.read.Upto > v.mark(w.read.List)
	switch {
	case w.attach != nil && w.attach.Page > 0 && (got == nil || got.page == nil || got.asked < w.attach.Page):
		return false
	case moves: // the counters will be those after it
		e.saveMark(v, w.token, *w.read)
	case v.stale():
		return false
	case w.attach != nil:
		return e.enter(s, v, w, got)
	default:
		e.reply(w.token, v.counted(w.list))
	}
	return true
}

// counted is a reply with the counters and a list's mark, or with list 0 those of
// all conversations and the feed's mark.
func (v *view) counted(list List) Result {
	r := Result{Stream: v.stream, Counts: v.counts()}
	if list == 0 {
		list = ListFeed
		if v.social != nil {
			r.Chats = v.social.chats.unread()
		}
	}
	r.Upto = v.mark(list)
	return r
}

// enter attaches a session to its stream, answers, and replays what it missed.
func (e *Engine) enter(s slot, v *view, w waiter, got *arrived) bool {
	in := w.attach
	r := Result{Stream: v.stream, N: v.n, Counts: v.counts()}
	if in.Page > 0 {
		// The stream is said to stand where everything up to it is on the page.
		r.N = got.first - 1
		if _, ok := v.since(r.N); !ok { // also of 0-1
			return false // the tail does not have all the rest
		}
		r.Page = got.page.first(in.Page)
	}
	from := r.N
	if in.Resume != nil && in.Resume.Stream == v.stream {
		if _, ok := v.since(in.Resume.N); ok {
			if in.Resume.N > r.N {
				return false // the client has seen what the page does not know
			}
			r.Resumed = true
			from = in.Resume.N
			r.Replay = int(r.N - from)
		}
	}
	e.idle.remove(e, s)
	e.reply(w.token, r)
	if old := v.session(in.Gateway, in.Session); old != nil && old.background {
		return true // asked twice on the way; the first answer came through, and its state since stands
	}
	e.replay(v, e.hold(v, session{id: in.Session, gateway: in.Gateway}), from)
	return true
}

// hold makes a session one of the view's, or replaces what it is there.
func (e *Engine) hold(v *view, s session) *session {
	if old := v.session(s.gateway, s.id); old != nil {
		*old = s
		return old
	}
	v.sessions = append(v.sessions, s)
	e.stats.Sessions++
	return &v.sessions[len(v.sessions)-1]
}

// release ends those of the view's sessions that match.
func (e *Engine) release(v *view, match func(session) bool) {
	n := len(v.sessions)
	v.sessions = slices.DeleteFunc(v.sessions, match)
	e.stats.Sessions -= n - len(v.sessions)
}

// withdrawAttach refuses the attaches of the view that wait and match.
func (e *Engine) withdrawAttach(v *view, match func(*AttachInput) bool) {
	if v.pending == nil {
		return
	}
	v.pending.waiters = slices.DeleteFunc(v.pending.waiters, func(w waiter) bool {
		gone := w.attach != nil && match(w.attach)
		if gone {
			e.refuse(w.token, errNoSession)
		}
		return gone
	})
}

// first is the page cut to its first n posts.
func (p *Page) first(n int) *Page {
	if len(p.Posts) <= n {
		return p
	}
	return &Page{Posts: p.Posts[:n:n], Next: p.Posts[n-1].ID}
}

// replay sends a session the events after number n, which the tail has.
func (e *Engine) replay(v *view, s *session, n uint64) {
	events, _ := v.since(n)
	for _, ev := range events {
		n++
		e.deliver(s.gateway, ev, []Recipient{{Session: s.id, N: n, Counts: v.counts()}})
	}
}

// catchUp sends a session the events after number n, or a reset.
func (e *Engine) catchUp(v *view, s *session, n uint64) {
	if _, ok := v.since(n); !ok {
		s.n = v.n
		e.sendReset(v, *s, ResetTooFarBack)
		return
	}
	e.replay(v, s, n)
}

func (e *Engine) sendReset(v *view, s session, reason ResetReason) {
	e.emit(SendReset{s.gateway, Reset{Session: s.id, Stream: v.stream, N: v.n, Reason: reason, Counts: v.counts()}})
}

var errNoSession = Refuse(Unavailable, "this socket is not attached to its stream just now")

// attached finds a session. A request for one that is not there is refused.
func (e *Engine) attached(token Token, user string, g GatewayID, id SessionID) (*view, *session) {
	if at, ok := e.users[user]; ok {
		v := e.at(at)
		if s := v.session(g, id); s != nil {
			return v, s
		}
	}
	e.refuse(token, errNoSession)
	return nil, nil
}

func (e *Engine) sync(in SyncInput) {
	v, s := e.attached(in.Token, in.User, in.Gateway, in.Session)
	if s == nil {
		return
	}
	e.reply(in.Token, Result{})
	switch {
	case v.phase == phaseLoading: // a reset will come
	case s.background && in.N <= v.n:
		s.n = in.N
	default:
		e.catchUp(v, s, in.N)
	}
}

func (e *Engine) setState(in StateInput) {
	v, s := e.attached(in.Token, in.User, in.Gateway, in.Session)
	if s == nil {
		return
	}
	e.reply(in.Token, Result{})
	switch {
	case v.phase == phaseLoading: // a reset will come
		s.background = in.Background
	case in.Background && !s.background:
		s.background, s.n = true, v.n
	case !in.Background && s.background:
		s.background = false
		e.catchUp(v, s, s.n)
	}
}

// detach ends a session, and a waiting attach of it. It is never refused.
func (e *Engine) detach(in DetachInput) {
	defer e.reply(in.Token, Result{})
	at, ok := e.users[in.User]
	if !ok {
		return
	}
	v := e.at(at)
	e.withdrawAttach(v, func(w *AttachInput) bool { return w.Gateway == in.Gateway && w.Session == in.Session })
	e.release(v, func(s session) bool { return s.gateway == in.Gateway && s.id == in.Session })
	e.leave(at)
}

// leave lets a view go idle when it has no session and owes nothing, or go
// altogether when there is nothing in it either.
func (e *Engine) leave(s slot) {
	v := e.at(s)
	if len(v.sessions) == 0 && v.pending != nil {
		v.pending.reset = "" // nobody is there to be told
	}
	v.settle()
	switch {
	case len(v.sessions) > 0 || v.pending != nil:
	case v.phase == phaseLoading:
		e.drop(s)
	case !v.idle:
		e.idle.add(e, s)
	}
}
