package gateway

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	// maxPending is how many requests of one socket may be under way; beyond,
	// they are refused as overloaded. It is above the default burst.
	maxPending = 256
	// replyBytes is what a short reply is counted as in an outbox.
	replyBytes = 100
	// chatBytes is what a conversation's counter is.
	chatBytes = 32
)

// request takes a frame after connect: limits, looks up its operation, and
// starts it.
func (s *session) request(r *wire.Request) {
	began := time.Now()
	onlyAck := r.Has&wire.HasOp == 0 && r.Has&wire.HasAck != 0 && !r.Fault.Err()
	if onlyAck {
		s.acked(r.Ack)
	}
	op := s.g.ops[r.Op]
	if op == nil || op.socketless {
		op = s.g.unknown
	}
	if wait, ok := s.allow(began); !ok {
		s.limit(op, r.ID, wait, onlyAck, began)
		return
	}
	if onlyAck {
		release(r)
		return
	}
	c := &call{user: s.user.name, viewer: s.user.name, service: s.exempt(), session: s, req: r, began: began}
	switch {
	case op == s.g.unknown:
		s.refuse(op, r.ID, badRequest("there is no such op"), began)
	case r.Fault.Err():
		s.refuse(op, r.ID, badRequest(r.Fault.Message), began)
	case !s.hold():
		s.refuse(op, r.ID, feedengine.Refuse(feedengine.Overloaded, "too many requests under way on this socket"), began)
	default:
		s.start(op, c)
	}
}

// start carries out an operation that holds a place among the pending.
func (s *session) start(op *operation, c *call) {
	id, began := c.req.ID, c.began
	switch {
	case op.local != nil:
		op.local(s, op, c)
	case op.action != nil:
		action, err := op.action(c)
		if err != nil {
			s.failed(op, id, err, began)
			return
		}
		s.g.shards.Submit(feedengine.Request{
			User: c.user, Deadline: began.Add(s.g.limits.Request), Do: action,
			Done: func(res feedengine.Result) {
				if res.Err != nil {
					s.failed(op, id, res.Err, began)
					return
				}
				s.done(op, id, op.ok(&res, false), resultBytes(&res), began)
			},
		})
	default:
		err := s.g.answer(op, c, func(a answer) {
			if a.err != nil {
				s.failed(op, id, a.err, began)
				return
			}
			s.done(op, id, a.ok, a.bytes, began)
			if a.sent != nil {
				a.sent()
			}
		})
		if err != nil {
			s.failed(op, id, err, began)
		}
	}
}

// resultBytes is about what a shard's answer takes in an outbox.
func resultBytes(r *feedengine.Result) int {
	n := replyBytes + chatBytes*len(r.Chats)
	if r.Post != nil {
		n += postBytes(r.Post)
	}
	if r.Comment != nil {
		n += len(r.Comment.Text)
	}
	if r.Message != nil {
		n += messageBytes(r.Message)
	}
	return n
}

// answer has done called with what becomes of a read or a task. When it returns an
// error, done is not called.
func (g *Gateway) answer(op *operation, c *call, done func(answer)) *feedengine.Error {
	if op.task != nil {
		return op.task(g, c, done)
	}
	query, err := op.read(c)
	if err != nil {
		return err
	}
	return g.reads.ask(query, done)
}

// allow takes one request from the user's budget.
func (s *session) allow(now time.Time) (wait time.Duration, ok bool) {
	if s.exempt() {
		return 0, true
	}
	return s.g.users.allow(s.user, now)
}

// exempt reports whether the token's bearer is a service.
func (s *session) exempt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.service
}

// limit refuses a request that is beyond the user's budget, and ends a socket
// that goes on and on.
func (s *session) limit(op *operation, id int64, wait time.Duration, silent bool, began time.Time) {
	s.g.metrics.rateLimited.Inc()
	if s.strikes.more(began) {
		s.end(wire.ByeFor(wire.CloseRateLimited))
		return
	}
	if !silent {
		s.refuse(op, id, limited(wait), began)
	}
}

// hold takes a place among the requests under way.
func (s *session) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending >= maxPending {
		return false
	}
	s.pending++
	return true
}

// done answers a request that held a place.
func (s *session) done(op *operation, id int64, ok wire.Object, bytes int, began time.Time) {
	op.observe(viaSocket, "", began)
	s.reply(&wire.Frame{Kind: wire.Reply, Re: id, OK: ok}, bytes, true)
}

// failed refuses a request that held a place.
func (s *session) failed(op *operation, id int64, err *feedengine.Error, began time.Time) {
	op.observe(viaSocket, err.Code, began)
	s.reply(failure(id, err), replyBytes, true)
}

// refuse answers a request that never got a place.
func (s *session) refuse(op *operation, id int64, err *feedengine.Error, began time.Time) {
	op.observe(viaSocket, err.Code, began)
	s.reply(failure(id, err), replyBytes, false)
}

func failure(id int64, err *feedengine.Error) *wire.Frame {
	return &wire.Frame{Kind: wire.Failure, Re: id, Err: wireError(err)}
}

func (s *session) reply(f *wire.Frame, bytes int, held bool) {
	s.mu.Lock()
	if held {
		s.pending--
	}
	if s.state >= closing {
		s.mu.Unlock()
		return
	}
	s.settle(s.out.answer(f, bytes))
}
