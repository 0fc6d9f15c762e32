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
	// deadAfter is since a beat was seen to change, where everybody is in time.
	deadAfter = 3 * time.Second
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
//
// Late is not dead: where somebody was late just now, be it a node or the watch
// itself, all are waited for longer (see lateness). Only who has left the bus as well, as
// the system closes the connections of a process that has ended, is dead in time.
type watch struct {
	seen  map[string]*sighting // by node
	last  time.Time            // of the last roll
	late  lateness             // of everybody's beats, and of rolls
	rolls lateness             // of rolls alone
}

// sighting is a node as an observer sees it.
type sighting struct {
	feedengine.Member
	first   time.Time // this incarnation was seen
	changed time.Time // its beat was last seen to change, or watching began anew
	beating bool      // it was seen to change: not a row that a crash left behind
	dead    bool
	late    lateness // of its beats
}

func (s *sighting) peer() link.Peer { return link.Peer{Node: s.Node, Incarnation: s.Incarnation} }

// look takes in a roll that was read at now, and returns those that were there
// before and are not any more, because they died, left, or were replaced. Deserted
// are nodes that are known to be on the bus no longer.
func (w *watch) look(now time.Time, members []feedengine.Member, deserted map[string]bool) (gone []link.Peer) {
	stalled := !w.last.IsZero() && now.Sub(w.last) > regular
	if !w.last.IsZero() {
		late := now.Sub(w.last) - beatEvery*3/2
		w.late.note(now, late)
		w.rolls.note(now, late)
	}
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
			if s.beating && !stalled { // else there is no telling when it beat
				late := now.Sub(s.changed) - regular
				s.late.note(now, late)
				w.late.note(now, late)
			}
			s.Member, s.changed, s.beating, s.dead = m, now, true, false
		case stalled && !s.dead:
			s.changed = now
		case !s.dead && (now.Sub(s.changed) >= w.patience(now) || deserted[m.Node] && now.Sub(s.changed) >= deadAfter):
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

// patience is for how long a node that is not seen to beat is waited for.
func (w *watch) patience(now time.Time) time.Duration {
	return min(deadAfter+latePatience*w.late.most(now), mostLate)
}

// suspects are the nodes, in order, that would be dead by now if nobody was late.
func (w *watch) suspects(now time.Time, members []feedengine.Member) (nodes []string) {
	if w.late.most(now) == 0 || now.Sub(w.last) > regular {
		return nil // there is nothing to be patient for, or no telling
	}
	for _, m := range members {
		s := w.seen[m.Node]
		if s != nil && !s.dead && s.Incarnation == m.Incarnation && s.Beat == m.Beat && now.Sub(s.changed) >= deadAfter {
			nodes = append(nodes, m.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// due is how long after now a node that is not seen to beat any more would be
// dead, the first of them; at most until. A suspect is looked at now and then.
func (w *watch) due(now time.Time, until time.Duration) time.Duration {
	patience := w.patience(now)
	for _, s := range w.seen {
		if s.dead {
			continue
		}
		left := s.changed.Add(deadAfter).Sub(now)
		if left <= 0 {
			left = min(s.changed.Add(patience).Sub(now), settleEvery)
		}
		if left < until {
			until = max(left, 0)
		}
	}
	return until
}

// inTime reports whether a node's beats were so of late.
func (w *watch) inTime(node string, now time.Time) bool {
	s := w.seen[node]
	return s != nil && s.late.steady(now)
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
