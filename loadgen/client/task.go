package client

import (
	"strconv"

	"github.com/feedgate/feedgate/gateway/wire"
)

// The numbers of requests, one for each kind. A page's has the reset's turn added,
// a publish's the post's number.
const (
	reConnect  = 1
	reSync     = 2
	reUnread   = 4
	reRead     = 5
	reFollow   = 6
	reUnfollow = 7
	reState    = 8
	reMark     = 9
	reFeed     = 10
	reGot      = 11
	reReadTalk = 12
	rePages    = 100
	rePublish  = 1000
)

// want is a set of what a client wants done.
type want uint16

const (
	wantSync want = 1 << iota
	wantPages
	wantRead
	wantUnfollow
	wantFollow
	wantState
	wantFeed
	wantGot
	wantReadTalk
	wantUnread
	wantMark
)

// task is what a client needs to know beside, while it wants something.
type task struct {
	sent  want  // of what is wanted, that has been asked for on this socket
	later int32 // nothing is asked for before then, seconds

	ahead  uint64 // sync: the greatest n that was dropped
	behind uint64 // sync: the last n, of the last time; it must not be so again

	turn    int         // of the resets: pages that were asked for before the last are void
	before  string      // of the next page
	talking bool        // the feed's pages are there, now the conversation's
	got     []*sighting // what the pages had so far
	held    []*sighting // what came as events meanwhile

	upto     int64  // read: the mark wanted
	talkUpto int64  // of the conversation, likewise
	author   uint32 // follow, unfollow
	dark     bool   // state: background
	slow     bool   // the line is paused

	asked     uint32 // unread: what the answer said
	askedTalk uint32 // likewise, of the conversation
	marked    bool   // read, upto 0: mark is what the answer said
	mark      int64
}

func (c *Client) work() *task {
	if c.task == nil {
		c.task = &task{}
	}
	return c.task
}

// ask wants something, and asks for it if it can be.
func (c *Client) ask(w want) {
	c.wants |= w
	c.pump()
}

// done: it is no longer wanted.
func (c *Client) done(w want) {
	c.wants &^= w
	t := c.work()
	if t.sent &^= w; t.sent == 0 {
		c.asked = 0
	}
	c.pump()
}

// hangUp: nothing is under way any more, and some of it has become pointless: resume
// says what sync would, a page is for whoever looks at it, and an app that connects
// is in the foreground.
func (c *Client) hangUp() {
	c.wants &^= wantSync | wantFeed | wantState | wantGot
	if t := c.task; t != nil {
		t.sent, t.later, t.dark, t.slow = 0, 0, false, false
		t.got, t.held, t.before, t.behind, t.talking = nil, nil, "", 0, false
	}
	if c.wants == 0 {
		c.task = nil
	}
}

// pump asks for what is wanted and not yet asked for.
func (c *Client) pump() {
	if c.wants == 0 || c.state != attached {
		return
	}
	t := c.work()
	if t.later > seconds() {
		return
	}
	open := c.wants &^ t.sent
	if c.wants&(wantUnfollow|wantFollow) != 0 {
		open &^= wantPages // a page is looked at by who knows whom they follow
	}
	if open == 0 {
		return
	}
	if t.sent == 0 {
		c.asked = seconds()
	}
	t.sent |= open
	for w := want(1); w <= wantMark; w <<= 1 {
		if open&w != 0 {
			c.request(w, t)
		}
	}
}

func (c *Client) request(w want, t *task) {
	var r wire.Request
	switch w {
	case wantSync:
		r = wire.Request{ID: reSync, Op: "sync", N: c.n, Has: wire.HasN}
	case wantPages:
		r = wire.Request{ID: int64(rePages + t.turn), Op: "feed", Limit: wire.MaxPage, Before: t.before}
		if t.talking {
			c.askTalk(&r)
		}
	case wantGot:
		talk, _ := c.run.talk(c.user)
		r = wire.Request{ID: reGot, Op: "received", Conversation: c.run.seen.conversation(talk), Upto: strconv.FormatInt(c.book.Last(talk), 10)}
	case wantReadTalk:
		talk, _ := c.run.talk(c.user)
		r = wire.Request{ID: reReadTalk, Op: "read", Of: "messages", Conversation: c.run.seen.conversation(talk), Upto: strconv.FormatInt(t.talkUpto, 10)}
	case wantRead:
		r = wire.Request{ID: reRead, Op: "read", Of: "feed", Upto: strconv.FormatInt(t.upto, 10)}
	case wantUnfollow:
		r = wire.Request{ID: reUnfollow, Op: "unfollow", User: c.run.Graph.Name(t.author)}
	case wantFollow:
		r = wire.Request{ID: reFollow, Op: "follow", User: c.run.Graph.Name(t.author)}
	case wantState:
		if r = (wire.Request{ID: reState, Op: "state", State: "active"}); t.dark {
			r.State = "background"
		}
	case wantFeed:
		r = wire.Request{ID: reFeed, Op: "feed", Limit: 20}
	case wantUnread:
		r = wire.Request{ID: reUnread, Op: "unread"}
	case wantMark:
		r = wire.Request{ID: reMark, Op: "read", Of: "feed", Upto: "0"}
	}
	c.send(&r)
}
