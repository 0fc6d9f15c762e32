package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// event takes a numbered frame.
func (c *Client) event(e event) {
	c.run.Stats.Events.Add(1)
	c.run.Stats.LastArrival.Store(meter.Now())
	if c.state != attached {
		c.fault(ledger.Protocol, fmt.Sprintf("event %d came before connect was answered", e.n))
		return
	}
	if e.counted {
		c.counters(e.counts)
	}
	switch {
	case c.wants&wantSync != 0: // dropped: sync brings it again
		if t := c.work(); e.n <= t.ahead {
			c.fault(ledger.Swapped, fmt.Sprintf("event %d came after %d", e.n, t.ahead))
		} else {
			t.ahead = e.n
		}
	case e.n <= c.n:
		c.fault(ledger.Doubled, fmt.Sprintf("event %d came, the last was %d", e.n, c.n))
	case e.n > c.n+1 && !c.gap():
		c.work().ahead = e.n
	default:
		c.n = e.n
		c.body(e.body)
	}
}

// gap: events are missing. It reports whether nothing can be done: they have been
// asked for already, and did not come.
func (c *Client) gap() (lost bool) {
	t := c.work()
	c.run.Stats.Gaps.Add(1)
	if t.behind == c.n+1 {
		c.fault(ledger.Unrepaired, fmt.Sprintf("sync from %d was answered, and %d did not follow", c.n, c.n+1))
		return true
	}
	if c.wants&wantSync == 0 {
		t.ahead, t.behind = 0, c.n+1
		c.live = meter.Now()
		c.ask(wantSync)
	}
	return false
}

// body takes an event.
func (c *Client) body(p []byte) {
	hash := hashOf(p)
	if s := c.run.seen.find(hash); s != nil {
		c.deliver(s)
		return
	}
	var e post
	if err := json.Unmarshal(p, &e); err != nil {
		c.fault(ledger.Protocol, fmt.Sprintf("%v: %.200q", err, p))
		return
	}
	switch e.Type {
	case "post", "message":
		s, ours, err := c.run.sight(&e)
		switch {
		case err != nil:
			c.fault(ledger.Corrupted, err.Error())
		case !ours:
			c.fault(ledger.Unexpected, fmt.Sprintf("a %s that nobody of this run published: %.200q", e.Type, p))
		default:
			c.run.seen.remember(hash, s)
			c.deliver(s)
		}
	case "read":
		c.marked(&e)
	case "receipt":
		c.receipt(&e)
	case "post_deleted":
		c.fault(ledger.Unexpected, fmt.Sprintf("post %s was deleted, and nobody asked for it", e.Post))
	case "void":
	case "":
		c.fault(ledger.Protocol, fmt.Sprintf("an event without a type: %.200q", p))
	} // types that we do not know will appear in later releases
}

// marked takes the news that a read mark has moved. Only this device moves it.
func (c *Client) marked(e *post) {
	upto, err := strconv.ParseInt(e.Upto, 10, 64)
	if err != nil || e.Of != "feed" && e.Of != "messages" {
		c.fault(ledger.Protocol, fmt.Sprintf("a read mark of %q up to %q", e.Of, e.Upto))
		return
	}
	asked := c.book.Mark
	if c.wants&wantRead != 0 {
		asked = max(asked, c.work().upto)
	}
	if e.Of == "messages" {
		asked = c.book.TalkMark
		if c.wants&wantReadTalk != 0 {
			asked = max(asked, c.work().talkUpto)
		}
	}
	if upto > asked {
		c.fault(ledger.WrongMark, fmt.Sprintf("the mark moved to %d, nobody asked for more than %d", upto, asked))
	}
}

// deliver takes a post that came as an event.
func (c *Client) deliver(s *sighting) {
	now := meter.Now()
	due := c.run.Due(s.due)
	c.run.latency(time.Duration(now-due), due >= c.live)
	if c.wants&wantPages != 0 { // the pages' posts come before it
		t := c.work()
		t.held = append(t.held, s)
		return
	}
	c.enter(s)
}

// enter puts an event's post into the book.
func (c *Client) enter(s *sighting) {
	if !c.mayGet(s.author) {
		c.fault(ledger.Unexpected, fmt.Sprintf("post %d is by %d, who is not followed", s.number, s.author))
		return
	}
	if k := c.book.Event(s.author, s.id, c.run.Due(s.due)); k != "" {
		c.fault(k, fmt.Sprintf("post %d of %d, id %d, due %v ago, at event %d", s.number, s.author, s.id,
			time.Duration(meter.Now()-c.run.Due(s.due)).Round(time.Millisecond), c.n))
		return
	}
	c.run.Stats.Deliveries.Add(1)
	c.fresh = max(c.fresh, c.since(s.at))
	if s.author >= ledger.Talk && s.from != c.user && c.wants&wantGot == 0 {
		c.ask(wantGot)
	}
}

func (c *Client) mayGet(author uint32) bool {
	if author >= ledger.Talk {
		talk, ok := c.run.talk(c.user)
		return ok && talk == author
	}
	return author == c.user || c.book.Knows(author) || c.run.Graph.Follows(c.user, author)
}

// since is a server's time as seconds since the run began.
func (c *Client) since(unixMS int64) int32 { return int32(unixMS/1000 - c.run.Began.Unix()) }

// reset: events were left out.
func (c *Client) reset(r *wire.Reset, u *wire.Counts) {
	c.run.Stats.Resets.Add(1)
	c.run.code("reset: " + r.Reason)
	if c.state != attached || u == nil || r.Stream == "" {
		c.fault(ledger.Protocol, fmt.Sprintf("a reset that should not be: %+v with %+v", r, u))
		return
	}
	c.restart(r.Stream, r.N)
	c.counters(*u)
	c.done(wantSync)
}

// restart begins with another stream, or another place of the same: what was left out
// has to be fetched by pages.
func (c *Client) restart(stream string, n uint64) {
	c.stream, c.n, c.v = stream, n, 0
	c.live = meter.Now()
	t := c.work()
	t.got, t.held, t.before, t.behind, t.talking = nil, nil, "", 0, false
	t.turn = (t.turn + 1) % (rePublish - rePages)
	t.sent &^= wantPages
	c.ask(wantPages)
}
