package gateway

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	// typingEvery is how often it is passed on that a user types in a conversation.
	typingEvery = 2 * time.Second
	// membersFor is how long it is remembered who is told.
	membersFor = 30 * time.Second
	// maxTypists bounds how many users' conversations are remembered; beyond, some
	// are looked up again.
	maxTypists = 10_000
	// maxTyped bounds how many conversations of one user are.
	maxTyped = 16
)

// typists remembers who types where, for whom.
type typists struct {
	mu  sync.Mutex
	m   map[string]map[feedengine.ID]*typist // guarded by mu: by user
	gen uint64                               // guarded by mu: grows with each forget
	// hidden says until when somebody's typing is not shown to another, as a block came
	// between them: other nodes may remember for so long whom they told. Guarded by mu.
	hidden map[pair]time.Time
}

// pair is a user, and another who is hidden from them.
type pair struct{ user, other string }

// typist is a user's typing in one conversation.
type typist struct {
	members []string  // who is told
	until   time.Time // until when members is good; zero: it is not
	last    time.Time // when they were told, by whatever node
}

func newTypists() *typists {
	return &typists{m: map[string]map[feedengine.ID]*typist{}, hidden: map[pair]time.Time{}}
}

// pass says whom to tell now, nobody if they have just been told. known is false when
// they must be looked up; gen is for learn then.
func (ts *typists) pass(user string, at feedengine.ID, now time.Time) (tell []string, known bool, gen uint64) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.m[user][at]
	switch {
	case t != nil && now.Sub(t.last) < typingEvery:
		return nil, true, ts.gen
	case t == nil || now.After(t.until):
		return nil, false, ts.gen
	}
	t.last = now
	return t.members, true, ts.gen
}

// learn remembers the members, unless something was forgotten since gen, and says
// whom to tell now.
func (ts *typists) learn(user string, at feedengine.ID, members []string, gen uint64, now time.Time) (tell []string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.entry(user, at)
	if now.Sub(t.last) < typingEvery {
		return nil
	}
	t.last = now
	if gen == ts.gen {
		t.members, t.until = members, now.Add(membersFor)
	}
	return members
}

// told notes that another node has told of the user's typing.
func (ts *typists) told(user string, at feedengine.ID, now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.entry(user, at).last = now
}

// entry is a user's typing in a conversation, made if need be. mu is held.
func (ts *typists) entry(user string, at feedengine.ID) *typist {
	mine := ts.m[user]
	if mine == nil {
		if len(ts.m) >= maxTypists {
			for other := range ts.m { // any
				delete(ts.m, other)
				break
			}
		}
		mine = map[feedengine.ID]*typist{}
		ts.m[user] = mine
	}
	t := mine[at]
	if t == nil {
		if len(mine) >= maxTyped {
			clear(mine)
		}
		t = &typist{}
		mine[at] = t
	}
	return t
}

// forget has it looked up anew whom the user's typing is told.
func (ts *typists) forget(user string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.gen++
	delete(ts.m, user)
}

// hide ends that the user is shown the other's typing, until show, or until nobody
// remembers any more whom they told before.
func (ts *typists) hide(user, other string, now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.hidden) >= maxTypists {
		for p := range ts.hidden { // any
			delete(ts.hidden, p)
			break
		}
	}
	ts.hidden[pair{user, other}] = now.Add(membersFor + typingEvery)
}

func (ts *typists) show(user, other string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.hidden, pair{user, other})
}

// hides reports whether the user is not to be shown the other's typing.
func (ts *typists) hides(user, other string, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return now.Before(ts.hidden[pair{user, other}])
}

// sweep forgets who has not typed for a while.
func (ts *typists) sweep(now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for p, until := range ts.hidden {
		if now.After(until) {
			delete(ts.hidden, p)
		}
	}
	for user, mine := range ts.m {
		for at, t := range mine {
			if now.After(t.until) && now.Sub(t.last) >= typingEvery {
				delete(mine, at)
			}
		}
		if len(mine) == 0 {
			delete(ts.m, user)
		}
	}
}

// tellTyping tells the other members of a conversation that the user types.
func tellTyping(g *Gateway, c *call, done func(answer)) *feedengine.Error {
	at, err := checkID("conversation", c.req.Conversation)
	if err != nil {
		return err
	}
	ok := answer{ok: wire.Empty{}, bytes: replyBytes}
	tell, known, gen := g.typists.pass(c.user, at, c.began)
	if known {
		g.passTyping(c.user, at, tell)
		done(ok)
		return nil
	}
	var members []string
	return g.reads.ask(func(ctx context.Context, from Reads) (_ wire.Object, _ int, err error) {
		members, err = from.Members(ctx, c.user, at)
		return wire.Empty{}, 0, err
	}, func(a answer) {
		if a.err != nil {
			done(a)
			return
		}
		g.passTyping(c.user, at, g.typists.learn(c.user, at, members, gen, c.began))
		done(ok)
	})
}

// typingMessage tells the other nodes.
type typingMessage struct {
	Typing wire.Typing `json:"typing"`
	To     []string    `json:"to"`
}

// passTyping tells users, wherever they are.
func (g *Gateway) passTyping(user string, at feedengine.ID, to []string) {
	if len(to) == 0 {
		return
	}
	m := typingMessage{Typing: wire.Typing{Conversation: int64(at), User: user}, To: to}
	g.showTyping(&m)
	if g.broadcast == nil {
		return
	}
	msg, err := json.Marshal(&m)
	if err != nil {
		g.log.Error("typing could not be told", "err", err)
		return
	}
	g.broadcast.Publish(append([]byte{aboutTyping}, msg...))
}

// receiveTyping takes in what another node tells.
func (g *Gateway) receiveTyping(msg []byte) {
	var m typingMessage
	if err := json.Unmarshal(msg, &m); err != nil || !feedengine.ValidUser(m.Typing.User) ||
		m.Typing.Conversation <= 0 || len(m.To) > feedengine.MaxMembers {
		g.log.Debug("a message about typing was not understood", "err", err)
		return
	}
	g.typists.told(m.Typing.User, feedengine.ID(m.Typing.Conversation), time.Now())
	g.showTyping(&m)
}

func (g *Gateway) showTyping(m *typingMessage) {
	f, now := &wire.Frame{Kind: wire.TypingFrame, Typing: &m.Typing}, time.Now()
	for _, user := range m.To {
		if !g.typists.hides(user, m.Typing.User, now) {
			g.Ephemeral(user, f)
		}
	}
}
