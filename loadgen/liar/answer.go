package liar

import (
	"math"
	"strconv"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
)

// answer answers a request. s.mu is held.
func (s *Server) answer(c *conn, q *wire.Request) {
	u := s.user(c.name)
	switch q.Op {
	case "connect":
		s.connect(c, u, q)
	case "publish":
		p := s.keys[u.name+" "+q.Key]
		if p == nil {
			p = &wire.Post{ID: s.id(), Author: u.name, Kind: "post", Text: q.Text, At: time.Now().UTC().Truncate(time.Millisecond)}
			s.keys[u.name+" "+q.Key] = p
			s.fanOut(p)
		}
		c.ok(q, &wire.Posted{Post: *p})
	case "message":
		s.message(c, u, q)
	case "messages":
		s.messages(c, u, q)
	case "conversations":
		s.conversations(c, u, q)
	case "received":
		c.ok(q, wire.Got{Upto: number(q.Upto)})
	case "follow":
		id := s.id()
		s.follow(u, q.User, id)
		u.ignored = ""
		if s.lie == FollowLate && !s.told && s.victim == nil {
			s.victim, u.slow = u, q.User
		}
		c.ok(q, wire.Followed{Since: u.follows[q.User]})
		s.counted(u)
	case "unfollow":
		s.unfollow(u, q.User)
		if s.lie == UnfollowIgnored {
			u.ignored = q.User
		}
		c.ok(q, wire.Empty{})
		s.counted(u)
	case "read":
		s.read(c, u, q)
	case "feed":
		s.feed(c, u, q)
	case "unread":
		counts := u.counts()
		if s.tell(CountAnswered) {
			counts.Feed++
		}
		o := &wire.Counters{Counts: counts}
		for _, t := range u.talks {
			if n := t.unread(u.name); n > 0 {
				if s.tell(CountTalk) {
					n++
				}
				o.Chats = append(o.Chats, wire.ChatCount{Conversation: t.id, Unread: n})
			}
		}
		c.ok(q, o)
	case "sync":
		c.ok(q, wire.Empty{})
		s.replay(c, u, q.N)
	case "state":
		s.state(c, u, q)
	default:
		c.refuse(q, "bad_request")
	}
}

// connect attaches a socket.
func (s *Server) connect(c *conn, u *user, q *wire.Request) {
	o := &wire.Connected{User: u.name, Stream: u.stream, N: u.n, Counts: u.counts(), Heartbeat: 25 * time.Second}
	from := u.n
	if r := q.Resume; r != nil && r.Stream == u.stream && r.N <= u.n {
		o.Resumed, from = true, r.N
		switch {
		case r.N > 2 && s.tell(ResumeWrong):
			from -= 2
		case r.N > 2 && s.tell(ResumeRepeats):
			last := s.frame(u, u.tail[len(u.tail)-1])
			defer func() { c.send(last) }()
		case s.lie == ResumeSkips && !s.told && r.N < u.n && u.tail[r.N].n == r.N+1:
			s.told = true
			u.n--
			u.tail = append(u.tail[:r.N], u.tail[r.N+1:]...)
			for i := range u.tail[r.N:] {
				u.tail[int(r.N)+i].n--
			}
			o.N = u.n
		}
		o.Replay = int(u.n - from)
	}
	c.ok(q, o)
	s.replay(c, u, from)
	c.user = u
}

// replay sends a socket what it has missed. What was withdrawn meanwhile keeps its
// number only.
func (s *Server) replay(c *conn, u *user, n uint64) {
	for _, f := range u.tail {
		if f.n <= n {
			continue
		}
		if p := f.post; p != nil && p.Author != u.name {
			if since, follows := u.follows[p.Author]; !follows || p.ID <= since {
				f.body = wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventVoid})
			}
		}
		c.send(s.frame(u, f))
	}
}

// counted tells counters that have changed without an event.
func (s *Server) counted(u *user) {
	u.v++
	s.push(u, wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Unread, Counts: u.counts()}))
}

func (s *Server) read(c *conn, u *user, q *wire.Request) {
	if q.Of == "messages" {
		s.readTalk(c, u, q)
		return
	}
	upto, err := strconv.ParseInt(q.Upto, 10, 64)
	if err != nil {
		c.refuse(q, "bad_request")
		return
	}
	if upto == math.MaxInt64 {
		upto = s.id()
	} else if upto > u.mark && u.mark > 0 {
		switch {
		case u.forgets || s.tell(MarkForgotten):
			u.forgets = true
			c.ok(q, &wire.Marked{Counts: u.counts(), Upto: upto})
			return
		case s.tell(MarkBeyond):
			upto++
		case s.tell(CountAfterRead):
			u.off = 1
		}
	}
	if upto > u.mark {
		u.mark = upto
		u.n++
		u.v++
		u.tail = append(u.tail, frame{u.n, wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventRead, Of: "feed", Target: upto}), nil})
		s.push(u, s.frame(u, u.tail[len(u.tail)-1]))
	}
	c.ok(q, &wire.Marked{Counts: u.counts(), Upto: u.mark})
}

// feed is a page: all posts of those who are followed, newest first.
func (s *Server) feed(c *conn, u *user, q *wire.Request) {
	before := int64(math.MaxInt64)
	if v, err := strconv.ParseInt(q.Before, 10, 64); err == nil {
		before = v
	}
	page := &wire.Page{}
	for i := len(u.posts) - 1; i >= 0; i-- {
		p := u.posts[i]
		_, follows := u.follows[p.Author]
		if p.ID >= before || p.ID == u.hidden || !follows && p.Author != u.name {
			continue
		}
		if page.Posts = append(page.Posts, *p); len(page.Posts) == int(max(q.Limit, 20)) {
			page.Next = p.ID
			break
		}
	}
	c.ok(q, page)
}

func (s *Server) state(c *conn, u *user, q *wire.Request) {
	if q.State == "background" {
		c.user = nil
		c.ok(q, wire.Empty{})
		return
	}
	c.ok(q, wire.Empty{})
	if c.user == nil {
		c.user = u
		// What it missed, it misses by number, and asks for.
		c.send(wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Unread, Counts: u.counts()}))
		c.send(wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Heartbeat, N: u.n}))
	}
}
