package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// TestAppendsCrosswise lets two nodes take the same unique names at once, in opposite
// orders, and give them up again: one gets them and one is refused; they do not wait
// for each other.
func TestAppendsCrosswise(t *testing.T) {
	t.Parallel()
	url := database(t)
	const rounds, users = 20, 300
	var stores [2]*postgres.Store
	var heads [2]feedengine.Head
	for node := range stores {
		stores[node] = open(t, url, fmt.Sprint("n", node), 4)
		heads[node] = storagetest.Claim(t, stores[node], fmt.Sprint("n", node), feedengine.ShardID(node))[0]
	}
	for round := range rounds {
		var errs [2]error
		var wg sync.WaitGroup
		for node, s := range stores {
			writes := make([]feedengine.Write, users)
			shard, head := feedengine.ShardID(node), &heads[node]
			for i := range writes {
				p := &feedengine.Profile{}
				if round%2 == 0 {
					p.Handle = fmt.Sprint("h", i)
					if node == 1 {
						p.Handle = fmt.Sprint("h", users-1-i)
					}
				}
				head.Seq++
				head.ID += 1 << 10
				writes[i] = feedengine.Write{Shard: shard, Event: &feedengine.Event{
					Shard: shard, Epoch: head.Epoch, Seq: head.Seq, ID: head.ID, Kind: feedengine.KindProfile,
					Actor: fmt.Sprintf("u%d-%d", node, i), Fact: p,
				}}
			}
			fences := []feedengine.Fence{{Shard: shard, Epoch: head.Epoch}}
			wg.Go(func() { errs[node] = s.Append(t.Context(), fences, writes) })
		}
		wg.Wait()
		refused := 0
		for node, err := range errs {
			if errors.Is(err, feedengine.ErrRefused) {
				heads[node].Seq -= users
				refused++
			} else if err != nil {
				t.Fatalf("node %d, round %d: %v", node, round, err)
			}
		}
		if want := 1 - round%2; refused != want {
			t.Fatalf("round %d: %d were refused, want %d", round, refused, want)
		}
	}
}
