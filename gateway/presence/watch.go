package presence

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// watch makes the users, at most MaxUsers, each once, those whom the session
// watches, in the place of those before, and says how they stand. What changes from
// then on is shown after release.
func (s *state) watch(session feedengine.SessionID, users []string, now time.Time) ([]Status, *sub, error) {
	all, err := s.attend(users, now)
	if err != nil {
		return nil, nil, err
	}
	s.unwatch(session, now)
	if len(all) == 0 {
		return []Status{}, nil, nil
	}
	mine := &sub{session: session, held: true, slots: make([]slot, len(all))}
	for i, w := range all {
		mine.slots[i] = slot{of: w, online: w.online, at: len(w.watchers)}
		w.watchers = append(w.watchers, watcher{mine, i})
	}
	s.subs[session] = mine
	return statuses(all), mine, nil
}

// release has a session shown changes from now on: it has been answered.
func (s *state) release(mine *sub) {
	mine.held = false
	s.lag(mine)
}

// look watches the users for a while without a session, and says how they stand and
// by which message the other nodes are told of them all.
func (s *state) look(users []string, now time.Time) (all []Status, by uint64, err error) {
	ws, err := s.attend(users, now)
	if err != nil {
		return nil, 0, err
	}
	for _, w := range ws {
		by = max(by, w.first)
	}
	return statuses(ws), by, nil
}

// settled says that all nodes that live have answered the message.
func (s *state) settled(by uint64) bool {
	for _, p := range s.peers {
		if p.acked < by {
			return false
		}
	}
	return true
}

// unwatch ends what the session watches.
func (s *state) unwatch(session feedengine.SessionID, now time.Time) {
	mine := s.subs[session]
	if mine == nil {
		return
	}
	delete(s.subs, session)
	for i := range mine.slots {
		mine.drop(i, now)
	}
}

// hide has the session no longer watch the user.
func (s *state) hide(session feedengine.SessionID, user string, now time.Time) {
	mine := s.subs[session]
	if mine == nil {
		return
	}
	for i := range mine.slots {
		if w := mine.slots[i].of; w != nil && w.user == user {
			mine.drop(i, now)
		}
	}
}

// watchedBy are the users whom the session watches.
func (s *state) watchedBy(session feedengine.SessionID) []string {
	var users []string
	if mine := s.subs[session]; mine != nil {
		for _, at := range mine.slots {
			if at.of != nil {
				users = append(users, at.of.user)
			}
		}
	}
	return users
}

// drop empties a slot.
func (mine *sub) drop(i int, now time.Time) {
	w, at := mine.slots[i].of, mine.slots[i].at
	if w == nil {
		return
	}
	mine.slots[i] = slot{}
	last := len(w.watchers) - 1
	moved := w.watchers[last]
	w.watchers[at] = moved
	w.watchers[last] = watcher{}
	w.watchers = w.watchers[:last]
	if at != last {
		moved.sub.slots[moved.slot].at = at
	}
	if last == 0 { // sessions come again
		w.watchers, w.keep = nil, now.Add(lingers)
	}
}

// attend begins to watch those of the users who are not watched yet.
func (s *state) attend(users []string, now time.Time) ([]*watched, error) {
	missing := 0
	for _, user := range users {
		if s.watched[user] == nil {
			missing++
		}
	}
	if len(s.watched)+missing > maxWatched {
		return nil, errTooMany
	}
	all := make([]*watched, len(users))
	for i, user := range users {
		w := s.watched[user]
		if w == nil {
			w = &watched{user: user, slot: len(s.rotation), first: s.seq + 1, here: s.present(user)}
			w.online = w.here
			s.watched[user] = w
			s.rotation = append(s.rotation, w)
			if !s.alone {
				s.fresh = append(s.fresh, w)
			}
		}
		w.keep = now.Add(lingers)
		all[i] = w
	}
	return all, nil
}

// forget ends the watching of a user whom no session watches.
func (s *state) forget(w *watched) {
	delete(s.watched, w.user)
	last := s.rotation[len(s.rotation)-1]
	s.rotation[w.slot], last.slot = last, w.slot
	s.rotation[len(s.rotation)-1] = nil
	s.rotation = s.rotation[:len(s.rotation)-1]
	for _, p := range s.peers {
		delete(p.online, w.user)
	}
}

// settle looks anew whether a user is online; seen is when they were last heard to
// be, zero: not known.
func (s *state) settle(w *watched, seen time.Time) {
	if seen.After(w.seen) {
		w.seen = seen
	}
	online := w.here
	for _, p := range s.peers {
		if _, there := p.online[w.user]; there {
			online = true
		}
	}
	if online == w.online {
		return
	}
	w.online = online
	for _, x := range w.watchers {
		s.lag(x.sub)
	}
}

// lag has a session shown what has changed.
func (s *state) lag(mine *sub) {
	if !mine.behind && !mine.held {
		mine.behind = true
		s.behind = append(s.behind, mine)
	}
}

// show takes what sessions are to be shown: of each user what is so now, whatever
// was in between.
func (s *state) show() []Change {
	n := min(len(s.behind), maxSyncs)
	var all []Change
	for _, mine := range s.behind[:n] {
		mine.behind = false
		if s.subs[mine.session] != mine {
			continue
		}
		c := Change{Session: mine.session}
		for i := range mine.slots {
			if at := &mine.slots[i]; at.of != nil && at.online != at.of.online {
				at.online = at.of.online
				c.Now = append(c.Now, at.of.status())
			}
		}
		if len(c.Now) > 0 {
			all = append(all, c)
		}
	}
	if s.behind = s.behind[n:]; len(s.behind) == 0 {
		s.behind = nil
	}
	return all
}

// missed takes back what a session could not be shown: it is tried again.
func (s *state) missed(c Change) {
	mine := s.subs[c.Session]
	if mine == nil {
		return
	}
	for i := range mine.slots {
		at := &mine.slots[i]
		for _, st := range c.Now {
			if at.of != nil && at.of.user == st.User && at.online == st.Online {
				at.online = !st.Online
			}
		}
	}
	s.lag(mine)
}

func (w *watched) status() Status {
	if w.online {
		return Status{User: w.user, Online: true}
	}
	return Status{User: w.user, Seen: w.seen}
}

func statuses(all []*watched) []Status {
	list := make([]Status, len(all))
	for i, w := range all {
		list[i] = w.status()
	}
	return list
}
