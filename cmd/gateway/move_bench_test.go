package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/bus/bustest"
	"github.com/feedgate/feedgate/shard/cluster"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// BenchmarkMove moves shards with 400 resident users each, of whom everyone has a
// session and follows 50 authors, between two nodes over Redis and Postgres,
// while 200 posts are published each second. pause-… is the time from the stop of
// work at the old owner until it hears that the new one serves. No session may
// be reset, and none may miss a post.
func BenchmarkMove(b *testing.B) {
	const shards, residents, authors, follows = 8, 400, 200, 50
	ctx := b.Context()
	url := storagetest.Postgres(b)
	if err := postgres.Migrate(ctx, url); err != nil {
		b.Fatal(err)
	}
	redis := bustest.StartServer(b)
	m := &movers{b: b, url: url, redis: redis.URL(), shards: shards}
	x, y := m.node("x"), m.node("y")
	defer x.stop(b)
	defer y.stop(b)
	m.seed(shards*residents, authors, follows)
	for _, n := range []*mover{x, y} {
		if err := n.Ready(ctx); err != nil {
			b.Fatal(err)
		}
	}
	var attaching sync.WaitGroup
	for first := range 64 {
		attaching.Go(func() {
			for i := first; i < shards*residents; i += 64 {
				[]*mover{x, y}[i%2].attach(fmt.Sprint("user", i))
			}
		})
	}
	attaching.Wait()

	halt := make(chan struct{})
	var traffic sync.WaitGroup
	var posts atomic.Int64
	traffic.Go(func() {
		pace := time.NewTicker(5 * time.Millisecond)
		defer pace.Stop()
		for i := 0; ; i++ {
			select {
			case <-halt:
				return
			case <-pace.C:
			}
			traffic.Go(func() {
				res := x.ask(fmt.Sprint("author", i%authors), feedengine.Publish{Text: "a post of an ordinary length, as people write them", Kind: "post"})
				if res.Err != nil {
					b.Errorf("publish: %v", res.Err)
				}
				posts.Add(1)
			})
		}
	})
	b.ResetTimer()
	for i := range b.N {
		s := feedengine.ShardID(i % shards)
		for _, to := range []string{"x", "y"} { // it is with one of them
			if err := x.Move(ctx, s, to); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	close(halt)
	traffic.Wait()
	want := posts.Load() * follows / authors * shards * residents
	eventually(b, "all posts are delivered", func() bool { return x.delivered.Load()+y.delivered.Load() >= want })
	for _, n := range []*mover{x, y} {
		if resets, refused := n.resets.Load(), n.refused.Load(); resets+refused > 0 {
			b.Errorf("%d sessions were reset, %d refused", resets, refused)
		}
	}
	const stage = `feedgate_shard_move_stage_seconds{stage="%s"}`
	for _, s := range []string{"stop", "encode", "decode", "claim", "open"} {
		p := x.pauses(fmt.Sprintf(stage, s))
		p.add(y.pauses(fmt.Sprintf(stage, s)))
		b.ReportMetric(p.quantile(0.5), s+"-p50-ms")
		b.ReportMetric(p.quantile(0.99), s+"-p99-ms")
	}
	const pause = "feedgate_shard_move_pause_seconds"
	pauses := x.pauses(pause)
	pauses.add(y.pauses(pause))
	b.ReportMetric(pauses.quantile(0.5), "pause-p50-ms")
	b.ReportMetric(pauses.quantile(0.99), "pause-p99-ms")
	b.ReportMetric(float64(pauses.n), "moves")
}

// movers make nodes for BenchmarkMove.
type movers struct {
	b          *testing.B
	url, redis string
	shards     int
}

// mover is a node and the gateway on it, which only counts.
type mover struct {
	*cluster.Node
	store     *postgres.Store
	bus       *bus.Redis
	set       *metrics.Set
	last      atomic.Uint64
	delivered atomic.Int64
	resets    atomic.Int64
	refused   atomic.Int64 // attaches
}

func (m *movers) node(name string) *mover {
	log := slog.New(slog.DiscardHandler)
	n := &mover{set: metrics.NewSet()}
	var err error
	if n.store, err = postgres.Open(m.b.Context(), postgres.Config{URL: m.url, Shards: m.shards, Node: name}); err != nil {
		m.b.Fatal(err)
	}
	if n.bus, err = bus.DialRedis(bus.RedisOptions{URL: m.redis, Metrics: n.set, Log: log}); err != nil {
		m.b.Fatal(err)
	}
	n.Node, err = cluster.New(m.b.Context(), cluster.Options{
		Node: name, Roles: cluster.Roles{Gateway: true, Shard: true}, Store: n.store, Claims: n.store, Members: n.store,
		Bus: n.bus, Outlet: n, Host: shard.Options{AuditEvery: -1}, Metrics: n.set, Log: log,
	})
	if err != nil {
		m.b.Fatal(err)
	}
	return n
}

// seed has users follow, each another choice of the authors.
func (m *movers) seed(users, authors, follows int) {
	db, err := pgx.Connect(m.b.Context(), m.url)
	if err != nil {
		m.b.Fatal(err)
	}
	defer db.Close(m.b.Context())
	if _, err := db.Exec(m.b.Context(), `INSERT INTO follows (follower, author, since)
		SELECT 'user' || u, 'author' || (u + a * 7) % $2, 1 FROM generate_series(0, $1 - 1) u, generate_series(0, $3 - 1) a
		ON CONFLICT DO NOTHING`, users, authors, follows); err != nil {
		m.b.Fatal(err)
	}
}

func (n *mover) stop(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		b.Error(err)
	}
	n.bus.Close()
	n.store.Close()
}

func (n *mover) ask(user string, do feedengine.Action) feedengine.Result {
	done := make(chan feedengine.Result, 1)
	n.Submit(feedengine.Request{User: user, Deadline: time.Now().Add(10 * time.Second), Do: do, Done: func(r feedengine.Result) { done <- r }})
	return <-done
}

func (n *mover) attach(user string) {
	if res := n.ask(user, feedengine.Attach{Session: feedengine.SessionID(n.last.Add(1))}); res.Err != nil {
		n.refused.Add(1)
	}
}

func (n *mover) Deliver(d feedengine.Delivery) {
	if d.Event != nil {
		n.delivered.Add(int64(len(d.To)))
	}
}

func (n *mover) Reset(feedengine.Reset) { n.resets.Add(1) }

// pauses are a histogram: how many moves took up to so many seconds.
type pauses struct {
	upTo []float64
	of   []uint64
	n    uint64
}

func (n *mover) pauses(name string) (p pauses) {
	n.set.GetOrCreateHistogram(name).VisitNonZeroBuckets(func(r string, count uint64) {
		_, end, _ := strings.Cut(r, "...")
		upTo, err := strconv.ParseFloat(end, 64)
		if err == nil {
			p.upTo, p.of, p.n = append(p.upTo, upTo), append(p.of, count), p.n+count
		}
	})
	return p
}

func (p *pauses) add(o pauses) {
	for i, upTo := range o.upTo {
		at := 0
		for at < len(p.upTo) && p.upTo[at] < upTo {
			at++
		}
		if at == len(p.upTo) || p.upTo[at] != upTo {
			p.upTo = append(p.upTo[:at], append([]float64{upTo}, p.upTo[at:]...)...)
			p.of = append(p.of[:at], append([]uint64{0}, p.of[at:]...)...)
		}
		p.of[at] += o.of[i]
	}
	p.n += o.n
}

// quantile is an upper bound of it, in milliseconds.
func (p *pauses) quantile(q float64) float64 {
	seen := uint64(0)
	for i, n := range p.of {
		if seen += n; float64(seen) >= q*float64(p.n) {
			return p.upTo[i] * 1000
		}
	}
	return 0
}
