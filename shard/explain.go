package shard

import (
	"context"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Explanation is what one node knows of the way of a post to a user, as far as
// logs and shards are concerned.
type Explanation struct {
	Node string        `json:"node"`
	Post feedengine.ID `json:"post,string"`
	User string        `json:"user"`

	// The post's log.
	Log      feedengine.ShardID `json:"log"`
	LogHere  bool               `json:"log_here"`           // this node writes it
	LogHead  uint64             `json:"log_head"`           // up to which seq this node knows it
	Found    bool               `json:"found"`              // the post stands in it
	Epoch    uint64             `json:"epoch,omitempty"`    // its position
	Seq      uint64             `json:"seq,omitempty"`      // its position
	Author   string             `json:"author,omitempty"`   //
	Accepted time.Time          `json:"accepted,omitzero"`  // when it got its id
	Known    time.Time          `json:"known,omitzero"`     // when this node had committed it, or heard of it; zero: too long ago
	Position uint64             `json:"position,omitempty"` // in the node's ring; 0: no longer there

	// The user's shard; the rest only where it is served.
	Shard    feedengine.ShardID `json:"shard"`
	Serves   bool               `json:"serves"`
	Applied  bool               `json:"applied"`             // by the shard
	At       time.Time          `json:"applied_at,omitzero"` // zero: too long ago
	Lag      uint64             `json:"lag"`                 // events in the ring that the shard has yet to apply
	Resident bool               `json:"resident"`            // the user has a view
	Loading  bool               `json:"loading"`             //
	Follows  bool               `json:"follows"`             // the user follows the author
	Since    feedengine.ID      `json:"since,string"`        // the author's posts up to here are not addressed to the user
	Stream   string             `json:"stream,omitempty"`    //
	Last     uint64             `json:"last"`                // number of the stream's newest event
	N        uint64             `json:"n"`                   // the post's number in it; 0: it is not in its tail
	Unread   bool               `json:"unread"`              // it counts
	Sessions []ExplainedSession `json:"sessions"`            // whom the shard sends it
	Feed     uint32             `json:"feed"`                // the user's counter
	Mark     feedengine.ID      `json:"mark,string"`         // read up to here
}

// ExplainedSession is a session of the user as the shard knows it.
type ExplainedSession struct {
	Gateway    feedengine.GatewayID `json:"gateway"` // 0: of the same process
	Session    feedengine.SessionID `json:"session"`
	Background bool                 `json:"background"`
}

// Explain tells what this node knows of the way of a post to a user. It reads the
// log from storage when the post is not among the recent ones.
func (h *Host) Explain(ctx context.Context, user string, post feedengine.ID) (Explanation, error) {
	x := Explanation{Node: h.opts.Node, Post: post, User: user, Log: post.Shard(), Shard: Of(user, len(h.actors)), Sessions: []ExplainedSession{}}
	if int(x.Log) >= len(h.actors) {
		return x, fmt.Errorf("explain %d: %w", post, feedengine.ErrNotFound)
	}
	x.LogHere = h.serves(x.Log) != nil
	x.LogHead = h.ring.HeadOf(x.Log).Seq
	ev, known, err := h.locate(ctx, x.Log, post)
	if err != nil {
		return x, fmt.Errorf("explain %d: %w", post, err)
	}
	if ev != nil {
		x.Found, x.Epoch, x.Seq, x.Author, x.Accepted, x.Known = true, ev.Epoch, ev.Seq, ev.Actor, ev.ID.Time(), known
	}
	at, inRing := uint64(0), false
	if ev != nil {
		if at, inRing = h.ring.find(ev); inRing {
			x.Position = at
		}
	}
	if a := h.serves(x.Shard); a != nil {
		done := make(chan struct{})
		look := func(a *actor) { a.explain(&x, at, inRing) }
		if !a.postBy(ctx, inspect{look, done}) {
			return x, fmt.Errorf("explain %d: the shard does not answer: %w", post, context.Cause(ctx))
		}
		select {
		case <-done:
		case <-a.done:
		}
	}
	return x, nil
}

// explain adds what the shard knows. at is the post's position in the ring.
func (a *actor) explain(x *Explanation, at uint64, inRing bool) {
	t := a.engine.Trace(x.User, x.Post, x.Author)
	x.Serves = true
	x.Applied = x.Found && t.Applied >= x.Seq
	if x.Applied && inRing {
		if ms := a.applied.of(at); ms > 0 {
			x.At = feedengine.IDEpoch.Add(time.Duration(ms) * time.Millisecond)
		}
	}
	head := a.host.ring.Head()
	x.Lag = head - min(head, a.cursor.Load())
	x.Resident, x.Loading, x.Follows, x.Since = t.Resident, t.Loading, t.Follows, t.Since
	x.Stream, x.Last, x.N, x.Unread, x.Feed, x.Mark = t.Stream.String(), t.Last, t.N, t.Unread, t.Counts.Feed, t.Mark
	for _, s := range t.Sessions {
		x.Sessions = append(x.Sessions, ExplainedSession{s.Gateway, s.Session, s.Background})
	}
}

// postBy is post, until ctx ends.
func (a *actor) postBy(ctx context.Context, m message) bool {
	select {
	case a.mailbox <- m:
		a.notTooLate()
		return true
	case <-a.done:
	case <-ctx.Done():
	}
	return false
}

// locate finds an event by its id: nil when there is none. known is when this
// node learned of it, if that is remembered.
func (h *Host) locate(ctx context.Context, log feedengine.ShardID, id feedengine.ID) (ev *feedengine.Event, known time.Time, err error) {
	if ev, known = h.recent.byID(id); ev != nil {
		return ev, known, nil
	}
	// Ids of a log ascend.
	low, high := uint64(1), h.ring.HeadOf(log).Seq
	for low <= high {
		mid := low + (high-low)/2
		found, err := h.opts.Store.ReadLog(ctx, log, mid-1, 1)
		switch {
		case err != nil:
			return nil, known, err
		case len(found) == 0:
			high = mid - 1
		case found[0].ID == id:
			return found[0], known, nil
		case found[0].ID < id:
			low = found[0].Seq + 1
		default:
			high = mid - 1
		}
	}
	return nil, known, nil
}
