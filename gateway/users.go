package gateway

import (
	"hash/maphash"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// userParts is how many locks the registry of users is divided over.
const userParts = 64

// users knows who is here and how much each asks: the limits are per user,
// shared by all of the user's sockets and HTTP requests. A user is kept while
// there is a socket or the limiter is not full, which is to say, is any use.
type users struct {
	limits Limits
	seed   maphash.Seed
	parts  [userParts]userPart
}

type userPart struct {
	mu sync.Mutex
	m  map[string]*user // guarded by mu
}

// user is one user's entry. Its part's mu guards all but the name.
type user struct {
	name    string
	part    *userPart
	limiter *rate.Limiter // nil: full
	first   *session      // the user's sockets, linked by session.next
	sockets int
}

func newUsers(l Limits) *users {
	u := &users{limits: l, seed: maphash.MakeSeed()}
	for i := range u.parts {
		u.parts[i].m = map[string]*user{}
	}
	return u
}

func (us *users) part(name string) *userPart {
	return &us.parts[maphash.String(us.seed, name)%userParts]
}

// entry is the named user's. p.mu is held.
func (p *userPart) entry(name string) *user {
	u := p.m[name]
	if u == nil {
		u = &user{name: name, part: p}
		p.m[name] = u
	}
	return u
}

// allowName is allow for a request without a socket.
func (us *users) allowName(name string, now time.Time) (wait time.Duration, ok bool) {
	p := us.part(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	return us.take(p.entry(name), now)
}

// allow takes one request from the user's budget, or says how long until there
// is one again.
func (us *users) allow(u *user, now time.Time) (wait time.Duration, ok bool) {
	u.part.mu.Lock()
	defer u.part.mu.Unlock()
	return us.take(u, now)
}

func (us *users) take(u *user, now time.Time) (wait time.Duration, ok bool) {
	if u.limiter == nil {
		u.limiter = rate.NewLimiter(rate.Limit(us.limits.Rate), us.limits.Burst)
	}
	if u.limiter.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - u.limiter.TokensAt(now)
	return time.Duration(math.Ceil(missing / us.limits.Rate * float64(time.Second))), false
}

// join adds the session's socket to the named user's. It fails when the user has
// too many, unless the token is exempt from limits.
func (us *users) join(name string, s *session, exempt bool) (*user, bool) {
	p := us.part(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.entry(name)
	if u.sockets >= us.limits.SocketsPerUser && !exempt {
		return nil, false
	}
	s.next, u.first = u.first, s
	u.sockets++
	return u, true
}

// leave takes the session's socket out again, and says whether it was the user's
// last. The user's entry is sweep's.
func (us *users) leave(u *user, s *session) (last bool) {
	u.part.mu.Lock()
	defer u.part.mu.Unlock()
	for at := &u.first; *at != nil; at = &(*at).next {
		if *at == s {
			*at, s.next = s.next, nil
			u.sockets--
			return u.sockets == 0
		}
	}
	return false
}

// here reports whether the named user has a socket.
func (us *users) here(name string) bool {
	p := us.part(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.m[name]
	return u != nil && u.sockets > 0
}

// sessions lists the user's sockets.
func (us *users) sessions(name string) []*session {
	p := us.part(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.m[name]
	if u == nil {
		return nil
	}
	var all []*session
	for s := u.first; s != nil; s = s.next {
		all = append(all, s)
	}
	return all
}

// sweep forgets limiters that are full again, and users of whom nothing is left.
func (us *users) sweep(now time.Time) {
	for i := range us.parts {
		p := &us.parts[i]
		p.mu.Lock()
		for name, u := range p.m {
			if u.limiter != nil && u.limiter.TokensAt(now) >= float64(us.limits.Burst) {
				u.limiter = nil
			}
			if u.limiter == nil && u.sockets == 0 {
				delete(p.m, name)
			}
		}
		p.mu.Unlock()
	}
}

// size is how many users are kept.
func (us *users) size() int {
	n := 0
	for i := range us.parts {
		us.parts[i].mu.Lock()
		n += len(us.parts[i].m)
		us.parts[i].mu.Unlock()
	}
	return n
}
