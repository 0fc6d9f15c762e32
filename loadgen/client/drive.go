package client

import (
	"fmt"
	"strconv"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// What a client is told to do. All of it reports whether it can be done now; what
// was begun is seen through.

// Publish sends a post. It is false while there is no session.
func (c *Client) Publish(number int, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != attached {
		return false
	}
	c.send(&wire.Request{ID: int64(rePublish + number), Op: "publish", Text: text, Key: Key(c.run.ID, number)})
	return true
}

// Key is a post's idempotency key.
func Key(run uint32, number int) string { return fmt.Sprintf("lg-%08x-%d", run, number) }

// Text is what a post of the plan says.
func (r *Run) Text(t *schedule.Task) string { return schedule.Text(r.ID, t.Post, t.Step.Size) }

// Read marks what has come as read.
func (c *Client) Read() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readTo(c.book.Newest())
}

// ReadAll marks all that there is as read, also from before the run.
func (c *Client) ReadAll() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readTo(everything)
}

func (c *Client) readTo(upto int64) bool {
	if c.wants&wantRead != 0 || upto == 0 || c.state != attached {
		return false
	}
	c.work().upto = upto
	c.ask(wantRead)
	return true
}

// Page asks for the newest posts.
func (c *Client) Page() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wants&wantFeed != 0 || c.state != attached {
		return false
	}
	c.ask(wantFeed)
	return true
}

// Unfollow unfollows one whom the user follows by the graph.
func (c *Client) Unfollow(dice uint64, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	following := c.run.Graph.AppendFollowing(nil, c.user)
	if _, gone := c.book.Absent(); gone || c.busy() || len(following) == 0 {
		return false
	}
	t := c.work()
	t.author = following[dice%uint64(len(following))]
	c.book.Unfollowing(t.author, now)
	c.ask(wantUnfollow)
	return true
}

// Follow follows again whom the user has unfollowed. It is true also when there is
// nobody.
func (c *Client) Follow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy() {
		return false
	}
	author, ok := c.book.Absent()
	if !ok {
		return true
	}
	c.work().author = author
	c.book.Following(author)
	c.ask(wantFollow)
	return true
}

// busy: who is followed is open, or being found out, or there is no session.
func (c *Client) busy() bool {
	return c.state != attached || c.wants&(wantUnfollow|wantFollow|wantPages) != 0
}

// Background goes into the background, or comes back from it.
func (c *Client) Background(dark bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != attached || c.wants&wantState != 0 {
		return false
	}
	c.work().dark = dark
	c.ask(wantState)
	return true
}

// Lose loses the line.
func (c *Client) Lose() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == nil {
		return false
	}
	c.line.Drop()
	return true
}

// Slow has the client read nothing from its socket, or read on.
func (c *Client) Slow(slow bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == nil {
		return false
	}
	c.work().slow = slow
	if slow {
		c.line.Pause()
		return true
	}
	c.heard = seconds()
	c.line.Resume()
	return true
}

// Quiet bounds, in seconds.
const (
	deadAfter   = 60 // the line: twice the heartbeat, and some
	answerAfter = 20 // a request
)

// Look is to be called now and then: a line that is dead is dropped, and what was
// refused for now is asked for again.
func (c *Client) Look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == nil || c.task != nil && c.task.slow {
		return
	}
	now := seconds()
	if now-c.heard > deadAfter || c.asked != 0 && now-c.asked > answerAfter {
		c.run.Stats.Timeouts.Add(1)
		c.run.code("timeout: " + c.waitsFor())
		c.asked = now // lest it be dropped twice
		c.line.Drop()
		return
	}
	c.pump()
}

func (c *Client) waitsFor() string {
	switch {
	case c.asked == 0:
		return "anything"
	case c.state != attached:
		return "connect"
	}
	return "request " + strconv.Itoa(int(c.work().sent))
}
