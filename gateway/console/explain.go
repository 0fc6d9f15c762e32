package console

import (
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Explanation is what became of a post on its way to a user, step by step.
type Explanation struct {
	User  string        `json:"user"`
	Post  feedengine.ID `json:"post,string"`
	Steps []Step        `json:"steps"`
	// Missing is the first step that was not taken, "" when all were as far as
	// can be known; Why says in words what that means.
	Missing string  `json:"missing"`
	Why     string  `json:"why"`
	Trails  []Trail `json:"trails"` // what the steps were found from
}

// Step is one step on the way.
type Step struct {
	Step   string    `json:"step"`  // accepted, committed, announced, applied, in_stream, forwarded, sent, acknowledged
	State  string    `json:"state"` // yes, no, unknown
	At     time.Time `json:"at,omitzero"`
	Node   string    `json:"node,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

const (
	yes     = "yes"
	no      = "no"
	unknown = "unknown"
)

// explain puts together what the nodes know. post is nil when storage has none.
func explain(user string, id feedengine.ID, post *feedengine.Post, trails []Trail) *Explanation {
	e := &Explanation{User: user, Post: id, Trails: trails}
	e.silent()
	if e.log(post) && e.view() {
		e.sockets()
	}
	if e.Missing == "" && e.Why == "" {
		e.Why = "the post has gone all the way"
	}
	return e
}

func (e *Explanation) add(s Step) { e.Steps = append(e.Steps, s) }

// stop says that a step was not taken, and why that may be.
func (e *Explanation) stop(s Step, why string) bool {
	s.State = no
	e.add(s)
	if e.Missing == "" {
		e.Missing, e.Why = s.Step, why
	}
	return false
}

// silent warns of nodes that did not answer: what they know is not in here.
func (e *Explanation) silent() {
	for _, t := range e.Trails {
		if t.Err != "" {
			e.add(Step{Step: "asked", State: no, Node: t.Node, Detail: t.Err})
		}
	}
}

// log explains the post's part: into its log.
func (e *Explanation) log(post *feedengine.Post) bool {
	e.add(Step{Step: "accepted", State: yes, At: e.Post.Time(), Detail: "by the clock in the post's id"})
	var t *Trail // who knows it best
	for i := range e.Trails {
		h := e.Trails[i].Host
		if h != nil && h.Found && (t == nil || h.LogHere) {
			t = &e.Trails[i]
		}
	}
	committed := Step{Step: "committed", State: yes}
	if t != nil {
		committed.Detail = fmt.Sprintf("shard %d, epoch %d, seq %d", t.Host.Log, t.Host.Epoch, t.Host.Seq)
		if t.Host.LogHere {
			committed.Node, committed.At = t.Node, t.Host.Known
		} else {
			committed.Detail += "; nobody that answered serves that shard just now"
		}
	}
	switch {
	case post == nil && t == nil:
		return e.stop(committed, "storage has no such post: it was never committed")
	case post == nil:
		committed.Detail += "; deleted since"
	case t == nil:
		committed.Detail = "longer ago than logs are kept"
	}
	e.add(committed)
	return true
}

// view explains the user's part: what the owner of the user's shard made of it.
func (e *Explanation) view() bool {
	t := e.owner()
	if t == nil {
		return e.stop(Step{Step: "announced"}, "nobody that answered serves the user's shard: it is moving, or its owner has died a moment ago")
	}
	h := t.Host
	announced := Step{Step: "announced", State: yes, Node: t.Node, At: h.Known}
	switch {
	case h.LogHere:
		announced.Detail = "the same node serves both shards"
	case !h.Applied && h.Known.IsZero() && h.Seq > h.LogHead:
		return e.stop(announced, "the owner of the user's shard has not heard of it: the announce was lost; it reads it from storage after the next heartbeat")
	}
	e.add(announced)

	applied := Step{Step: "applied", State: yes, Node: t.Node, At: h.At, Detail: fmt.Sprintf("by the user's shard %d", h.Shard)}
	if !h.Applied && h.Found {
		applied.Detail += fmt.Sprintf(", %d events behind", h.Lag)
		return e.stop(applied, "the user's shard has yet to apply it: it lags behind the log")
	}
	e.add(applied)

	in := Step{Step: "in_stream", State: yes, Node: t.Node, Detail: fmt.Sprintf("n %d of stream %s, which stands at %d", h.N, h.Stream, h.Last)}
	if h.Resident && h.N > 0 {
		e.add(in)
		return true
	}
	in.Detail = ""
	why := ""
	switch {
	case h.Loading:
		why = "the user's stream is being loaded just now"
	case !h.Resident:
		why = "the user's stream is not in memory: no session is attached; the post is in their pages, and counts if it is to"
	case !h.Follows:
		why = "the user does not follow the author"
	case h.Since > e.Post:
		why = "the user followed the author only after the post: it is in pages, and does not count"
	default:
		in.Detail = fmt.Sprintf("stream %s stands at %d", h.Stream, h.Last)
		why = "it is not among the latest events of the stream: the stream began after the post, or the post was deleted, or it is too long ago"
	}
	return e.stop(in, why)
}

// owner is the node that serves the user's shard.
func (e *Explanation) owner() *Trail {
	for i := range e.Trails {
		if h := e.Trails[i].Host; h != nil && h.Serves {
			return &e.Trails[i]
		}
	}
	return nil
}

// sockets explains what the gateways did, session by session.
func (e *Explanation) sockets() {
	h := e.owner().Host
	any := false
	for i := range e.Trails {
		t := &e.Trails[i]
		for _, s := range t.Sockets {
			any = true
			e.socket(t, s, h)
		}
	}
	if !any {
		e.stop(Step{Step: "forwarded"}, "the user has no socket on any node that answered")
	}
}

func (e *Explanation) socket(t *Trail, s SocketTrail, h *HostTrail) {
	who := fmt.Sprintf("session %d", s.Session)
	if s.Stream != h.Stream {
		e.stop(Step{Step: "forwarded", Node: t.Node, Detail: who},
			"the session stands in another stream ("+s.Stream+"): it has been, or is about to be, told by a reset")
		return
	}
	forwarded := Step{Step: "forwarded", State: yes, Node: t.Node, Detail: who}
	background := false
	if t.Route != nil {
		forwarded.At = t.Route.First
		for _, r := range t.Route.Sessions {
			if r.Session == s.Session && r.State != "whole" {
				forwarded.Detail += ", " + r.State
			}
			background = background || r.Session == s.Session && r.Background
		}
	}
	switch {
	case s.Taken < h.N && background:
		e.stop(forwarded, "the session is in the background, where only counters are sent")
		return
	case s.Taken < h.N:
		e.stop(forwarded, "the gateway has not taken it: a message was lost, and is asked for again")
		return
	}
	e.add(forwarded)

	sent := Step{Step: "sent", State: yes, Node: t.Node, Detail: who}
	if s.Sent == h.N {
		sent.At = s.SentAt
	}
	if s.Sent < h.N {
		e.stop(sent, "it waits in the socket's outbox: the client takes nothing just now")
		return
	}
	e.add(sent)

	acked := Step{Step: "acknowledged", State: yes, Node: t.Node, Detail: who}
	if s.Acked < h.N {
		acked.State = unknown
		acked.Detail += ": not yet; clients acknowledge when asked, after 25 s of silence"
	}
	e.add(acked)
}
