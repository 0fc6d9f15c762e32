package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

const (
	beatEvery = time.Second
	deadAfter = 3 * time.Second // since a beat was seen to change
	// regular is the longest time between two rolls in which a node that beats
	// was sure to be seen to. An observer that looked away for longer was stalled
	// itself, or the store was away: it cannot tell who beat meanwhile.
	regular = 2 * time.Second
	// fresh is how long a node that is starting is waited for.
	fresh = 5 * time.Second
)

// watch is what a node knows of the others from the rolls that its beats bring
// back. It judges by the times at which it saw rolls, on its own monotonic
// clock, and never by the times of others. It is not safe for concurrent use.
type watch struct {
	seen map[string]*sighting // by node
	last time.Time            // of the last roll
}

// sighting is a node as an observer sees it.
type sighting struct {
	feedengine.Member
	first   time.Time // this incarnation was seen
	changed time.Time // its beat was last seen to change, or watching began anew
	beating bool      // it was seen to change: not a row that a crash left behind
	dead    bool
}

func (s *sighting) peer() link.Peer { return link.Peer{Node: s.Node, Incarnation: s.Incarnation} }

// look takes in a roll that was read at now, and returns those that were there
// before and are not any more, because they died, left, or were replaced.
func (w *watch) look(now time.Time, members []feedengine.Member) (gone []link.Peer) {
	stalled := !w.last.IsZero() && now.Sub(w.last) > regular
	w.last = now
	before := w.seen
	w.seen = make(map[string]*sighting, len(members))
	for _, m := range members {
		s := before[m.Node]
		switch {
		case s == nil:
			s = &sighting{Member: m, first: now, changed: now}
		case s.Incarnation != m.Incarnation:
			if !s.dead {
				gone = append(gone, s.peer())
			}
			// A new row is a sign of life: it was not there a moment ago.
			s = &sighting{Member: m, first: now, changed: now, beating: true}
		case s.Beat != m.Beat:
			s.Member, s.changed, s.beating, s.dead = m, now, true, false
		case stalled && !s.dead:
			s.changed = now
		case !s.dead && now.Sub(s.changed) >= deadAfter:
			s.dead = true
			gone = append(gone, s.peer())
		}
		w.seen[m.Node] = s
	}
	for node, s := range before {
		if w.seen[node] == nil && !s.dead {
			gone = append(gone, s.peer())
		}
	}
	slices.SortFunc(gone, func(a, b link.Peer) int { return cmp.Compare(a.Node, b.Node) })
	return gone
}

// due is how long after now a node that is not seen to beat any more would be
// dead, the first of them; at most until.
func (w *watch) due(now time.Time, until time.Duration) time.Duration {
	for _, s := range w.seen {
		if left := s.changed.Add(deadAfter).Sub(now); !s.dead && left < until {
			until = max(left, 0)
		}
	}
	return until
}

// dead reports whether nobody of that name is alive.
func (w *watch) dead(node string) bool {
	s := w.seen[node]
	return s == nil || s.dead
}

// takers are the nodes, in order, to which shards may be handed now.
func (w *watch) takers() []string {
	return w.pick(func(s *sighting) bool { return s.beating && s.State == feedengine.MemberServing })
}

// heirs are the nodes, in order, over which shards without an owner are placed.
// Those that are just starting count, so that nodes that start together
// get their shards without taking them from each other.
func (w *watch) heirs() []string {
	return w.pick(func(s *sighting) bool {
		return s.State == feedengine.MemberServing || s.State == feedengine.MemberStarting && w.last.Sub(s.first) < fresh
	})
}

// sortedKeys are a map's, in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (w *watch) pick(ok func(*sighting) bool) (nodes []string) {
	for node, s := range w.seen {
		if s.Shard && !s.dead && ok(s) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}
