package feedengine

// counters are what a user has not seen, and whose doing does not count: of a
// view, and of a load that is being stepped in.
type counters struct {
	feed   counter
	social *social
}

// social is what there is beside the feed. It is nil for the many who have none of it.
type social struct {
	name  string // for display
	hides hides
	notes counter
	chats chats
}

// more is the social part, to be changed.
func (c *counters) more() *social {
	if c.social == nil {
		c.social = &social{}
	}
	return c.social
}

// counts are the values that devices show, without a version.
func (c *counters) counts() Counts {
	counts := Counts{Feed: c.feed.total()}
	if s := c.social; s != nil {
		counts.Notifications, counts.Messages = s.notes.total(), s.chats.total
	}
	return counts
}

// stale reports whether a recount is needed.
func (c *counters) stale() bool {
	return c.feed.stale || c.social != nil && (c.social.notes.stale || c.social.chats.stale)
}

// marked are the lists whose read marks are in no log: ReadInput moves them.
var marked = [...]List{ListFeed, ListNotifications}

// mark is the read mark of one of them.
func (c *counters) mark(list List) ID {
	switch {
	case list == ListFeed:
		return c.feed.mark
	case c.social != nil:
		return c.social.notes.mark
	}
	return 0
}

// moveTo raises the read mark of one of them and reports whether it did.
func (c *counters) moveTo(list List, upto ID) bool {
	switch {
	case upto <= c.mark(list):
		return false
	case list == ListFeed:
		return c.feed.moveTo(upto)
	}
	return c.more().notes.moveTo(upto)
}

// equal reports whether both would show the same to the user, now and later.
func (c *counters) equal(d *counters) bool {
	a, b := c.social, d.social
	switch {
	case !c.feed.equal(&d.feed):
		return false
	case a == nil && b == nil:
		return true
	case a == nil:
		a = &social{}
	case b == nil:
		b = &social{}
	}
	return a.notes.equal(&b.notes) && a.chats.equal(&b.chats)
}

// adopt takes over those of a recount's counters that can be told.
func (c *counters) adopt(d *counters) {
	if !d.feed.stale {
		c.feed = d.feed
	}
	if c.social == nil && d.social == nil {
		return
	}
	a, b := c.more(), d.more()
	if !b.notes.stale {
		a.notes = b.notes
	}
	if !b.chats.stale {
		a.chats = b.chats
	}
}

// countersOf are those that a load speaks of.
func (e *Engine) countersOf(v *view, u *LoadedUser) counters {
	c := counters{feed: loadedCounter(u.Feed, func(u UnreadID) (author, bool) { return e.followed(v, u.Author) })}
	if u.Name == "" && len(u.Hides)+len(u.Chats) == 0 && u.ChatTop == 0 && u.Notes.Mark == 0 && u.Notes.Total == 0 {
		return c
	}
	anybody := func(UnreadID) (author, bool) { return nobody, true }
	s := c.more()
	s.name = u.Name
	for _, h := range u.Hides {
		s.hides.set(h.Other, h.Kind, true)
	}
	s.notes = loadedCounter(u.Notes, anybody)
	s.chats.top = u.ChatTop
	for i := range u.Chats {
		s.chats.list = append(s.chats.list, chat{u.Chats[i].Conversation, loadedCounter(u.Chats[i].LoadedCount, anybody)})
	}
	s.chats.sum()
	return c
}

// loadedCounter is the counter that a load speaks of. by finds whose an id is, if it counts.
func loadedCounter(c LoadedCount, by func(UnreadID) (author, bool)) counter {
	counted := counter{mark: c.Mark, kept: make([]unread, 0, len(c.Unread))}
	for _, u := range c.Unread {
		if a, ok := by(u); ok {
			counted.kept = append(counted.kept, unread{u.ID, a})
		}
	}
	if n := len(counted.kept); n > 0 {
		counted.top = counted.kept[n-1].id
	}
	counted.below = int32(max(0, c.Total-len(c.Unread)))
	counted.more = c.Total >= MaxUnread
	return counted
}
