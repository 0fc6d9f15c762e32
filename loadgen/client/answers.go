package client

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// okay is the fields of all requests' results.
type okay struct {
	User    string            `json:"user"`
	Stream  string            `json:"stream"`
	N       uint64            `json:"n"`
	Resumed bool              `json:"resumed"`
	Replay  uint64            `json:"replay"`
	Unread  *wire.Counts      `json:"unread"`
	Post    *post             `json:"post"`
	Message *post             `json:"message"`
	Chats   map[string]uint32 `json:"conversations"`
	Since   string            `json:"since"`
	Upto    string            `json:"upto"`
}

// answered takes a request's result.
func (c *Client) answered(re int, ok json.RawMessage) {
	if re >= rePages && re < rePublish {
		if t := c.work(); re == rePages+t.turn && t.sent&wantPages != 0 {
			c.page(ok)
		} // else a reset came meanwhile
		return
	}
	var o okay
	if err := json.Unmarshal(ok, &o); err != nil {
		c.fault(ledger.Protocol, fmt.Sprintf("the answer to %d: %v", re, err))
		return
	}
	if o.Unread != nil && re != reConnect {
		c.counters(*o.Unread)
	}
	switch {
	case re == reConnect && c.state == greeting:
		c.connected(&o)
	case re == reSync:
		c.done(wantSync)
	case re == reUnread && o.Unread != nil:
		c.work().asked, c.work().askedTalk = o.Unread.Feed, c.talkOf(&o)
		c.done(wantUnread)
	case re == reRead:
		c.read(&o)
	case re == reFollow:
		c.followed(&o)
	case re == reUnfollow:
		c.book.Unfollowed(c.work().author, meter.Now())
		c.done(wantUnfollow)
	case re == reState:
		c.live = meter.Now() // in the background nothing comes, and what was missed comes now
		c.done(wantState)
	case re == reMark:
		t := c.work()
		t.marked = true
		t.mark = c.id(o.Upto)
		c.done(wantMark)
	case re == reGot:
		c.done(wantGot)
	case re == reReadTalk:
		c.readTalk(&o)
	case re == reFeed:
		c.done(wantFeed)
	case re >= rePublish && o.Post != nil:
		c.run.Host.Published(re-rePublish, c.id(o.Post.ID), nil)
	case re >= rePublish && o.Message != nil:
		c.run.Host.Published(re-rePublish, c.id(o.Message.ID), nil)
	default:
		c.fault(ledger.Protocol, fmt.Sprintf("an answer to %d that fits nothing: %.200s", re, ok))
	}
}

// connected takes connect's answer.
func (c *Client) connected(o *okay) {
	st := &c.run.Stats
	if o.User != c.run.Graph.Name(c.user) || o.Stream == "" || o.Unread == nil {
		c.fault(ledger.Protocol, fmt.Sprintf("connect was answered with %+v", o))
	}
	c.state, c.fails, c.asked = attached, 0, 0
	c.live = meter.Now()
	st.Connects.Add(1)
	st.LastConnect.Store(c.live)
	st.Attached.Add(1)
	switch {
	case !c.met:
		c.met = true
		st.Whole.Add(1)
		c.stream, c.n = o.Stream, o.N
		if o.Resumed {
			c.fault(ledger.WrongResume, "resumed, and nobody had asked for it")
		}
		if o.Unread != nil {
			c.book.Base, c.book.TalkBase = o.Unread.Feed, o.Unread.Messages
		}
	case o.Resumed:
		st.Resumed.Add(1)
		if o.Stream != c.stream || o.N-o.Replay != c.n {
			c.fault(ledger.WrongResume, fmt.Sprintf("from %s %d: the answer is %s %d with %d to follow", c.stream, c.n, o.Stream, o.N, o.Replay))
			c.stream, c.n = o.Stream, o.N-o.Replay
		}
	default:
		st.Rebuilt.Add(1)
		c.restart(o.Stream, o.N)
	}
	if o.Unread != nil {
		c.counters(*o.Unread)
	}
	c.run.Host.Attached(c.user)
	c.pump()
}

// read takes the mark that is now held.
func (c *Client) read(o *okay) {
	t, got := c.work(), c.id(o.Upto)
	switch want := max(t.upto, c.book.Mark); {
	case t.upto == everything && got > 0 && got >= c.book.Mark:
	case got != want:
		c.fault(ledger.WrongMark, fmt.Sprintf("read up to %d, the mark is at %d, and should be at %d", t.upto, got, want))
	}
	c.book.Mark = max(c.book.Mark, got)
	c.done(wantRead)
}

// everything as a read mark is taken as the server's clock's.
const everything = math.MaxInt64

func (c *Client) followed(o *okay) {
	since := c.id(o.Since)
	c.book.Followed(c.work().author, since)
	c.done(wantFollow)
}

// id reads an id.
func (c *Client) id(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		c.fault(ledger.Protocol, fmt.Sprintf("%q is no id", s))
		return 0
	}
	return n
}

// refused takes a request's failure. What may succeed later is asked for again.
func (c *Client) refused(re int, e *wire.Error) {
	c.run.code("refused: " + e.Code)
	if e.Retryable {
		c.run.Stats.Retried.Add(1)
	}
	if re >= rePublish {
		c.run.Host.Published(re-rePublish, 0, e)
		return
	}
	if !e.Retryable {
		c.fault(ledger.Refused, fmt.Sprintf("request %d: %v", re, e))
	}
	w := wantOf(re)
	switch {
	case re == reConnect: // the socket closes, or is closed when nothing follows
	case w == 0:
		c.fault(ledger.Protocol, fmt.Sprintf("a refusal of %d, which was not asked for: %v", re, e))
	case !e.Retryable:
		c.done(w)
	case re < rePages || re == rePages+c.work().turn:
		t := c.work()
		t.sent &^= w
		t.later = seconds() + 1 + int32(e.Retry/time.Second)
	}
}

func wantOf(re int) want {
	switch re {
	case reSync:
		return wantSync
	case reUnread:
		return wantUnread
	case reRead:
		return wantRead
	case reFollow:
		return wantFollow
	case reUnfollow:
		return wantUnfollow
	case reState:
		return wantState
	case reMark:
		return wantMark
	case reFeed:
		return wantFeed
	}
	if re >= rePages && re < rePublish {
		return wantPages
	}
	return 0
}
