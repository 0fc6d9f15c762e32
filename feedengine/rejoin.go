package feedengine

// rejoin takes back sessions that their gateway had attached before.
func (e *Engine) rejoin(in RejoinInput) {
	if in.Whole {
		e.forgetOthers(in)
	}
	for _, r := range in.Sessions {
		s, ok := e.users[r.User]
		if !ok {
			s, _ = e.newView(r.User)
		}
		e.rejoinOne(s, in.Gateway, r)
	}
}

// forgetOthers detaches the sessions of the gateway that it does not name.
// Attaches that wait are requests under way and stay.
func (e *Engine) forgetOthers(in RejoinInput) {
	named := make(map[SessionID]bool, len(in.Sessions))
	for _, r := range in.Sessions {
		named[r.Session] = true
	}
	for s := slot(1); s < e.used; s++ {
		if v := e.at(s); len(v.sessions) > 0 {
			e.release(v, func(o session) bool { return o.gateway == in.Gateway && !named[o.id] })
			e.leave(s)
		}
	}
}

// rejoinOne attaches a session and brings it up to date. What the gateway knows
// of it counts, also when it is attached already.
func (e *Engine) rejoinOne(s slot, g GatewayID, r Rejoin) {
	v := e.at(s)
	e.idle.remove(e, s)
	sn := e.hold(v, session{id: r.Session, gateway: g, background: r.Background, n: r.N})
	switch {
	case v.phase == phaseLoading:
		p := v.waits()
		if p.reset == "" { // else it will be told with the others
			p.reset = ResetViewRebuilt
		}
		e.askLoad(v, 0)
	case r.Stream != v.stream:
		sn.n = v.n
		e.sendReset(v, *sn, ResetViewRebuilt)
	case r.N > v.n || r.V > v.v:
		// Another life of this stream went on further than this one knows. What
		// the numbers mean from here on cannot be told: begin a new stream.
		e.rebuild(s, ResetViewRebuilt)
	default:
		_, ok := v.since(r.N)
		if ok || sn.background { // from here on the gateway takes what follows r.N
			e.emit(SendReset{g, Reset{Session: sn.id, Stream: v.stream, N: r.N, Reason: Rejoined, Counts: v.counts()}})
		}
		if !sn.background {
			e.catchUp(v, sn, r.N)
		}
	}
}

// gatewayGone detaches all sessions of a gateway, and withdraws its attaches.
func (e *Engine) gatewayGone(g GatewayID) {
	for s := slot(1); s < e.used; s++ {
		v := e.at(s)
		if v.phase == phaseFree {
			continue
		}
		e.withdrawAttach(v, func(w *AttachInput) bool { return w.Gateway == g })
		e.release(v, func(o session) bool { return o.gateway == g })
		e.leave(s)
	}
}
