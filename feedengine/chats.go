package feedengine

import (
	"cmp"
	"slices"
)

// chats are a user's unread messages by conversation. A conversation in which
// nothing is unread is forgotten: that its mark is at or below top is all that
// needs to be known of it. The marks stand in the user's own log.
type chats struct {
	list  []chat // those with something unread, ascending by conversation
	top   ID     // no read mark of any conversation is above it
	total uint32 // of the list, at most MaxUnread
	stale bool   // as of a counter; the totals stand until a recount has come
}

// chat is one conversation. Its counter's mark may be above the user's when there
// is nothing unread between the two.
type chat struct {
	conversation ID
	counter
}

func (c *chats) find(conversation ID) (int, bool) {
	return slices.BinarySearchFunc(c.list, conversation, func(ch chat, id ID) int { return cmp.Compare(ch.conversation, id) })
}

// add counts a message, unless it has been read.
func (c *chats) add(conversation, id ID, keep int) {
	i, found := c.find(conversation)
	if !found {
		if id <= c.top { // whether it is above this conversation's mark cannot be told
			c.stale = true
			return
		}
		c.list = slices.Insert(c.list, i, chat{conversation, counter{mark: c.top}})
	}
	c.list[i].add(id, nobody, keep)
	c.sum()
}

// read moves a conversation's mark.
func (c *chats) read(conversation, upto ID) {
	c.top = max(c.top, upto)
	i, found := c.find(conversation)
	if !found {
		return
	}
	ch := &c.list[i]
	if !ch.moveTo(upto) {
		return // nothing was unread between the user's mark and upto
	}
	c.stale = c.stale || ch.stale
	if ch.counter.total() == 0 {
		c.list = slices.Delete(c.list, i, i+1)
	}
	c.sum()
}

func (c *chats) sum() {
	c.total = 0
	for i := range c.list {
		c.total = min(MaxUnread, c.total+c.list[i].counter.total())
	}
}

// doubtUnread says that what is unread may be so no longer.
func (c *chats) doubtUnread() { c.stale = c.stale || len(c.list) > 0 }

// equal is counter's. The marks of what is forgotten are left to the load.
func (c *chats) equal(d *chats) bool {
	return slices.EqualFunc(c.list, d.list, func(a, b chat) bool {
		a.mark = b.mark
		return a.conversation == b.conversation && a.counter.equal(&b.counter)
	})
}

// unread lists the conversations with what is unread in each.
func (c *chats) unread() []ChatCount {
	list := make([]ChatCount, len(c.list))
	for i := range c.list {
		list[i] = ChatCount{c.list[i].conversation, c.list[i].counter.total()}
	}
	return list
}
