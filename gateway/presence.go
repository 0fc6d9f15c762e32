package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/presence"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Circle tells with whom a user has to do, and when users were last connected.
type Circle interface {
	Acquainted(ctx context.Context, user string, others []string) ([]string, error)
	Members(ctx context.Context, user string, conversation feedengine.ID) ([]string, error)
	LastSeen(ctx context.Context, users []string) ([]feedengine.LastSeen, error)
	SawUsers(ctx context.Context, seen []feedengine.LastSeen) error
}

// Broadcast brings messages to the gateways of all other nodes, which take them by
// Receive. What is lost is lost: presence and typing get over it.
type Broadcast interface {
	// Publish never waits. msg belongs to it from then on.
	Publish(msg []byte)
}

// The first byte of a broadcast message says what it is. Of other kinds, which later
// releases may have, nothing is read.
const (
	aboutPresence = 'p'
	aboutTyping   = 't'
)

// Receive takes a message that the gateway of another node has published.
func (g *Gateway) Receive(node string, msg []byte) {
	if len(msg) == 0 {
		return
	}
	switch msg[0] {
	case aboutPresence:
		g.presence.Receive(node, msg[1:])
	case aboutTyping:
		g.receiveTyping(msg[1:])
	}
}

func presenceOperations() []*operation {
	return []*operation{
		{
			name: "presence", task: askPresence,
			routes: []route{{http.MethodGet, "/v1/presence", http.StatusOK, 0, presenceUsers}},
		},
		{
			name: "typing", task: tellTyping,
			routes: []route{{http.MethodPost, "/v1/conversations/{conversation}/typing", http.StatusOK, 0, pathConversation}},
		},
	}
}

// presenceUsers takes users=a,b
func presenceUsers(r *http.Request, f *wire.Request) *feedengine.Error {
	q := r.URL.Query()
	if !q.Has("users") {
		return nil
	}
	f.Has |= wire.HasUsers
	if list := q.Get("users"); list != "" {
		f.Users = strings.Split(list, ",")
	}
	return nil
}

func newTracker(g *Gateway, o *Options) *presence.Tracker {
	po := presence.Options{
		Node: o.Node, Here: g.users.here, Show: g.showPresence, Save: o.Circle.SawUsers,
		Log: o.Log, Metrics: o.Metrics,
	}
	if o.Broadcast != nil {
		po.Publish = func(msg []byte) { o.Broadcast.Publish(append([]byte{aboutPresence}, msg...)) }
	}
	return presence.New(po)
}

// askPresence tells how users stand; over a socket it makes them those whom the
// socket is told of from then on. Those whom the user has nothing to do with, or who
// are hidden, are left out: it is not told why.
func askPresence(g *Gateway, c *call, done func(answer)) *feedengine.Error {
	users, err := checkPresence(c.req)
	if err != nil {
		return err
	}
	hides := uint32(0)
	if c.session != nil {
		hides = c.session.hides.Load()
	}
	var known []string
	var seen []feedengine.LastSeen
	return g.reads.ask(func(ctx context.Context, from Reads) (_ wire.Object, _ int, err error) {
		if len(users) > 0 {
			known, err = from.Acquainted(ctx, c.user, users)
		}
		if err == nil && len(known) > 0 {
			seen, err = from.LastSeen(ctx, known)
		}
		return wire.Empty{}, 0, err
	}, func(a answer) {
		switch {
		case a.err != nil:
			done(a)
		case c.session != nil:
			done(g.watchPresence(c.session, hides, known, seen))
		default:
			g.wg.Go(func() { // Close waits for it
				all, err := g.presence.Look(g.ctx, known)
				done(presenceAnswer(all, seen, err))
			})
		}
	})
}

