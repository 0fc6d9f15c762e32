package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Handler answers the public listener: /v1/…, /healthz, /readyz and, where there
// are such, the demo page and dev tokens.
func (g *Gateway) Handler() http.Handler {
	m := http.NewServeMux()
	paths := map[string]map[string]http.Handler{}
	add := func(method, path string, h http.HandlerFunc) {
		if paths[path] == nil {
			paths[path] = map[string]http.Handler{}
		}
		paths[path][method] = h
	}
	for _, op := range g.ops {
		for _, rt := range op.routes {
			add(rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) { g.serveCall(w, r, op, rt) })
		}
	}
	add(http.MethodPost, "/v1/users/{user}/disconnect", g.serveDisconnect)
	if g.logins.Issue != nil {
		add(http.MethodPost, "/v1/login", g.serveLogin)
	}
	add(http.MethodGet, socketPath, g.serveSocket)
	add(http.MethodGet, "/healthz", serveHealthz)
	add(http.MethodGet, "/readyz", g.serveReadyz)
	if g.devToken != nil {
		add(http.MethodPost, "/dev/token", g.serveDevToken)
	}
	for path, methods := range paths {
		m.Handle(path, byMethod(methods))
	}
	missing := http.HandlerFunc(serveMissing)
	m.Handle("/v1/", missing)
	if g.demo != nil {
		m.Handle("/", g.demo)
	} else {
		m.Handle("/", missing)
	}
	return withRequestID(g.origins.allow(m))
}

// upgrades is what Handler does with GET socketPath.
func (g *Gateway) upgrades() http.Handler {
	return withRequestID(g.origins.allow(http.HandlerFunc(g.serveSocket)))
}

// identity is who acts, and with what rights.
type identity struct {
	user    string
	viewer  string // see call
	service bool
}

// identify checks the bearer token, the Feedgate-User header, and the limits.
func (g *Gateway) identify(r *http.Request, began time.Time) (identity, *feedengine.Error) {
	token := bearerOf(r)
	if token == "" {
		return identity{}, feedengine.Refuse(feedengine.Unauthorized, "a bearer token is needed")
	}
	claims, err := g.verify(token)
	if err != nil {
		return identity{}, err
	}
	who, err := actsAs(r, claims)
	if err != nil || who.service {
		return who, err
	}
	if wait, ok := g.users.allowName(who.user, began); !ok {
		g.metrics.rateLimited.Inc()
		return who, limited(wait)
	}
	return who, nil
}

// actsAs is the token's user, or whom a service says it acts for.
func actsAs(r *http.Request, claims auth.Claims) (identity, *feedengine.Error) {
	who := identity{claims.User, claims.User, claims.Service}
	if who.service {
		who.viewer = ""
	}
	for _, user := range r.Header.Values("Feedgate-User") {
		if !claims.Service {
			return who, feedengine.Refuse(feedengine.Forbidden, "acting for others takes a token with the scope service")
		}
		if !feedengine.ValidUser(user) {
			return who, badRequest("Feedgate-User: " + badUser)
		}
		who.user, who.viewer = user, user
	}
	return who, nil
}

// serveCall carries out one operation.
func (g *Gateway) serveCall(w http.ResponseWriter, r *http.Request, op *operation, rt route) {
	began := time.Now()
	var ok wire.Object
	who, err := g.identify(r, began)
	if err == nil {
		c := &call{user: who.user, viewer: who.viewer, service: who.service, req: new(wire.Request), began: began}
		if err = readFields(w, r, rt, c.req); err == nil {
			ok, err = g.carryOut(r.Context(), op, c)
		}
	}
	if g.debugs() {
		g.log.Debug("request", "op", op.name, "user", who.user, "request", requestID(r), "refused", codeOf(err))
	}
	op.observe(viaHTTP, codeOf(err), began)
	if err != nil {
		writeError(w, err)
		return
	}
	writeObject(w, rt.status, ok)
}

// readFields decodes body, path, query and headers.
func readFields(w http.ResponseWriter, r *http.Request, rt route, into *wire.Request) *feedengine.Error {
	if rt.body > 0 {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rt.body))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return feedengine.Refuse(feedengine.TooLarge, "the body is too large")
		case err != nil:
			return badRequest("the body could not be read")
		}
		if err := wire.DecodeFields(body, into); err != nil {
			return badRequest("the body is not a JSON object")
		}
		if into.Fault.Err() {
			return badRequest(into.Fault.Message)
		}
	}
	if rt.fields == nil {
		return nil
	}
	return rt.fields(r, into)
}

// carryOut runs the operation and waits for its outcome.
func (g *Gateway) carryOut(ctx context.Context, op *operation, c *call) (wire.Object, *feedengine.Error) {
	// A shard refuses what is past its deadline; the grace is for one that is
	// just then at work on it.
	ctx, cancel := context.WithTimeout(ctx, g.limits.Request+requestGrace)
	defer cancel()
	out := make(chan answer, 1) // one outcome, taken or left
	if op.action != nil {
		action, err := op.action(c)
		if err != nil {
			return nil, err
		}
		g.shards.Submit(feedengine.Request{
			User: c.user, Deadline: c.began.Add(g.limits.Request), Do: action,
			Done: func(res feedengine.Result) {
				if res.Err != nil {
					out <- answer{err: res.Err}
					return
				}
				out <- answer{ok: op.ok(&res, true)}
			},
		})
	} else {
		if err := g.answer(op, c, func(a answer) { out <- a }); err != nil {
			return nil, err
		}
	}
	select {
	case a := <-out:
		return a.ok, a.err
	case <-ctx.Done():
		return nil, feedengine.Refuse(feedengine.Unavailable, "no outcome in time; it may still have happened")
	}
}

// requestGrace is how long an HTTP request waits beyond its deadline.
const requestGrace = 5 * time.Second

// serveDisconnect closes a user's sockets: their token has been revoked.
func (g *Gateway) serveDisconnect(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	who, err := g.identify(r, began)
	user := r.PathValue("user")
	switch {
	case err != nil:
	case !who.service:
		err = feedengine.Refuse(feedengine.Forbidden, "this takes a token with the scope service")
	case !feedengine.ValidUser(user):
		err = badRequest(badUser)
	default:
		n := g.Disconnect(user)
		g.log.Info("disconnected a user", "user", user, "sockets", n, "by", who.user, "request", requestID(r))
		if g.revoke != nil {
			err = g.revoke(r.Context(), user)
		}
	}
	g.revokes.observe(viaHTTP, codeOf(err), began)
	if err != nil {
		writeError(w, err)
		return
	}
	writeObject(w, http.StatusOK, wire.Empty{})
}
