package shard

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// slowLog takes everything, each commit in its time.
type slowLog struct {
	commit, row time.Duration
	commits     int
}

func (s *slowLog) Claim(context.Context, string, []feedengine.Fence) ([]feedengine.Claimed, error) {
	return nil, feedengine.ErrUnavailable
}

func (s *slowLog) Owners(context.Context) ([]feedengine.Owner, error) {
	return nil, feedengine.ErrUnavailable
}

func (s *slowLog) Heads(context.Context) ([]feedengine.Head, error) {
	return nil, feedengine.ErrUnavailable
}

func (s *slowLog) Append(_ context.Context, _ []feedengine.Fence, writes []feedengine.Write) error {
	s.commits++
	if s.commit > 0 {
		time.Sleep(s.commit + time.Duration(len(writes))*s.row)
	}
	return nil
}

func (s *slowLog) Keys(_ context.Context, ask []feedengine.Key) ([]*feedengine.Key, error) {
	return make([]*feedengine.Key, len(ask)), nil
}

// BenchmarkWriter has publishers that each wait for their last post before they
// send the next. The ratio is to the same number of writes one commit each; at
// best it is the number of publishers. With commits of 0 it is the writer's own
// cost for a write.
func BenchmarkWriter(b *testing.B) {
	for _, commit := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond} {
		for _, publishers := range []int{1, 256} {
			b.Run(fmt.Sprintf("commit=%v/publishers=%d", commit, publishers), func(b *testing.B) {
				log := &slowLog{commit: commit, row: commit / 500}
				clock := NewClock(time.Now)
				w := NewWriter(WriterOptions{
					Log: log, Heads: []feedengine.Head{{Epoch: 1, First: 1}}, OnCommit: func([]*feedengine.Event) {},
					Metrics: metrics.NewSet(), Logger: slog.New(slog.DiscardHandler),
				})
				var wg sync.WaitGroup
				var ids sync.Mutex // ids ascend in the order of Submit
				b.ReportAllocs()
				b.ResetTimer()
				for i := range publishers {
					wg.Go(func() {
						done := make(chan struct{}, 1)
						for range (b.N + i) / publishers {
							ids.Lock()
							err := w.Submit(Pending{
								Write: feedengine.Write{Event: &feedengine.Event{ID: clock.Next().ID(0), Kind: feedengine.KindPost}},
								Done:  func(Outcome) { done <- struct{}{} },
							})
							ids.Unlock()
							if err != nil {
								b.Error(err)
								return
							}
							<-done
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				w.Stop(context.Background())
				if log.commits > 0 {
					b.ReportMetric(float64(b.N)/float64(log.commits), "writes/commit")
				}
				if commit > 0 {
					alone := float64(commit+log.row) * float64(b.N)
					b.ReportMetric(alone/float64(b.Elapsed()), "ratio")
				}
			})
		}
	}
}
