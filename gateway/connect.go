package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/wire"
)

// verifyWait bounds the check of a token, which may have to fetch keys.
const verifyWait = 5 * time.Second

// first takes the first frame: a connect, or the end.
func (s *session) first(r *wire.Request, broken error) {
	if broken != nil || r.Op != opConnect || r.Fault.Malformed {
		s.end(wire.ByeFor(wire.CloseProtocol))
		return
	}
	began := time.Now()
	if err := checkConnect(r); err != nil {
		s.refuse(s.g.ops[opConnect], r.ID, err, began)
		return // and may try again until the first frame's time is over
	}
	if why := s.g.admission.connect(); why != admitted {
		bye := s.g.admission.bye(why, began)
		s.refuse(s.g.ops[opConnect], r.ID, &feedengine.Error{
			Code: feedengine.Overloaded, Message: "this node takes no more connections just now", Retry: bye.Retry,
		}, began)
		s.end(bye)
		return
	}
	claims, ok := s.authenticate(r, began)
	if !ok {
		return
	}
	s.connect(r, claims, began)
}

// checkConnect judges what the fields of a well-formed connect hold.
func checkConnect(r *wire.Request) *feedengine.Error {
	switch {
	case r.Fault.Err():
		return badRequest(r.Fault.Message)
	case r.Feed > wire.MaxPage:
		return badRequest(`"feed" must be an integer from 0 to 100`)
	}
	return nil
}

// authenticate finds out who the client is. When it cannot, it ends the socket.
func (s *session) authenticate(r *wire.Request, began time.Time) (auth.Claims, bool) {
	token := r.Token
	if token == "" {
		token = s.bearer
	}
	s.bearer = ""
	op := s.g.ops[opConnect]
	if token == "" {
		op.observe(viaSocket, feedengine.Unauthorized, began)
		s.end(wire.ByeFor(wire.CloseBadToken))
		return auth.Claims{}, false
	}
	claims, refused := s.g.verify(token)
	switch {
	case refused == nil:
		return claims, true
	case refused.Retryable():
		s.refuse(op, r.ID, refused, began)
		s.end(wire.ByeFor(wire.CloseOverloaded))
	default:
		op.observe(viaSocket, refused.Code, began)
		s.debug("token refused", "why", refused.Message)
		s.end(wire.ByeFor(wire.CloseBadToken))
	}
	return auth.Claims{}, false
}

// verify asks the verifier, for a bounded time.
func (g *Gateway) verify(token string) (auth.Claims, *feedengine.Error) {
	ctx, cancel := context.WithTimeout(g.ctx, verifyWait)
	defer cancel()
	claims, err := g.verifier.Verify(ctx, token)
	switch {
	case err == nil && time.Now().Before(claims.Expires) && feedengine.ValidUser(claims.User):
		return claims, nil
	case err == nil:
		return auth.Claims{}, feedengine.Refuse(feedengine.Unauthorized, "the token has expired or names no user")
	case auth.IsRetryable(err) || ctx.Err() != nil:
		return auth.Claims{}, feedengine.Refuse(feedengine.Unavailable, "the token cannot be checked at the moment")
	}
	return auth.Claims{}, feedengine.Refuse(feedengine.Unauthorized, err.Error())
}

