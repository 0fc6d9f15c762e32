package presence

import (
	"maps"
	"slices"
	"time"
)

// answers are users of whom the next message tells, each once, in order of asking.
type answers struct {
	list []offline
	has  map[string]bool
}

func (a *answers) add(o offline) {
	if a.has[o.User] {
		return
	}
	if a.has == nil {
		a.has = map[string]bool{}
	}
	a.has[o.User] = true
	a.list = append(a.list, o)
}

func (a *answers) take() []offline {
	list := a.list
	*a = answers{}
	return list
}

// say has the next message tell that a user is here.
func (s *state) say(user string) {
	s.said[user] = true
	s.on.add(offline{User: user})
}

// receive takes in another node's message.
func (s *state) receive(node string, m *message, now time.Time) {
	p := s.peers[node]
	switch {
	case p == nil && len(s.peers) >= maxPeers:
		return
	case p == nil:
		p = &peer{online: map[string]time.Time{}}
		s.peers[node] = p
		delete(s.heard, node) // it may have another life
	case m.Seq <= p.seq: // late, or twice
		return
	}
	p.seq, p.heard = m.Seq, now
	p.acked = max(p.acked, m.Heard[s.node])
	s.want(node, m, now)
	for _, user := range m.On {
		if w := s.watched[user]; w != nil {
			p.online[user] = now
			s.settle(w, time.Time{})
		}
	}
	for _, o := range m.Off {
		if _, was := p.online[o.User]; !was {
			continue
		}
		delete(p.online, o.User)
		at := time.Time{}
		if o.At > 0 {
			at = time.UnixMilli(o.At)
		}
		s.settle(s.watched[o.User], at)
	}
}

// want takes in whom another node's sessions watch.
func (s *state) want(node string, m *message, now time.Time) {
	if len(m.Watch) == 0 {
		return
	}
	s.heard[node] = m.Seq
	for _, user := range m.Watch {
		if _, known := s.wanted[user]; !known && len(s.wanted) >= maxWanted {
			continue
		}
		s.wanted[user] = now.Add(forgetAfter)
		if s.present(user) {
			s.say(user)
		}
	}
	for _, i := range m.There[s.node] {
		if user := m.Watch[i]; !s.present(user) { // that it went was lost
			s.off.add(offline{User: user})
		}
	}
}

// refresh says whom to tell of in this round, and forgets what nobody has said again.
func (s *state) refresh(now time.Time) []*watched {
	list := s.fresh
	s.fresh = nil
	for range (len(s.rotation) + refreshRounds - 1) / refreshRounds {
		if s.next >= len(s.rotation) {
			s.next = 0
		}
		if len(s.rotation) == 0 {
			break
		}
		w := s.rotation[s.next]
		if len(w.watchers) == 0 && now.After(w.keep) {
			s.forget(w)
			continue
		}
		s.next++
		for _, p := range s.peers {
			if at, there := p.online[w.user]; there && now.Sub(at) > forgetAfter {
				delete(p.online, w.user)
				s.settle(w, at)
			}
		}
		list = append(list, w)
	}
	if s.alone {
		return nil
	}
	return list
}

// bury takes the nodes that are silent for dead. Nobody else will say of their users
// when they were last connected.
func (s *state) bury(now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(s.peers)) {
		p := s.peers[name]
		if now.Sub(p.heard) <= silentAfter {
			continue
		}
		delete(s.peers, name)
		delete(s.heard, name)
		for _, user := range slices.Sorted(maps.Keys(p.online)) {
			w := s.watched[user]
			s.settle(w, p.heard)
			if !w.online {
				s.save(user, p.heard)
			}
		}
	}
}

// sweepWanted forgets, now and then, whom nobody else watches any more.
func (s *state) sweepWanted(now time.Time) {
	if now.Sub(s.swept) < forgetAfter/3 {
		return
	}
	s.swept = now
	for user, until := range s.wanted {
		if now.After(until) {
			delete(s.wanted, user)
			delete(s.said, user)
		}
	}
}

// tell makes the node's next message, nil when there is nothing to say.
func (s *state) tell(watch []*watched, now time.Time) []byte {
	if s.alone {
		return nil
	}
	if len(watch) == 0 && len(s.on.list) == 0 && len(s.off.list) == 0 && len(s.heard) == 0 &&
		now.Sub(s.sentAt) < beatEvery {
		return nil
	}
	s.seq++
	s.sentAt = now
	m := message{Seq: s.seq, Heard: s.heard}
	s.heard = map[string]uint64{}
	for _, o := range s.off.take() {
		if !s.said[o.User] { // else it has come back meanwhile
			m.Off = append(m.Off, o)
		}
	}
	for _, o := range s.on.take() {
		if s.said[o.User] { // else it has gone meanwhile
			m.On = append(m.On, o.User)
		}
	}
	at := map[string]bool{}
	for _, w := range watch {
		if s.watched[w.user] != w || at[w.user] {
			continue
		}
		at[w.user] = true
		for name, p := range s.peers {
			if _, there := p.online[w.user]; there {
				if m.There == nil {
					m.There = map[string][]int{}
				}
				m.There[name] = append(m.There[name], len(m.Watch))
			}
		}
		m.Watch = append(m.Watch, w.user)
	}
	return m.encode()
}
