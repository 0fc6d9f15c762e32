package storagetest

import (
	"context"
	"errors"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

// Claimer is the part of a store that gives shards to their owners.
type Claimer interface {
	Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error)
	Owners(ctx context.Context) ([]feedengine.Owner, error)
}

// Claim claims the shards for node, whoever has them, and returns their heads.
func Claim(t testing.TB, s Claimer, node string, shards ...feedengine.ShardID) []feedengine.Head {
	t.Helper()
	heads, err := Take(t.Context(), s, node, shards...)
	if err != nil {
		t.Fatalf("claim shards %v: %v", shards, err)
	}
	return heads
}

// Take is Claim that may fail. It tries again what somebody else claimed
// meanwhile, and what may have been claimed.
func Take(ctx context.Context, s Claimer, node string, shards ...feedengine.ShardID) ([]feedengine.Head, error) {
	heads := make([]feedengine.Head, len(shards))
	at := map[feedengine.ShardID]int{}
	for i, shard := range shards {
		at[shard] = i
	}
	for {
		owners, err := s.Owners(ctx)
		if err != nil {
			return nil, err
		}
		var expect []feedengine.Fence
		for _, o := range owners {
			if _, ok := at[o.Shard]; ok {
				expect = append(expect, feedengine.Fence{Shard: o.Shard, Epoch: o.Epoch})
			}
		}
		claimed, err := s.Claim(ctx, node, expect)
		if errors.Is(err, feedengine.ErrUnknownOutcome) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, c := range claimed {
			if c.Won {
				heads[at[c.Shard]] = c.Head
				delete(at, c.Shard)
			}
		}
		if len(at) == 0 {
			return heads, nil
		}
	}
}
