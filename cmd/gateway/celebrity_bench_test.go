package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// BenchmarkPublishCelebrity compares how long an author with a million
// followers, of whom 50,000 are resident here with a session each, waits for the
// acknowledgement of a post, with an author whom nobody follows. The posts take
// turns, each after the fan-out of the one before.
func BenchmarkPublishCelebrity(b *testing.B) {
	const followers, resident, posts = 1_000_000, 50_000, 200
	ctx := b.Context()
	url := storagetest.Postgres(b)
	if err := postgres.Migrate(ctx, url); err != nil {
		b.Fatal(err)
	}
	store, err := postgres.Open(ctx, postgres.Config{URL: url, Node: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close(ctx)
	if _, err := db.Exec(ctx, `INSERT INTO follows (follower, author, since)
		SELECT 'fan' || i, 'celebrity', i FROM generate_series(1, $1) i`, followers); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Exec(ctx, `ANALYZE`); err != nil {
		b.Fatal(err)
	}

	crowd := &crowd{}
	h, err := shard.NewHost(ctx, shard.Options{
		Node: "bench", Store: store, Outlet: crowd, Metrics: metrics.NewSet(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), AuditEvery: -1,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Stop(context.Background())
	crowd.attach(b, h, resident)

	wait := func(user string) time.Duration {
		start := time.Now()
		if err := publishAs(h, user); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var loved, lonely []time.Duration
	for range posts {
		before := crowd.delivered.Load()
		loved = append(loved, wait("celebrity"))
		for crowd.delivered.Load() < before+resident {
			time.Sleep(time.Millisecond)
		}
		lonely = append(lonely, wait("hermit"))
	}
	slices.Sort(loved)
	slices.Sort(lonely)
	b.ReportMetric(float64(loved[posts/2])/float64(lonely[posts/2]), "x_median")
	b.ReportMetric(float64(loved[posts*9/10])/float64(lonely[posts*9/10]), "x_p90")
	b.ReportMetric(loved[posts/2].Seconds()*1e3, "ms_celebrity")
	b.ReportMetric(lonely[posts/2].Seconds()*1e3, "ms_hermit")
	b.ReportMetric(0, "ns/op") // says nothing here
}

// crowd counts what its sessions are sent.
type crowd struct{ delivered atomic.Int64 }

func (c *crowd) Deliver(_ feedengine.Place, _ feedengine.GatewayID, d feedengine.Delivery) {
	c.delivered.Add(int64(len(d.To)))
}
func (c *crowd) Reset(feedengine.Place, feedengine.GatewayID, feedengine.Reset) {}

func (c *crowd) attach(b *testing.B, h *shard.Host, n int) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[feedengine.Error]
	places := make(chan struct{}, 4096)
	for i := range n {
		wg.Add(1)
		places <- struct{}{}
		h.Submit(feedengine.Request{User: fmt.Sprint("fan", i+1), Do: feedengine.Attach{Session: feedengine.SessionID(i + 1)},
			Done: func(r feedengine.Result) {
				if r.Err != nil {
					failed.Store(r.Err)
				}
				<-places
				wg.Done()
			}})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
}
