package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// TestAppendsCrosswise lets two nodes take what is unique from each other's hands,
// many at a time and in opposite orders: they wait, and never for each other.
func TestAppendsCrosswise(t *testing.T) {
	t.Parallel()
	url := database(t)
	const rounds, users = 20, 40
	var wg sync.WaitGroup
	for node := range 2 {
		s := open(t, url, fmt.Sprint("n", node), 4)
		shard := feedengine.ShardID(node)
		head := storagetest.Claim(t, s, fmt.Sprint("n", node), shard)[0]
		wg.Go(func() {
			for round := range rounds {
				var writes []feedengine.Write
				for i := range users {
					at := i
					if node == 1 {
						at = users - 1 - i
					}
					p := &feedengine.Profile{}
					if round%2 == node { // the other has given them up, or does so now
						p.Handle, p.Phone = fmt.Sprint("h", at), fmt.Sprint("+", 1000000+users-at)
					}
					head.Seq++
					head.ID += 1 << 10
					writes = append(writes, feedengine.Write{Shard: shard, Event: &feedengine.Event{
						Shard: shard, Epoch: head.Epoch, Seq: head.Seq, ID: head.ID, Kind: feedengine.KindProfile,
						Actor: fmt.Sprintf("u%d-%d", node, i), Fact: p,
					}})
				}
				err := s.Append(t.Context(), []feedengine.Fence{{Shard: shard, Epoch: head.Epoch}}, writes)
				switch {
				case errors.Is(err, feedengine.ErrRefused): // the other has them still
					head.Seq -= users
				case err != nil:
					t.Errorf("node %d, round %d: %v", node, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
