package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
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
	heads := storagetest.Claim(b, s, "bench", shards...)
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

// graph fills a store with posts and with readers who follow so many authors
// each.
func graph(b *testing.B, posts, readers, each int) *Store {
	p := newPublisher(b, b.TempDir())
	for p.posts < posts {
		p.commit(b, len(p.heads))
	}
	var fences []feedengine.Fence
	var writes []feedengine.Write
	for i := range readers {
		p.tick++
		shard := feedengine.ShardID(i % len(p.heads))
		head := &p.heads[shard]
		head.Seq++
		head.ID = p.tick.ID(shard)
		users := make([]string, each)
		for j := range users {
			users[j] = fmt.Sprintf("author%d", (i*31+j*197)%10_000)
		}
		if i < len(p.heads) {
			fences = append(fences, feedengine.Fence{Shard: shard, Epoch: head.Epoch})
		}
		writes = append(writes, feedengine.Write{Shard: shard, Event: &feedengine.Event{
			Shard: shard, Epoch: head.Epoch, Seq: head.Seq, ID: head.ID, Kind: feedengine.KindFollow,
			Actor: fmt.Sprintf("reader%d", i), Users: users,
		}})
	}
	if err := p.store.Append(b.Context(), fences, writes); err != nil {
		b.Fatal(err)
	}
	for range 20 { // 5,120 posts that the readers have not seen
		p.commit(b, len(p.heads))
	}
	return p.store
}

// BenchmarkLoad loads 1,000 users who follow 50 each at once, without and with
// a page.
func BenchmarkLoad(b *testing.B) {
	s := graph(b, 100_000, 1000, 50)
	for _, page := range []int{0, 20} {
		b.Run(fmt.Sprintf("page=%d", page), func(b *testing.B) {
			users := make([]feedengine.LoadUser, 1000)
			for i := range users {
				users[i] = feedengine.LoadUser{User: fmt.Sprintf("reader%d", i), Page: page}
			}
			for b.Loop() {
				if _, err := s.Load(b.Context(), users, 100); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(users)*b.N)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

// BenchmarkFeed reads the newest page of a user who follows 200.
func BenchmarkFeed(b *testing.B) {
	s := graph(b, 100_000, 300, 200)
	i := 0
	for b.Loop() {
		i++
		page, err := s.Feed(b.Context(), fmt.Sprintf("reader%d", i%300), 0, 50)
		if err != nil || len(page.Posts) != 50 {
			b.Fatal(page, err)
		}
	}
}
