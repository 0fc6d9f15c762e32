package route

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Trail is what a Router knows of the way of an event to a user's sessions.
type Trail struct {
	Shard    feedengine.ShardID `json:"shard"`
	Owner    string             `json:"owner"` // "": not known
	Epoch    uint64             `json:"epoch"`
	Sessions []Trace            `json:"sessions"` // in order of id
	// Forwarded is when the event was last handed to sessions of this shard on
	// this node, and to how many of them; zero when it was not, or too long ago.
	Forwarded  time.Time `json:"forwarded,omitzero"`
	Recipients int       `json:"recipients"`
}

// Trace is one session in it.
type Trace struct {
	Session    feedengine.SessionID `json:"session"`
	Stream     string               `json:"stream"`
	N          uint64               `json:"n"`           // of the last event forwarded
	At         time.Time            `json:"at,omitzero"` // when
	Background bool                 `json:"background"`
	State      string               `json:"state"` // "whole", "lacking", "attaching"
}

// Explain tells what became of an event of the user's stream: which sessions
// there are, and where they stand.
func (r *Router) Explain(user string, event feedengine.ID) Trail { panic("not yet") }
