package sqlite

import (
	"slices"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// TestHeads appends to shards at the edges of the blocks in which tails are
// kept, and finds them again: in snapshots, in logs and after a restart.
func TestHeads(t *testing.T) {
	const shards = 1000 // the last block is not full
	dir := t.TempDir()
	s := open(t, dir, shards)
	all := make([]feedengine.ShardID, shards)
	for i := range all {
		all[i] = feedengine.ShardID(i)
	}
	want := storagetest.Claim(t, s, "a", all...)
	tick := feedengine.TickAt(time.Now())
	for _, batch := range [][]feedengine.ShardID{{0}, {63, 64}, {127, 128, 500, 999}, {64, 960, 959}, {999}} {
		var fences []feedengine.Fence
		var writes []feedengine.Write
		for _, shard := range batch {
			tick++
			head := &want[shard]
			head.Seq++
			head.ID = tick.ID(shard)
			fences = append(fences, feedengine.Fence{Shard: shard, Epoch: head.Epoch})
			writes = append(writes, feedengine.Write{Shard: shard, Event: &feedengine.Event{
				Shard: shard, Epoch: head.Epoch, Seq: head.Seq, ID: head.ID, Kind: feedengine.KindFollow, Actor: "ann", Users: []string{"bob"},
			}})
		}
		if err := s.Append(t.Context(), fences, writes); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		t.Helper()
		snap, err := s.Load(t.Context(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for shard, head := range snap.Heads {
			if head != want[shard] {
				t.Errorf("%s: head of shard %d is %+v, want %+v", when, shard, head, want[shard])
			}
			if events, err := s.ReadLog(t.Context(), feedengine.ShardID(shard), 0, 10); err != nil || len(events) != int(want[shard].Seq) {
				t.Errorf("%s: %d events in the log of shard %d, %v", when, len(events), shard, err)
			}
		}
	}
	check("after appends")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, 0)
	check("after a restart")
	for shard := range want {
		want[shard].Epoch, want[shard].First = 2, want[shard].Seq+1
	}
	if got := storagetest.Claim(t, s, "b", all...); !slices.Equal(got, want) {
		t.Error("claimed other heads after the restart")
	}
}
