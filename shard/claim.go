package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// claims is what claiming needs of storage. storage.Store says what its methods
// promise.
type claims interface {
	Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error)
	Owners(ctx context.Context) ([]feedengine.Owner, error)
}

// claimAll claims all shards of the store, whoever has them.
func claimAll(ctx context.Context, store claims, node string, shards int) ([]feedengine.Head, error) {
	heads := make([]feedengine.Head, shards)
	for left := shards; left > 0; {
		owners, err := store.Owners(ctx)
		if err != nil {
			return nil, err
		}
		var expect []feedengine.Fence
		for _, o := range owners {
			if heads[o.Shard].Epoch == 0 {
				expect = append(expect, feedengine.Fence{Shard: o.Shard, Epoch: o.Epoch})
			}
		}
		claimed, err := store.Claim(ctx, node, expect)
		if err != nil && !errors.Is(err, feedengine.ErrUnknownOutcome) {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%d shards are not claimed: %w", left, err)
		}
		for _, c := range claimed {
			if c.Won {
				heads[c.Shard] = c.Head
				left--
			}
		}
	}
	return heads, nil
}

// reclaim raises the epochs of shards that a node has, and no other's.
type reclaim struct {
	store  claims
	node   string
	expect []feedengine.Fence // the epochs that the node has

	claimed []feedengine.Claimed // the outcome, when try returned nil
	unsure  bool                 // a claim's outcome was unknown: what stands may be ours
}

// try claims until it is known of every shard who has it, or the store fails:
// then it may be called again.
func (r *reclaim) try(ctx context.Context) error {
	r.claimed = nil
	for {
		if r.unsure {
			raised, err := r.look(ctx)
			if err != nil || r.claimed != nil && !raised {
				return err
			}
		}
		var err error
		r.claimed, err = r.store.Claim(ctx, r.node, r.expect)
		if errors.Is(err, feedengine.ErrUnknownOutcome) {
			r.unsure = true
		}
		lost := func(c feedengine.Claimed) bool { return !c.Won }
		if err != nil || !r.unsure || !slices.ContainsFunc(r.claimed, lost) {
			return err
		}
	}
}

// look expects what earlier claims of this node have made of the epochs, and
// reports whether that is news of a shard that was not won.
func (r *reclaim) look(ctx context.Context) (raised bool, err error) {
	owners, err := r.store.Owners(ctx)
	if err != nil {
		return false, err
	}
	for i := range r.expect {
		f := &r.expect[i]
		if o := owners[f.Shard]; o.Node == r.node && o.Epoch > f.Epoch {
			f.Epoch = o.Epoch
			raised = raised || r.claimed == nil || !r.claimed[i].Won
		}
	}
	return raised, nil
}
