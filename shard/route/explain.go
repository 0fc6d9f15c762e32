package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Trail is what a Router knows of the way of an event to a user's sessions.
type Trail struct {
	Shard    feedengine.ShardID `json:"shard"` // the user's
	Owner    string             `json:"owner"` // "": not known
	Epoch    uint64             `json:"epoch"`
	Gone     bool               `json:"gone"`     // the owner is taken for dead
	Sessions []Trace            `json:"sessions"` // on this node, in order of id
	// First and Last are when the event was forwarded to sessions of this node,
	// Recipients to how many, the user's or others'. Zero: it was not, or so long
	// ago that it was forgotten.
	First      time.Time `json:"first,omitzero"`
	Last       time.Time `json:"last,omitzero"`
	Recipients int       `json:"recipients"`
}

// Trace is one session in it.
type Trace struct {
	Session    feedengine.SessionID `json:"session"`
	Stream     string               `json:"stream"`
	N          uint64               `json:"n"`           // of the last event forwarded to it
	At         time.Time            `json:"at,omitzero"` // when that was, to 10 ms
	Background bool                 `json:"background"`
	State      string               `json:"state"`             // "whole", "lacking", "attaching", "leaving"
	Rejoins    int                  `json:"rejoins,omitempty"` // lacking: how often its owner was asked
}

// Explain tells what became of an event of the user's stream: where the user's
// sessions stand, and when the event was forwarded.
func (r *Router) Explain(user string, event feedengine.ID) Trail {
	t := r.table(r.opts.ShardOf(user))
	t.lock()
	trail := Trail{Shard: t.shard, Owner: t.owner, Epoch: t.epoch, Gone: t.gone, Sessions: []Trace{}}
	for id, s := range t.sessions {
		if s.user != user {
			continue
		}
		one := Trace{Session: id, Stream: s.stream.String(), N: s.n, Background: s.background, State: stateNames[s.state]}
		if s.at != 0 {
			one.At = r.start.Add(time.Duration(s.at) * step)
		}
		if s.state == lacking {
			one.Rejoins = int(s.tries)
		}
		trail.Sessions = append(trail.Sessions, one)
	}
	t.unlock()
	slices.SortFunc(trail.Sessions, func(a, b Trace) int { return cmp.Compare(a.Session, b.Session) })
	if first, last, n, ok := r.recent.of(event); ok {
		trail.First, trail.Last, trail.Recipients = r.start.Add(time.Duration(first)), r.start.Add(time.Duration(last)), n
	}
	return trail
}
