package client

import (
	"fmt"
	"time"

	"github.com/feedgate/feedgate/loadgen/ledger"
)

// Settled reports whether a client is attached and wants nothing, so that what it
// has can be looked at.
func (c *Client) Settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, gone := c.book.Absent()
	return c.state == attached && c.wants == 0 && !gone && (c.task == nil || !c.task.dark && !c.task.slow)
}

// Inquire asks for the counters and, if a mark was set, for where it stands.
func (c *Client) Inquire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work().marked = false
	c.wants |= wantUnread
	if c.book.Mark != 0 {
		c.wants |= wantMark
	}
	c.pump()
}

// Answered reports whether what Inquire asked for is there.
func (c *Client) Answered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wants&(wantUnread|wantMark) == 0
}

// Whole reports whether a client has all that was published for it, and counters that
// say so. While it is not, it may become so.
func (c *Client) Whole(t *ledger.Truth, grace time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != attached || c.wants != 0 {
		return false
	}
	following := c.lines()
	whole := c.unread == c.book.Unread(t, c.user, following)
	if talk, ok := c.run.talk(c.user); ok {
		whole = whole && c.talked == c.book.UnreadTalk(t, c.user, talk)
	}
	c.book.Check(t, c.user, following, int64(grace), func(ledger.Kind, string) { whole = false })
	return whole
}

// Verify compares what the client got with what was published, once Inquire has
// been answered. grace is how old a post must be at an unfollow to have come for
// sure. expected and taken are counts of deliveries.
func (c *Client) Verify(t *ledger.Truth, grace time.Duration) (expected, taken int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	following := c.lines()
	switch {
	case c.state != attached:
		c.fault(ledger.Unrepaired, "it is not attached")
	case c.wants != 0:
		c.fault(ledger.Unrepaired, fmt.Sprintf("it still waits for something (%b)", c.wants))
	}
	expected = c.book.Check(t, c.user, following, int64(grace), c.fault)
	if want := c.book.Unread(t, c.user, following); c.state == attached && c.wants == 0 {
		k := c.work()
		if c.unread != want {
			c.fault(ledger.Miscounted, fmt.Sprintf("%d are unread, the last counter pushed says %d", want, c.unread))
		}
		if k.asked != want {
			c.fault(ledger.Miscounted, fmt.Sprintf("%d are unread, the answer to unread says %d", want, k.asked))
		}
		c.verifyTalk(t)
		if c.book.Mark != 0 && (!k.marked || k.mark != c.book.Mark) {
			c.fault(ledger.WrongMark, fmt.Sprintf("the mark is at %d, and was put to %d", k.mark, c.book.Mark))
		}
	}
	return expected, c.book.Taken()
}

// verifyTalk compares the counters of messages: the user is in one conversation only.
func (c *Client) verifyTalk(t *ledger.Truth) {
	talk, ok := c.run.talk(c.user)
	if !ok {
		return
	}
	want := c.book.UnreadTalk(t, c.user, talk)
	if c.talked != want {
		c.fault(ledger.Miscounted, fmt.Sprintf("%d messages are unread, the last counter pushed says %d", want, c.talked))
	}
	if asked := c.work().askedTalk; asked != want {
		c.fault(ledger.Miscounted, fmt.Sprintf("%d messages are unread, the answer to unread says %d of the conversation", want, asked))
	}
}
