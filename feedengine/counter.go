package feedengine

import (
	"cmp"
	"slices"
)

// counter is one of a view's unread counters: how many ids above the mark are
// addressed to the user and not withdrawn. It keeps the newest of them by id,
// and only the number of those below.
type counter struct {
	mark  ID
	top   ID       // no id kept is above it: an add above it need not look at kept
	kept  []unread // the newest that count, ascending by id
	below int32    // how many more count, all of them older than kept
	more  bool     // counting stopped at MaxUnread: there may be more below
	// stale: what it should be can no longer be told from what is kept. The
	// number stands until a recount has come.
	stale bool
	// lost: what is kept is wrong itself, which no mark can mend. It is stale, too.
	lost bool
}

// unread is what counts and, of a post, its author.
type unread struct {
	id ID
	by author
}

// total is the counter's value.
func (c *counter) total() uint32 {
	return uint32(min(MaxUnread, len(c.kept)+int(c.below)))
}

// add counts a post, unless it is at or below the mark. Between keep and twice
// keep are kept, so that forgetting the oldest costs little for each post.
func (c *counter) add(id ID, by author, keep int) {
	if id <= c.mark {
		return
	}
	if len(c.kept) >= 2*keep {
		c.kept = slices.Delete(c.kept, 0, keep)
		c.below += int32(keep)
	}
	at := len(c.kept)
	if id < c.top {
		for at > 0 && c.kept[at-1].id > id {
			at--
		}
	}
	switch {
	case at == 0 && c.below > 0:
		c.below++
	case at == len(c.kept):
		c.kept = append(c.kept, unread{id, by})
	default:
		c.kept = slices.Insert(c.kept, at, unread{id, by})
	}
	c.top = max(c.top, id)
	if over := len(c.kept) + int(c.below) - MaxUnread; over > 0 {
		c.below -= int32(over)
		c.more = true
	}
}

// ensure counts what may count already.
func (c *counter) ensure(id ID, keep int) {
	at, found := c.find(id)
	switch {
	case found:
	case at == 0 && c.below > 0 && id > c.mark:
		c.stale = true
	default:
		c.add(id, nobody, keep)
	}
}

// find returns where an id is kept, or would be.
func (c *counter) find(id ID) (at int, found bool) {
	return slices.BinarySearchFunc(c.kept, id, func(u unread, id ID) int { return cmp.Compare(u.id, id) })
}

// mayHave reports whether an id counts or did before it was read, as far as can be told.
func (c *counter) mayHave(id ID) bool {
	at, found := c.find(id)
	return found || id <= c.mark || c.stale || at == 0 && c.below > 0
}

// remove takes out one withdrawn post and reports whether the value changed.
func (c *counter) remove(id ID) bool {
	if id <= c.mark {
		return false
	}
	at, found := c.find(id)
	if found {
		c.kept = slices.Delete(c.kept, at, at+1)
		c.stale = c.stale || c.more
		return true
	}
	// Below what is kept it cannot be told whether the post was counted.
	if c.below > 0 && at == 0 {
		c.stale = true
	}
	return false
}

// removeAuthor takes out all of an author's posts and reports whether the value changed.
func (c *counter) removeAuthor(by author) bool {
	n := len(c.kept)
	c.kept = slices.DeleteFunc(c.kept, func(u unread) bool { return u.by == by })
	if c.below > 0 {
		c.stale = true
	}
	return len(c.kept) != n
}

// moveTo raises the mark and reports whether it did.
func (c *counter) moveTo(mark ID) bool {
	if mark <= c.mark {
		return false
	}
	c.mark = mark
	n := 0
	for n < len(c.kept) && c.kept[n].id <= mark {
		n++
	}
	switch {
	case n > 0: // so all that lies below is read too
		c.below, c.more, c.stale = 0, false, c.lost
	case c.below > 0:
		c.stale = true
	}
	c.kept = slices.Delete(c.kept, 0, n)
	return true
}

// doubt says that ids count which are not kept, or those that are do not all count.
func (c *counter) doubt() { c.stale, c.lost = true, true }

// doubtUnread is doubt whether those that count still do.
func (c *counter) doubtUnread() {
	if c.total() > 0 {
		c.doubt()
	}
}

// equal reports whether both would show the same to the user, now and later.
func (c *counter) equal(d *counter) bool {
	return c.mark == d.mark && c.total() == d.total() && slices.EqualFunc(c.newest(d), d.newest(c), func(a, b unread) bool { return a.id == b.id })
}

// newest are the kept posts, as many as both counters keep.
func (c *counter) newest(d *counter) []unread {
	return c.kept[len(c.kept)-min(len(c.kept), len(d.kept)):]
}