// connect files the socket under its user and asks the shard to attach it.
func (s *session) connect(r *wire.Request, claims auth.Claims, began time.Time) {
	op := s.g.ops[opConnect]
	if !claims.Service {
		if wait, ok := s.g.users.allowName(claims.User, began); !ok {
			s.g.metrics.rateLimited.Inc()
			s.refuse(op, r.ID, limited(wait), began)
			s.end(wire.ByeFor(wire.CloseRateLimited))
			return
		}
	}
	u, ok := s.g.users.join(claims.User, s, claims.Service)
	if !ok {
		s.g.metrics.socketLimited.Inc()
		bye := wire.ByeFor(wire.CloseRateLimited)
		s.refuse(op, r.ID, &feedengine.Error{
			Code: feedengine.RateLimited, Message: "too many sockets of one user", Retry: bye.Retry,
		}, began)
		s.end(bye)
		return
	}
	s.user, s.expand = u, r.Expand
	s.g.presence.Joined(u.name)

	s.mu.Lock()
	if s.state != awaiting { // disconnected meanwhile
		s.mu.Unlock()
		return
	}
	s.state, s.attached = connecting, true
	s.service, s.expires = claims.Service, claims.Expires.UnixMilli()
	s.mu.Unlock()
	s.g.metrics.moved(awaiting, connecting)
	s.reschedule()

	attach := feedengine.Attach{Session: s.id, Page: int(r.Feed)}
	if r.Resume != nil {
		if stream, ok := feedengine.ParseStreamID(r.Resume.Stream); ok {
			attach.Resume = &feedengine.Resume{Stream: stream, N: r.Resume.N}
		}
	}
	id := r.ID
	s.g.shards.Submit(feedengine.Request{
		User: u.name, Deadline: began.Add(s.g.limits.Request), Do: attach,
		Done: func(res feedengine.Result) { s.connected(id, attach, &res, began) },
	})
}

// connected takes the shard's answer to the attach. It runs on a shard's
// goroutine, before the first delivery.
func (s *session) connected(id int64, asked feedengine.Attach, res *feedengine.Result, began time.Time) {
	op := s.g.ops[opConnect]
	if res.Err != nil {
		s.mu.Lock()
		s.attached = false
		s.mu.Unlock()
		s.refuse(op, id, res.Err, began)
		code := wire.CloseOverloaded
		if res.Err.Code != feedengine.Overloaded && res.Err.Code != feedengine.Unavailable {
			code = wire.CloseInternal
		}
		s.end(wire.ByeFor(code))
		return
	}
	ok := &wire.Connected{
		User: s.user.name, Stream: res.Stream.String(), N: res.N, Resumed: res.Resumed, Replay: res.Replay,
		Counts: wire.Counts(res.Counts), Heartbeat: heartbeatAfter,
	}
	if asked.Page > 0 {
		ok.Feed = wirePage(res.Page)
	}
	at := res.N
	if res.Resumed && asked.Resume != nil {
		at = asked.Resume.N
	}
	s.mu.Lock()
	if s.state != connecting {
		s.mu.Unlock()
		return
	}
	s.state, s.stream, s.since = live, res.Stream, time.Now().UnixMilli()
	s.out.begin(&wire.Frame{Kind: wire.Reply, Re: id, OK: ok}, pageBytes(res.Page), at)
	if s.expand && ok.Feed != nil && len(ok.Feed.Posts) > 0 {
		s.namePage(ok)
	}
	early := s.early != nil
	s.mu.Unlock()
	if early {
		s.g.wg.Go(s.takeEarly) // Close waits for it; not here: this is a shard's goroutine
	}
	s.g.metrics.moved(connecting, live)
	op.observe(viaSocket, "", began)
	s.sock.Wake()
	s.reschedule()
	s.debug("connected", "resumed", res.Resumed, "n", res.N)
}

// namePage holds the reply to connect, and so all that follows it, until the names
// of those who wrote its page have been looked up. When they cannot be it goes
// without. s.mu is held, and ok is only touched under it until then.
func (s *session) namePage(ok *wire.Connected) {
	posts := slices.Clone(ok.Feed.Posts)
	err := s.g.reads.ask(func(ctx context.Context, from Reads) (wire.Object, int, error) {
		err := namePosts(ctx, from, true, posts)
		return wire.Empty{}, 0, err
	}, func(a answer) {
		s.mu.Lock()
		if a.err == nil && s.out.held { // else it may have left, before a bye
			ok.Feed.Posts = posts
		}
		s.out.held = false
		s.mu.Unlock()
		s.sock.Wake()
	})
	s.out.held = err == nil
}
