package gateway

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// The operations that concern the session itself.

func sessionOperations() []*operation {
	return []*operation{
		{name: opConnect, local: (*session).connectAgain},
		{name: "sync", local: (*session).sync},
		{name: "state", local: (*session).setState},
		{name: "refresh", local: (*session).refresh},
		{name: "ping", local: (*session).ping},
	}
}

func (s *session) connectAgain(op *operation, c *call) {
	s.failed(op, c.req.ID, badRequest("this socket is connected already"), c.began)
}

func (s *session) ping(op *operation, c *call) {
	s.done(op, c.req.ID, wire.Empty{}, replyBytes, c.began)
}

// refresh takes a newer token of the same user in place of the one that expires.
func (s *session) refresh(op *operation, c *call) {
	id, began := c.req.ID, c.began
	if c.req.Token == "" {
		s.failed(op, id, badRequest(`"token" must be given`), began)
		return
	}
	claims, err := s.g.verify(c.req.Token)
	if err == nil && claims.User != s.user.name {
		err = feedengine.Refuse(feedengine.Unauthorized, "the token is another user's")
	}
	if err != nil {
		s.failed(op, id, err, began)
		return
	}
	s.mu.Lock()
	s.expires, s.service = claims.Expires.UnixMilli(), claims.Service
	s.mu.Unlock()
	s.reschedule()
	s.done(op, id, wire.Refreshed{Expires: claims.Expires}, replyBytes, began)
}

// sync has the events after n sent again. The shard's answer comes before them. If
// it comes after a reset, that has answered the sync: n was of another stream.
func (s *session) sync(op *operation, c *call) {
	id, n, began := c.req.ID, c.req.N, c.began
	if c.req.Has&wire.HasN == 0 {
		s.failed(op, id, badRequest(`"n" must be given`), began)
		return
	}
	s.mu.Lock()
	stream := s.stream
	s.mu.Unlock()
	s.ask(feedengine.Sync{Session: s.id, N: n}, op, id, began, func(f *wire.Frame) verdict {
		if s.stream != stream {
			return s.out.answer(f, replyBytes)
		}
		s.out.begin(f, replyBytes, min(n, s.out.last)) // nobody has seen more than was sent
		return taken
	})
}

// setState moves the app to the background or back.
func (s *session) setState(op *operation, c *call) {
	id, state, began := c.req.ID, c.req.State, c.began
	if state != "active" && state != "background" {
		s.failed(op, id, badRequest(`"state" must be "active" or "background"`), began)
		return
	}
	background := state == "background"
	s.ask(feedengine.SetState{Session: s.id, Background: background}, op, id, began, func(f *wire.Frame) verdict {
		s.background = background
		return s.out.answer(f, replyBytes)
	})
}

// ask submits an action after which events are replayed, and has put queue the
// reply, under s.mu, when it was granted.
func (s *session) ask(a feedengine.Action, op *operation, id int64, began time.Time, put func(*wire.Frame) verdict) {
	s.g.shards.Submit(feedengine.Request{
		User: s.user.name, Deadline: began.Add(s.g.limits.Request), Do: a,
		Done: func(res feedengine.Result) {
			if res.Err != nil {
				s.failed(op, id, res.Err, began)
				return
			}
			op.observe(viaSocket, "", began)
			s.mu.Lock()
			s.pending--
			if s.state != live {
				s.mu.Unlock()
				return
			}
			s.since = time.Now().UnixMilli()
			s.settle(put(&wire.Frame{Kind: wire.Reply, Re: id, OK: wire.Empty{}}))
		},
	})
}
