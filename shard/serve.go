package shard

import (
	"context"
	"errors"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

var errUnbuilt = errors.New("not built yet")

// Served is a shard that a host serves, and where its log stands.
type Served struct {
	Shard feedengine.ShardID
	Head  feedengine.Head
}

// Place is the shard under its epoch.
func (s Served) Place() feedengine.Place {
	return feedengine.Place{Shard: s.Shard, Epoch: s.Head.Epoch}
}

// Served lists the shards that the host serves, in order.
func (h *Host) Served() []Served { return nil }

// SubmitFrom is Submit for a session of another gateway. The key is an internal
// idempotency key for a write that has none of its own, or "": with it, the same
// write may be asked for again, here or at the shard's next owner. Of a shard
// that is not served here the outcome is feedengine.ErrElsewhere: nothing was run.
func (h *Host) SubmitFrom(g feedengine.GatewayID, key string, r feedengine.Request) {}

// Rejoin brings a gateway's sessions (in.Gateway is set from g). It says false
// when the shard is not served here or has too much to do.
func (h *Host) Rejoin(g feedengine.GatewayID, shard feedengine.ShardID, in feedengine.RejoinInput) bool {
	return false
}

// GatewayGone detaches all sessions of a gateway from all shards.
func (h *Host) GatewayGone(g feedengine.GatewayID) {}

// Open begins to serve a shard that has been claimed: head is what the claim
// returned. With a handover its views go on where they were; without one they
// are loaded on demand. It returns when the shard is served, or at ctx's end.
func (h *Host) Open(ctx context.Context, shard feedengine.ShardID, head feedengine.Head, state *feedengine.Handover) error {
	return errUnbuilt
}

// HandOver stops serving a shard and returns its state, and the place under
// which it was served: the claim of the next owner is conditional on that. Until
// Resume or Shut the shard stands still. At an error it is served as before.
func (h *Host) HandOver(ctx context.Context, shard feedengine.ShardID) (*feedengine.Handover, feedengine.Place, error) {
	return nil, feedengine.Place{}, errUnbuilt
}

// Resume serves a shard again that was handed over and not taken. It must have
// been claimed anew; head is what that claim returned.
func (h *Host) Resume(shard feedengine.ShardID, head feedengine.Head) error { return errUnbuilt }

// Shut ends a shard, served or handed over, and forgets its state.
func (h *Host) Shut(shard feedengine.ShardID) {}

// Learn takes what another node announced of a log. It never waits.
func (h *Host) Learn(shard feedengine.ShardID, epoch, first uint64, events []*feedengine.Event) {}

// LearnHead takes where another node says that a log stands. It never waits;
// what is lacking is read from storage soon.
func (h *Host) LearnHead(shard feedengine.ShardID, head feedengine.Head) {}

// Recent finds a recent event by its position, or nil.
func (h *Host) Recent(shard feedengine.ShardID, epoch, seq uint64) *feedengine.Event { return nil }

// Renew says that a beat got through that was sent at t: the shards may be served
// until a lease after that. It says false when the lease had ended in between:
// then they are served again after Confirm.
func (h *Host) Renew(t time.Time) bool { return false }

// Confirm makes sure that the shards are still this node's. Those that are not
// come as lost, before it returns.
func (h *Host) Confirm(ctx context.Context) error { return errUnbuilt }
