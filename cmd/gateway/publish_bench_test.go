package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/sqlite"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// publishers is how many post at a time.
const publishers = 256

// A way of publishing: posts number i of the run, durable when it returns.
type way struct {
	name       string
	publishers int
	publish    func(i int) error
}

// compare runs the ways in turns, so that the machine's moods meet them all, and
// reports each one's posts per second and the first one's ratio to each other.
func compare(b *testing.B, ways ...way) {
	const rounds, turn = 3, time.Second
	done := make([]int64, len(ways))
	var next atomic.Int64
	for range rounds {
		for i, w := range ways {
			n, err := run1(w, turn, &next)
			if err != nil {
				b.Fatalf("%s: %v", w.name, err)
			}
			done[i] += n
		}
	}
	rate := func(i int) float64 { return float64(done[i]) / (rounds * turn).Seconds() }
	for i, w := range ways {
		b.ReportMetric(rate(i), w.name+"/s")
		if i > 0 {
			b.ReportMetric(rate(0)/rate(i), "x_"+w.name)
		}
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

func run1(w way, turn time.Duration, next *atomic.Int64) (n int64, err error) {
	var wg sync.WaitGroup
	var done atomic.Int64
	var failed atomic.Pointer[error]
	end := time.Now().Add(turn)
	for range w.publishers {
		wg.Go(func() {
			for time.Now().Before(end) && failed.Load() == nil {
				if err := w.publish(int(next.Add(1))); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		err = *e
	}
	return done.Load(), err
}

const benchText = "A post of ordinary length, such as people write when they have something to say about their day and the people in it."

func author(i int) string { return fmt.Sprintf("author%d", i%10_000) }

// throughHost publishes as a gateway does, through shard, log writer and store.
func throughHost(b *testing.B, store shard.Store) way {
	h, err := shard.NewHost(b.Context(), shard.Options{
		Node: "bench", Store: store, Outlet: nowhere{}, Metrics: metrics.NewSet(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), AuditEvery: -1,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Stop(context.Background()) })
	return way{"feedgate", publishers, func(i int) error { return publishAs(h, author(i)) }}
}

func publishAs(h *shard.Host, user string) error {
	got := make(chan *feedengine.Error, 1)
	h.Submit(feedengine.Request{User: user, Do: feedengine.Publish{Text: benchText, Kind: "post"},
		Done: func(r feedengine.Result) { got <- r.Err }})
	if err := <-got; err != nil {
		return err
	}
	return nil
}

type nowhere struct{}

func (nowhere) Deliver(feedengine.Place, feedengine.GatewayID, feedengine.Delivery) {}
func (nowhere) Reset(feedengine.Place, feedengine.GatewayID, feedengine.Reset)      {}

// BenchmarkPublishPostgres compares 256 publishers through a node's one log
// writer with the same rows written a transaction each: on one connection, and
// on 256 at once (where Postgres groups the commits' flushes itself).
func BenchmarkPublishPostgres(b *testing.B) {
	url := storagetest.Postgres(b)
	if err := postgres.Migrate(b.Context(), url); err != nil {
		b.Fatal(err)
	}
	store, err := postgres.Open(b.Context(), postgres.Config{URL: url, Node: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns, cfg.MinConns = publishers, publishers
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	// The same two rows, in one round trip with its own commit; the logs of
	// shards that the node does not have, so that nobody is in the way.
	const insertLog = `INSERT INTO log (shard, seq, epoch, id, kind, actor, body) VALUES ($1, $2, 1, $3, 1, $4, $5)`
	const insertPost = `INSERT INTO posts (id, author, kind, text) VALUES ($1, $2, 'post', $3)`
	single := func(i int) error {
		batch := &pgx.Batch{}
		id := int64(i)
		batch.Queue(insertLog, 1000+i%16, i, id, author(i), benchText)
		batch.Queue(insertPost, id, author(i), benchText)
		return pool.SendBatch(b.Context(), batch).Close()
	}
	compare(b, throughHost(b, store), way{"one_conn", 1, single}, way{"256_conns", publishers, single})
}

// BenchmarkPublishSQLite compares them with one transaction for each post, both
// on disk (synchronous=FULL) before anything is acknowledged.
func BenchmarkPublishSQLite(b *testing.B) {
	open := func() *sqlite.Store {
		dir := b.TempDir()
		if err := sqlite.Migrate(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
		store, err := sqlite.Open(b.Context(), sqlite.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { store.Close() })
		return store
	}
	plain := open()
	heads := storagetest.Claim(b, plain, "bench", 0)
	seq := heads[0].Seq
	single := func(i int) error {
		seq++
		id := feedengine.Tick(i).ID(0)
		return plain.Append(b.Context(), []feedengine.Fence{{Shard: 0, Epoch: heads[0].Epoch}}, []feedengine.Write{{
			Event: &feedengine.Event{Epoch: heads[0].Epoch, Seq: seq, ID: id, Kind: feedengine.KindPost, Actor: author(i),
				Post: &feedengine.Post{ID: id, Author: author(i), Kind: "post", Text: benchText}},
		}})
	}
	compare(b, throughHost(b, open()), way{"one_by_one", 1, single})
}