// watchPresence has the session told of the users from now on. hides is how often
// somebody had been hidden from it before they were looked up.
func (g *Gateway) watchPresence(s *session, hides uint32, users []string, seen []feedengine.LastSeen) answer {
	all, answered, err := g.presence.Watch(s.id, users)
	if s.standing() >= closing {
		g.presence.Unwatch(s.id)
	}
	if err == nil && s.hides.Load() != hides { // perhaps one of them
		g.presence.Unwatch(s.id)
		err = &feedengine.Error{Code: feedengine.Unavailable, Message: "a block came between: ask again", Retry: time.Second}
	}
	a := presenceAnswer(all, seen, err)
	a.sent = answered
	return a
}

func presenceAnswer(all []presence.Status, seen []feedengine.LastSeen, err error) answer {
	if err != nil {
		return answer{err: presenceRefusal(err)}
	}
	last := map[string]time.Time{}
	for _, l := range seen {
		last[l.User] = l.At
	}
	out := &wire.Present{Presence: make([]wire.Presence, len(all))}
	for i, st := range all {
		if at := last[st.User]; !st.Online && at.After(st.Seen) {
			st.Seen = at
		}
		out.Presence[i] = wire.Presence(st)
	}
	return answer{ok: out, bytes: replyBytes * (1 + len(all))}
}

func presenceRefusal(err error) *feedengine.Error {
	if refused, is := err.(*feedengine.Error); is {
		return refused
	}
	return feedengine.Refuse(feedengine.Internal, "something went wrong")
}

// checkPresence is whom it is asked about, each once.
func checkPresence(r *wire.Request) ([]string, *feedengine.Error) {
	if r.Has&wire.HasUsers == 0 || len(r.Users) > presence.MaxUsers {
		return nil, badRequest(`"users" must name 0 to 100 users`)
	}
	seen := make(map[string]bool, len(r.Users))
	users := make([]string, 0, len(r.Users))
	for _, u := range r.Users {
		if err := checkUser(u); err != nil {
			return nil, err
		}
		if !seen[u] {
			seen[u] = true
			users = append(users, u)
		}
	}
	return users, nil
}

// showRoom is how many frames may wait for a socket that is shown how a user stands.
const showRoom = 32

// showPresence tells the session how a user stands, if its app is looked at and has
// not fallen behind.
func (g *Gateway) showPresence(id feedengine.SessionID, st presence.Status) bool {
	s := g.sessions.get(id)
	if s == nil {
		return true // nobody is left to be told
	}
	p := wire.Presence(st)
	s.mu.Lock()
	took := s.state == live && !s.background && s.out.room(showRoom)
	if took {
		s.out.push(entry{frame: &wire.Frame{Kind: wire.PresenceFrame, Presence: &p}})
	}
	s.mu.Unlock()
	if took {
		s.sock.Wake()
	}
	return took
}

// room reports whether fewer than so many frames wait.
func (o *outbox) room(most int) bool { return len(o.queue)-o.head < most && !o.held }

// hid ends what the session was told of a user who is hidden from its own by now.
func (g *Gateway) hid(s *session, user string) {
	s.hides.Add(1)
	g.presence.Hide(s.id, user)
	g.typists.forget(s.user.name)
	g.typists.hide(s.user.name, user, time.Now())
}

// recheckPresence looks anew whom the session may be told of: that somebody was
// hidden may be among the events that were skipped.
func (g *Gateway) recheckPresence(s *session) {
	users := g.presence.Watched(s.id)
	if len(users) == 0 {
		return
	}
	err := g.reads.ask(func(ctx context.Context, from Reads) (wire.Object, int, error) {
		known, err := from.Acquainted(ctx, s.user.name, users)
		if err != nil {
			return nil, 0, err
		}
		still := map[string]bool{}
		for _, u := range known {
			still[u] = true
		}
		for _, u := range users {
			if !still[u] {
				g.hid(s, u)
			}
		}
		return wire.Empty{}, 0, nil
	}, func(a answer) {
		if a.err != nil {
			g.presence.Unwatch(s.id)
		}
	})
	if err != nil {
		g.presence.Unwatch(s.id)
	}
}
