package sqlite

import (
	"slices"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// A reader that knows the epochs notices that shards were claimed, and logs grew,
// since it last looked.
func TestHeadsReadNoticesClaims(t *testing.T) {
	s := open(t, t.TempDir(), 130)
	load := func() []feedengine.Head {
		t.Helper()
		snap, err := s.Load(t.Context(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return snap.Heads
	}
	for _, shards := range [][]feedengine.ShardID{{3, 129}, {129}, {0, 3, 64}} {
		claimed := storagetest.Claim(t, s, "a", shards...)
		for range 2 { // the second time, what is known is used
			heads := load()
			for i, shard := range shards {
				if heads[shard] != claimed[i] {
					t.Errorf("head of %d is %+v, claimed as %+v", shard, heads[shard], claimed[i])
				}
			}
		}
		head := claimed[0]
		head.Seq++
		head.ID = feedengine.Tick(head.Seq * 5).ID(shards[0])
		if err := s.Append(t.Context(), []feedengine.Fence{{Shard: shards[0], Epoch: head.Epoch}}, []feedengine.Write{{
			Shard: shards[0],
			Event: &feedengine.Event{
				Shard: shards[0], Epoch: head.Epoch, Seq: head.Seq, ID: head.ID, Kind: feedengine.KindFollow, Actor: "u", Users: []string{"v"},
			},
		}}); err != nil {
			t.Fatal(err)
		}
		before := load()
		if before[shards[0]] != head {
			t.Errorf("head of %d is %+v, after an append of %+v", shards[0], before[shards[0]], head)
		}
		if again := load(); !slices.Equal(again, before) {
			t.Errorf("heads differ though nothing happened: %+v, %+v", again, before)
		}
	}
}
