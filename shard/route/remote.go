package route

import (
	"maps"
	"sync"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

const (
	// maxUnanswered is how many asks of one gateway may be under way here; beyond,
	// they are refused.
	maxUnanswered = 1 << 16
	// maxNodes is how many gateways are remembered, those that are gone included:
	// beyond, the gone ones are forgotten.
	maxNodes = 4096
)

// remote is one life of a gateway on another node.
type remote struct {
	// Set at construction.
	peer link.Peer
	id   feedengine.GatewayID

	mu   sync.Mutex
	gone bool                // guarded by mu
	asks map[uint64]struct{} // guarded by mu: ids of the asks under way
}

// gateway finds the remote of a peer, and makes it when the peer is new. Nil: a
// later incarnation of the node has been heard of.
func (s *Server) gateway(from link.Peer) *remote {
	if g := s.known(from); g != nil {
		return g
	}
	s.mu.Lock()
	g := s.nodes[from.Node]
	switch {
	case g == nil:
	case g.peer.Incarnation > from.Incarnation:
		s.mu.Unlock()
		return nil
	case g.peer == from:
		s.mu.Unlock()
		return s.revive(from)
	}
	fresh := s.enter(from)
	s.mu.Unlock()
	if g != nil {
		s.bury(g)
	}
	return fresh
}

// known is the remote of a peer that lives, or nil.
func (s *Server) known(from link.Peer) *remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.nodes[from.Node]; g != nil && g.peer == from && (*s.byID.Load())[g.id] == g {
		return g
	}
	return nil
}

// enter gives a peer a number that no other gateway has had for as long as
// possible: what an engine still sends to the last one with the same number must
// not reach this one's sessions. s.mu is held.
func (s *Server) enter(from link.Peer) *remote {
	ids := maps.Clone(*s.byID.Load())
	for {
		s.lastID++ // wraps
		if _, taken := ids[s.lastID]; !taken && s.lastID != 0 {
			break
		}
	}
	g := &remote{peer: from, id: s.lastID, asks: map[uint64]struct{}{}}
	ids[g.id] = g
	if len(s.nodes) >= maxNodes {
		maps.DeleteFunc(s.nodes, func(_ string, old *remote) bool { return ids[old.id] != old })
	}
	s.nodes[from.Node] = g
	s.byID.Store(&ids)
	return g
}

// revive gives a gateway that was taken for dead another number, and tells it to
// bring its sessions: they were detached. Nil: it was not taken for dead. A sign of
// life of a node also ends its earlier incarnations.
func (s *Server) revive(from link.Peer) *remote {
	s.mu.Lock()
	old := s.nodes[from.Node]
	if old == nil || old.peer != from || (*s.byID.Load())[old.id] == old {
		s.mu.Unlock()
		if old != nil && old.peer.Incarnation < from.Incarnation {
			s.bury(old)
		}
		return nil
	}
	g := s.enter(from)
	s.mu.Unlock()
	s.metrics.revived.Inc()
	s.opts.Log.Info("a gateway that was taken for dead is back", "node", from.Node)
	if s.opts.Served != nil {
		s.opts.Links.Send(from.Node, link.Serving{Places: s.opts.Served()})
	}
	return g
}

// GatewayGone says that a node is taken for dead, or has left: its sessions are
// detached. Should the same incarnation be heard of again, it is told to rejoin.
func (s *Server) GatewayGone(p link.Peer) {
	if g := s.known(p); g != nil {
		s.bury(g)
	}
}

// bury detaches the sessions of a gateway.
func (s *Server) bury(g *remote) {
	s.mu.Lock()
	ids := maps.Clone(*s.byID.Load())
	_, lived := ids[g.id]
	delete(ids, g.id)
	s.byID.Store(&ids)
	s.mu.Unlock()
	if !lived {
		return
	}
	g.mu.Lock()
	g.gone = true
	clear(g.asks)
	g.mu.Unlock()
	s.metrics.buried.Inc()
	s.opts.Host.GatewayGone(g.id)
}

// ask hands a gateway's ask to the host, unless it is under way here already.
func (s *Server) ask(g *remote, m link.Ask) {
	g.mu.Lock()
	_, double := g.asks[m.ID]
	full := len(g.asks) >= maxUnanswered
	if !double && !full {
		g.asks[m.ID] = struct{}{}
	}
	g.mu.Unlock()
	switch {
	case double:
		s.metrics.doubles.Inc()
		return
	case full:
		s.metrics.busy.Inc()
		s.send(g, m, feedengine.Result{Err: errBusy})
		return
	}
	s.metrics.asks.Inc()
	s.opts.Host.SubmitFrom(g.id, m.Key, feedengine.Request{
		User: m.User, Deadline: m.Deadline, Do: m.Do,
		Done: func(res feedengine.Result) { s.answer(g, m, res) },
	})
}

// answer sends a result back, on the goroutine that brought it about, so that it
// comes before what its shard sends next.
func (s *Server) answer(g *remote, m link.Ask, res feedengine.Result) {
	g.mu.Lock()
	gone := g.gone
	delete(g.asks, m.ID)
	g.mu.Unlock()
	if !gone {
		s.send(g, m, res)
	}
}

func (s *Server) send(g *remote, m link.Ask, res feedengine.Result) {
	a := link.Answer{ID: m.ID, Place: feedengine.Place{Shard: m.Shard, Epoch: s.opts.Epoch(m.Shard)}, Result: res}
	if res.Err == feedengine.ErrElsewhere {
		a.Elsewhere, a.Result = true, feedengine.Result{}
	}
	if !s.opts.Links.Send(g.peer.Node, a) { // it will be asked again
		s.metrics.unsent.Inc()
	}
}

// rejoin hands a gateway's sessions to the host. If it does not take them, they
// will be brought again.
func (s *Server) rejoin(g *remote, m link.Rejoin) {
	s.metrics.rejoins.Inc()
	in := feedengine.RejoinInput{Gateway: g.id, Sessions: append([]feedengine.Rejoin(nil), m.Sessions...), Whole: m.Whole}
	if !s.opts.Host.Rejoin(g.id, m.Shard, in) {
		s.metrics.refused.Inc()
	}
}
