package feedengine

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// Check verifies every invariant of the engine's state and returns all that are
// broken, joined, or nil. It costs a walk over everything.
func (e *Engine) Check() error {
	var errs []error
	broken := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	sessions, edges, idle := 0, 0, 0
	for user, s := range e.users {
		v := e.at(s)
		if v.user != user || v.phase == phaseFree {
			broken("user %q stands at slot %d, which is %q's in phase %d", user, s, v.user, v.phase)
			continue
		}
		sessions += len(v.sessions)
		edges += len(v.follows)
		if v.idle {
			idle++
		}
		e.checkView(s, v, broken)
	}
	if sessions != e.stats.Sessions {
		broken("%d sessions, but %d are counted", sessions, e.stats.Sessions)
	}
	if free := int(e.used) - 1 - len(e.users); free != len(e.freed) {
		broken("%d slots are free, but %d are listed", free, len(e.freed))
	}
	e.checkIdle(idle, broken)
	e.checkAuthors(edges, broken)
	for at := range e.young {
		if !slices.Contains(e.at(at.follower).follows, at.author) {
			broken("young edge from slot %d to author %d, who is not followed", at.follower, at.author)
		}
	}
	for _, l := range e.loads {
		behind := 0
		for i, h := range l.Heads {
			if h.Seq > e.heads[i].Seq {
				behind++
			}
		}
		if behind != l.behind || behind == 0 {
			broken("a load waits for %d logs, but %d are behind", l.behind, behind)
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) checkView(s slot, v *view, broken func(string, ...any)) {
	if v.joins != joinsNot {
		broken("%s: still joining", v.user)
	}
	if uint64(len(v.tail)) > v.n || len(v.tail) > 2*e.opts.KeepTail {
		broken("%s: tail of %d at n %d", v.user, len(v.tail), v.n)
	}
	for i, a := range v.follows {
		if slices.Contains(v.follows[:i], a) {
			broken("%s: follows author %d twice", v.user, a)
		}
		if n := count(e.authors.followers(a), s); n != 1 {
			broken("%s: follows %s, whose followers have it %d times", v.user, e.authors.name(a), n)
		}
	}
	e.checkCounters(v, broken)
	for i, sn := range v.sessions {
		if slices.ContainsFunc(v.sessions[:i], func(o session) bool { return o.id == sn.id && o.gateway == sn.gateway }) {
			broken("%s: session %d of gateway %d is attached twice", v.user, sn.id, sn.gateway)
		}
		if sn.background && v.phase == phaseLive && sn.n > v.n {
			broken("%s: session %d in the background at %d of %d", v.user, sn.id, sn.n, v.n)
		}
	}
	p := v.pending
	owes := p != nil && (len(p.waiters) > 0 || p.marks > 0)
	switch {
	case p != nil && len(p.waiters) > 0 && !p.asked:
		broken("%s: %d requests wait for nothing", v.user, len(p.waiters))
	case v.idle && (len(v.sessions) > 0 || owes || v.phase != phaseLive):
		broken("%s: idle with %d sessions", v.user, len(v.sessions))
	case !v.idle && len(v.sessions) == 0 && p == nil:
		broken("%s: neither used nor idle", v.user)
	case v.phase == phaseLoading && len(v.follows)+len(v.tail)+len(v.feed.kept) > 0 || v.phase == phaseLoading && v.social != nil:
		broken("%s: has contents while it loads", v.user)
	case v.phase == phaseLoading && len(v.sessions) > 0 && p.reset == "":
		broken("%s: is rebuilt without a reason", v.user)
	case v.stale() && (p == nil || !p.asked) && !slices.Contains(e.retry, s):
		broken("%s: is stale and nobody recounts", v.user)
	}
}

func (e *Engine) checkCounters(v *view, broken func(string, ...any)) {
	check := func(what string, c *counter) {
		for i, u := range c.kept {
			if u.id <= c.mark || u.id > c.top || i > 0 && c.kept[i-1].id >= u.id {
				broken("%s: unread %s %d after mark %d is out of order", v.user, what, u.id, c.mark)
			}
		}
		if c.below < 0 || len(c.kept)+int(c.below) > MaxUnread {
			broken("%s: %d unread %s kept and %d below", v.user, len(c.kept), what, c.below)
		}
		if c.lost && !c.stale {
			broken("%s: %s are lost, but not to be recounted", v.user, what)
		}
	}
	check("posts", &v.feed)
	for _, u := range v.feed.kept {
		if !slices.Contains(v.follows, u.by) {
			broken("%s: unread %d is by an author who is not followed", v.user, u.id)
		} else if v.hides().hidden(string(e.authors.name(u.by))) {
			broken("%s: unread %d is by an author who is hidden", v.user, u.id)
		}
	}
	m := v.social
	if m == nil {
		return
	}
	check("notifications", &m.notes)
	for i, h := range m.hides {
		if h.why == 0 || h.other == v.user || i > 0 && m.hides[i-1].other >= h.other {
			broken("%s: hides %q wrongly", v.user, h.other)
		}
	}
	total := 0
	for i := range m.chats.list {
		c := &m.chats.list[i]
		check("messages", &c.counter)
		total += int(c.counter.total())
		switch {
		case c.counter.total() == 0:
			broken("%s: nothing is unread in conversation %d", v.user, c.conversation)
		case c.mark > m.chats.top:
			broken("%s: mark %d of conversation %d is above %d", v.user, c.mark, c.conversation, m.chats.top)
		case i > 0 && m.chats.list[i-1].conversation >= c.conversation:
			broken("%s: conversation %d is out of order", v.user, c.conversation)
		}
	}
	if int(m.chats.total) != min(MaxUnread, total) {
		broken("%s: %d messages are unread, not %d", v.user, total, m.chats.total)
	}
	for _, ev := range v.tail {
		if v.hides().hide(ev) {
			broken("%s: event %d of kind %d stands in the tail, though %s is hidden", v.user, ev.ID, ev.Kind, ev.Actor)
		}
	}
}

func (e *Engine) checkIdle(marked int, broken func(string, ...any)) {
	n, last, before := 0, slot(0), int64(0)
	for s := e.idle.oldest; s != 0 && n <= marked; s = e.at(s).newer {
		if v := e.at(s); !v.idle || v.older != last || v.idleSince < before {
			broken("%s: stands wrongly in the idle list", v.user)
		}
		n, last, before = n+1, s, e.at(s).idleSince
	}
	if n != e.idle.n || n != marked || last != e.idle.newest {
		broken("%d views are idle, %d are listed, %d are counted", marked, n, e.idle.n)
	}
}

func (e *Engine) checkAuthors(edges int, broken func(string, ...any)) {
	live, followers := 0, 0
	for at := range e.authors.used {
		n := e.authors.count(at)
		if n == 0 {
			continue
		}
		live++
		followers += n
		if found, ok := e.authors.find(string(e.authors.name(at))); !ok || found != at {
			broken("author %q is not found", e.authors.name(at))
		}
	}
	if live != e.authors.live || followers != edges || edges != e.authors.edges {
		broken("authors: %d live of %d, %d followers of %d, %d edges", live, e.authors.live, followers, e.authors.edges, edges)
	}
}

func count(slots []slot, s slot) int {
	n := 0
	for _, t := range slots {
		if t == s {
			n++
		}
	}
	return n
}

// Bytes is what the engine's state occupies, to within a tenth, the bodies of
// the events apart: they are shared with the ring.
func (e *Engine) Bytes() int {
	const mapEntry = 32 // a string, a slot, and the map's slack
	b := e.authors.bytes() + len(e.views)*int(unsafe.Sizeof(viewChunk{})) + len(e.users)*mapEntry + len(e.young)*32
	for _, s := range e.users {
		b += e.at(s).bytes()
	}
	return b
}

func (v *view) bytes() int {
	b := len(v.user) + cap(v.follows)*4 + cap(v.tail)*8 + cap(v.feed.kept)*16 + cap(v.sessions)*int(unsafe.Sizeof(session{}))
	if m := v.social; m != nil {
		b += int(unsafe.Sizeof(*m)) + len(m.name) + cap(m.hides)*int(unsafe.Sizeof(hiding{})) + cap(m.notes.kept)*16 +
			cap(m.chats.list)*int(unsafe.Sizeof(chat{}))
		for i := range m.chats.list {
			b += cap(m.chats.list[i].kept) * 16
		}
	}
	return b
}
