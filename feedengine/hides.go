package feedengine

import (
	"slices"
	"strings"
)

// hides are those who are hidden from a user, in order of name.
type hides []hiding

type hiding struct {
	other string
	why   reasons
}

// reasons are a set of HideKinds, never empty in hides.
type reasons uint8

func reason(k HideKind) reasons { return 1 << k }

// blocks hide everything.
const blocks = reasons(1<<HideBlock | 1<<HideBlockedBy)

func (h hides) find(other string) (int, bool) {
	return slices.BinarySearchFunc(h, other, func(h hiding, other string) int { return strings.Compare(h.other, other) })
}

// of are the reasons why the other is hidden, none when that is not so.
func (h hides) of(other string) reasons {
	if i, found := h.find(other); found {
		return h[i].why
	}
	return 0
}

// set begins or ends a hide, unless that is so already.
func (h *hides) set(other string, kind HideKind, on bool) {
	i, found := h.find(other)
	switch {
	case on && found:
		(*h)[i].why |= reason(kind)
	case on:
		*h = slices.Insert(*h, i, hiding{other, reason(kind)})
	case found:
		if (*h)[i].why &^= reason(kind); (*h)[i].why == 0 {
			*h = slices.Delete(*h, i, i+1)
		}
	}
}

// list names them, in order of Other, then Kind.
func (h hides) list() (list []Hide) {
	for _, other := range h {
		for k := HideBlock; k <= HideMute; k++ {
			if other.why&reason(k) != 0 {
				list = append(list, Hide{other.other, k})
			}
		}
	}
	return list
}

// hidden reports whether somebody's posts are hidden, and their notifications.
func (h hides) hidden(other string) bool { return len(h) > 0 && h.of(other) != 0 }

// blocked reports whether their messages are, too.
func (h hides) blocked(other string) bool { return len(h) > 0 && h.of(other)&blocks != 0 }

// hide reports whether an event of a stream is hidden, or names who is.
func (h hides) hide(ev *Event) bool {
	switch ev.Kind {
	case KindPost, KindPostEdited, KindPostDeleted:
		return h.hidden(ev.Actor)
	case KindNote:
		n := ev.Fact.(*Note)
		return h.hidden(n.Actor) || slices.ContainsFunc(n.Others, h.hidden)
	case KindMessage, KindReceipt:
		return h.blocked(ev.Actor)
	}
	return false
}

// hides are those who are hidden from the view's user.
func (v *view) hides() hides {
	if v.social == nil {
		return nil
	}
	return v.social.hides
}

// hide carries out a block or a mute, or its end.
func (e *Engine) hide(ev *Event) {
	if len(ev.Users) == 0 {
		return
	}
	other, on := ev.Users[0], ev.Kind == KindBlock || ev.Kind == KindMute
	if ev.Kind == KindMute || ev.Kind == KindUnmute {
		e.setHide(ev, ev.Actor, other, HideMute, on)
		return
	}
	e.setHide(ev, ev.Actor, other, HideBlock, on)
	e.setHide(ev, other, ev.Actor, HideBlockedBy, on)
}

// changesHides reports whether the event hides somebody from the user, or ends that.
func (e *Event) changesHides(user string) bool {
	switch e.Kind {
	case KindBlock, KindUnblock:
		return e.Actor == user || len(e.Users) > 0 && e.Users[0] == user
	case KindMute, KindUnmute:
		return e.Actor == user
	}
	return false
}

// setHide hides the other from the user, or ends that, and takes what is hidden
// out of stream and counters at once.
func (e *Engine) setHide(ev *Event, user, other string, kind HideKind, on bool) {
	s, ok := e.users[user]
	if !ok || e.at(s).phase != phaseLive || user == other {
		return
	}
	v := e.at(s)
	m := v.more()
	was := m.hides.of(other)
	m.hides.set(other, kind, on)
	is := m.hides.of(other)
	posts, messages := (is != 0) != (was != 0), (is&blocks != 0) != (was&blocks != 0)
	if !posts && !messages {
		return
	}
	told := ev.derive(KindShown)
	if on {
		told.Kind = KindHidden
		if !messages { // they are still shown: gateways have them queued
			told.List = ListFeed
		}
		v.hideFrom(other)
		if a, ok := e.followed(v, other); ok && posts {
			v.feed.removeAuthor(a)
		}
		if posts {
			m.notes.doubtUnread()
		}
		if messages {
			m.chats.doubtUnread()
		}
	} else {
		v.feed.doubt()
		m.notes.doubt()
		m.chats.stale = true
	}
	told.Actor, told.Name = other, ""
	e.give(v, told, true)
	e.flush(told)
	e.recountIfStale(v)
}

// hideFrom takes what the other did, who is hidden from now on, out of the tail.
func (v *view) hideFrom(other string) {
	for i, ev := range v.tail {
		switch {
		case !v.hides().hide(ev):
		case ev.Kind == KindNote:
			v.tail[i] = ev.without(other)
		default:
			v.tail[i] = void
		}
	}
}

// without is a notification for somebody from whom the other is hidden.
func (e *Event) without(other string) *Event {
	n := e.Fact.(*Note)
	if n.Actor != other && !slices.Contains(n.Others, other) {
		return e
	}
	left := *n
	left.Others = slices.DeleteFunc(slices.Clone(n.Others), func(o string) bool { return o == other })
	if len(left.Others) == 0 {
		return void
	}
	if left.Actor == other {
		left.Actor, left.Name = left.Others[0], ""
	}
	return e.note(left)
}
