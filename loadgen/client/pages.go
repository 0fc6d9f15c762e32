package client

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// lookBack is by how much a post may be late, in the order of the server's times:
// pages are asked for until they are so much older than the newest post that came
// before the reset.
const lookBack = 2 * time.Minute

// page takes a page of the feed after a reset. When that was the last, the posts go
// into the book, oldest first, and behind them the events that came meanwhile.
func (c *Client) page(ok json.RawMessage) {
	var p struct {
		Posts         []post         `json:"posts"`
		Messages      []post         `json:"messages"`
		Conversations []conversation `json:"conversations"`
		Next          string         `json:"next"`
	}
	c.run.Stats.Pages.Add(1)
	if err := json.Unmarshal(ok, &p); err != nil {
		c.fault(ledger.Protocol, fmt.Sprintf("a page: %v", err))
		c.done(wantPages)
		return
	}
	t := c.work()
	c.meet(p.Conversations)
	p.Posts = append(p.Posts, p.Messages...)
	last := p.Next == "" || p.Conversations != nil
	for i := range p.Posts {
		s, ours, err := c.run.sight(&p.Posts[i])
		switch {
		case err != nil:
			c.fault(ledger.Corrupted, "on a page: "+err.Error())
		case ours:
			t.got = append(t.got, s)
		}
		if c.since(p.Posts[i].At.UnixMilli()) < c.fresh-int32(lookBack/time.Second) {
			last = true
		}
	}
	if !last {
		t.before = p.Next
	}
	if !last || c.talkNext(t, p.Conversations != nil) {
		t.sent &^= wantPages
		c.pump()
		return
	}
	got, held := t.got, t.held
	t.got, t.held, t.before, t.talking = nil, nil, "", false
	c.done(wantPages)
	c.fill(got)
	for _, s := range held {
		c.enter(s)
	}
}

// fill puts what pages had into the book.
func (c *Client) fill(got []*sighting) {
	slices.SortFunc(got, func(a, b *sighting) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	now := meter.Now()
	for _, p := range got {
		if !c.mayGet(p.author) {
			c.fault(ledger.Unexpected, fmt.Sprintf("post %d stands on a page, and is by %d, who is not followed", p.number, p.author))
			continue
		}
		if c.book.Page(p.author, p.id) {
			c.run.Stats.Deliveries.Add(1)
			c.run.latency(time.Duration(now-c.run.Due(p.due)), false)
			c.fresh = max(c.fresh, c.since(p.at))
		}
	}
}
