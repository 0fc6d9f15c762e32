package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// benchText has the length of an ordinary post.
const benchText = "A post of ordinary length, such as people write when they have something to say about their day and the people in it."

// publisher makes commits of posts by 10,000 authors, spread over all shards.
type publisher struct {
	store *Store
	heads []feedengine.Head
	tick  feedengine.Tick
	posts int
}

func newPublisher(b *testing.B, dir string) *publisher {
	s := open(b, dir, DefaultShards)
	shards := make([]feedengine.ShardID, s.Shards())
	for i := range shards {
		shards[i] = feedengine.ShardID(i)
	}
	heads, err := s.Claim(b.Context(), "bench", shards)
	if err != nil {
		b.Fatal(err)
	}
	return &publisher{store: s, heads: heads, tick: feedengine.TickAt(time.Now())}
}

// commit appends a commit of n posts, n at most the number of shards.
func (p *publisher) commit(b *testing.B, n int) {
	fences := make([]feedengine.Fence, n)
	writes := make([]feedengine.Write, n)
	for i := range writes {
		p.posts++
		p.tick++
		shard := feedengine.ShardID(p.posts * 7919 % len(p.heads))
		author := fmt.Sprintf("author%d", p.posts*104729%10_000)
		head := &p.heads[shard]
		head.Seq++
		head.ID = p.tick.ID(shard)
		fences[i] = feedengine.Fence{Shard: shard, Epoch: head.Epoch}
		writes[i] = feedengine.Write{Shard: shard, Event: &feedengine.Event{
			Shard: shard, Epoch: head.Epoch, Seq: head.Seq, ID: head.ID, Kind: feedengine.KindPost, Actor: author,
			Post: &feedengine.Post{ID: head.ID, Author: author, Kind: "post", Text: benchText},
		}}
	}
	if err := p.store.Append(b.Context(), fences, writes); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAppend commits posts in batches of 256 and, in turns so that the
// machine's moods meet both, one at a time: both are on disk (synchronous=FULL)
// when Append returns. TMPDIR says on which disk.
func BenchmarkAppend(b *testing.B) {
	const batch, turn, rounds = 256, 500 * time.Millisecond, 4
	batched, single := newPublisher(b, b.TempDir()), newPublisher(b, b.TempDir())
	for range rounds {
		for end := time.Now().Add(turn); time.Now().Before(end); {
			batched.commit(b, batch)
		}
		for end := time.Now().Add(turn); time.Now().Before(end); {
			single.commit(b, 1)
		}
	}
	each := (rounds * turn).Seconds()
	b.ReportMetric(float64(batched.posts)/each, "batched/s")
	b.ReportMetric(float64(single.posts)/each, "single/s")
	b.ReportMetric(float64(batched.posts)/float64(single.posts), "x_single")
	b.ReportMetric(0, "ns/op") // says nothing here
}
