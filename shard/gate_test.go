package shard

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/feedgate/feedgate/feedengine"
)

// gate is a gateway's end of a small cluster, with the rules that route.Router
// follows: places order owners, a stream's events are taken in order, and what
// is lacking is asked for by a rejoin. It loses messages on demand.
type gate struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	loses  int // one delivery in so many; 0: none
	epochs map[feedengine.ShardID]uint64
	by     map[feedengine.SessionID]*member
	faults []string
	stale  int
	lost   int
}

// member is one session, and what its client has seen.
type member struct {
	user    string
	shard   feedengine.ShardID
	session feedengine.SessionID
	stream  feedengine.StreamID
	n       uint64
	counts  feedengine.Counts
	lacking bool
	since   feedengine.ID // posts up to here may have come before it was attached
	posts   map[feedengine.ID]int
	resets  map[feedengine.ResetReason]int
	blind   bool // a reset said that events were skipped
}

func newGate(rnd *rand.Rand, loses int) *gate {
	return &gate{rnd: rnd, loses: loses, epochs: map[feedengine.ShardID]uint64{}, by: map[feedengine.SessionID]*member{}}
}

// admit drops what a former owner sends, and what gets lost on the way.
func (g *gate) admit(at feedengine.Place) bool {
	if at.Epoch < g.epochs[at.Shard] {
		g.stale++
		return false
	}
	if at.Epoch > g.epochs[at.Shard] {
		g.raise(at)
	}
	if g.loses > 0 && g.rnd.IntN(g.loses) == 0 {
		g.lost++
		return false
	}
	return true
}

// raise takes note of a new owner, or of one under a new epoch: where the
// sessions stand has to be told again.
func (g *gate) raise(at feedengine.Place) {
	g.epochs[at.Shard] = at.Epoch
	for _, m := range g.by {
		if m.shard == at.Shard {
			m.lacking = true
		}
	}
}

// serving is an owner's word that it serves a shard.
func (g *gate) serving(at feedengine.Place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at.Epoch > g.epochs[at.Shard] {
		g.raise(at)
	}
}

func (g *gate) Deliver(at feedengine.Place, _ feedengine.GatewayID, d feedengine.Delivery) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.admit(at) {
		return
	}
	for _, to := range d.To {
		m := g.by[to.Session]
		if m == nil {
			continue
		}
		if d.Event == nil {
			m.count(to.Counts)
			continue
		}
		switch {
		case m.lacking || to.N <= m.n:
		case to.N > m.n+1:
			m.lacking = true
		default:
			m.n = to.N
			m.count(to.Counts)
			if d.Event.Kind == feedengine.KindPost {
				m.posts[d.Event.ID]++
			}
		}
	}
}

func (m *member) count(c feedengine.Counts) {
	if c.V >= m.counts.V {
		m.counts = c
	}
}

func (g *gate) Reset(at feedengine.Place, _ feedengine.GatewayID, r feedengine.Reset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.by[r.Session]
	if !g.admit(at) || m == nil {
		return
	}
	if r.Reason == feedengine.Rejoined {
		if r.Stream == m.stream && r.N == m.n {
			m.lacking = false
			m.count(r.Counts)
		}
		return
	}
	if r.Stream == m.stream && r.N < m.n {
		g.faults = append(g.faults, fmt.Sprintf("%s: reset from %d back to %d of the same stream", m.user, m.n, r.N))
	}
	m.resets[r.Reason]++
	m.stream, m.n, m.counts, m.lacking, m.blind = r.Stream, r.N, r.Counts, false, true
}

// attached takes the answer to an attach, as its Done does.
func (g *gate) attached(m *member, r feedengine.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.stream, m.n, m.counts = r.Stream, r.N, r.Counts
	m.posts, m.resets = map[feedengine.ID]int{}, map[feedengine.ResetReason]int{}
	g.by[m.session] = m
}

func (g *gate) detached(session feedengine.SessionID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, session)
}

// rejoin is what the gate has to tell a shard's owner: all its sessions, if one
// is lacking or everybody is to be asked.
func (g *gate) rejoin(shard feedengine.ShardID, everybody bool) (in feedengine.RejoinInput, ask bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in.Whole = true
	for _, m := range g.by {
		if m.shard == shard {
			ask = ask || m.lacking || everybody
			m.lacking = m.lacking || everybody
			in.Sessions = append(in.Sessions, feedengine.Rejoin{User: m.user, Session: m.session, Stream: m.stream, N: m.n, V: m.counts.V})
		}
	}
	return in, ask
}
