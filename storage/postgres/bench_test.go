package postgres_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/postgres"
	"github.com/feedgate/feedgate/storage/storagetest"
)

// The benchmarks' data set. Posts are one a second until now, by authors of a
// power law.
const (
	benchUsers  = 100_000
	benchLoaded = 10_000 // the first users follow 50 each, the others 5
	benchHeavy  = 1_000  // users h0 … who follow 200 each
	benchFresh  = 1_000  // posts above the read marks
)

// benchPosts is how many posts there are: FEEDGATE_BENCH_POSTS, or a million.
func benchPosts(b *testing.B) int {
	text := os.Getenv("FEEDGATE_BENCH_POSTS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < benchFresh {
		b.Fatalf("FEEDGATE_BENCH_POSTS=%q: want a number from %d on", text, benchFresh)
	}
	return n
}

// BenchmarkPostgres fills one database and measures on it. Medians stand beside
// a bare round trip of the same run, as a ratio to it.
func BenchmarkPostgres(b *testing.B) {
	url := database(b)
	s := open(b, url, "bench", 0)
	posts := benchPosts(b)
	oldest := fill(b, url, posts)
	ctx := context.Background()

	floor := median(b, 200, func(int) error { return s.Ping(ctx) })
	latency := func(name string, call func(i int) error) {
		b.Run(name, func(b *testing.B) {
			took := median(b, max(b.N, 100), call)
			b.ReportMetric(0, "ns/op") // the median is what counts
			b.ReportMetric(float64(took.Microseconds())/1000, "ms/median")
			b.ReportMetric(float64(took)/float64(floor), "x/roundtrip")
		})
	}
	feed := func(before feedengine.ID) func(int) error {
		return func(i int) error {
			page, err := s.Feed(ctx, fmt.Sprintf("h%d", i%benchHeavy), before, 20)
			if err == nil && len(page.Posts) != 20 {
				return fmt.Errorf("a page of %d posts", len(page.Posts))
			}
			return err
		}
	}
	load := func(user string) func(int) error {
		return func(i int) error {
			snap, err := s.Load(ctx, []feedengine.LoadUser{{User: fmt.Sprintf(user, i%benchHeavy)}}, 200)
			if err == nil && snap.Users[0].Feed.Total == 0 {
				return fmt.Errorf("nothing unread")
			}
			return err
		}
	}
	latency("FeedPage/follows=200/newest", feed(0))
	latency("FeedPage/follows=200/middle", feed(oldest+(feedengine.TickAt(time.Now()).ID(0)-oldest)/2))
	latency("Unread/follows=200/some", load("h%d"))
	latency("Unread/follows=200/9999+", load("n%d"))
	b.Run("Load/users=10000/follows=50", func(b *testing.B) { benchLoad(b, url) })
	b.Run("Append", func(b *testing.B) { benchAppend(b, s) })
}

// median calls n times and returns the median duration.
func median(b *testing.B, n int, call func(i int) error) time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		if err := call(i); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[n/2]
}

// benchLoad loads 10,000 users, mostly with nothing unread, a thousand at a time.
func benchLoad(b *testing.B, url string) {
	set := metrics.NewSet()
	s, err := postgres.Open(b.Context(), postgres.Config{URL: url, Node: "bench", Metrics: set})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const batch = 1000
	edges, loads := 0, 0
	for b.Loop() {
		loads++
		for from := 0; from < benchLoaded; from += batch {
			ask := make([]feedengine.LoadUser, batch)
			for i := range ask {
				ask[i].User = fmt.Sprintf("u%d", from+i)
			}
			snap, err := s.Load(b.Context(), ask, 200)
			if err != nil {
				b.Fatal(err)
			}
			for _, u := range snap.Users {
				edges += len(u.Follows)
			}
		}
	}
	queries := counter(b, set, `feedgate_storage_queries_total{op="load"}`)
	b.ReportMetric(float64(queries)/float64(loads), "queries")
	b.ReportMetric(float64(edges)/float64(loads), "edges")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(loads*benchLoaded), "µs/user")
}

// benchAppend commits 256 posts at a time, beside one at a time.
func benchAppend(b *testing.B, s *postgres.Store) {
	const group = 256
	head := storagetest.Claim(b, s, "bench", 1)[0]
	commit := func(posts int) error {
		fences, writes := post(head)
		for range posts - 1 {
			next := feedengine.Head{Epoch: head.Epoch, Seq: writes[len(writes)-1].Event.Seq, ID: writes[len(writes)-1].Event.ID}
			_, more := post(next)
			writes = append(writes, more...)
		}
		last := writes[len(writes)-1].Event
		head.Seq, head.ID = last.Seq, last.ID
		return s.Append(b.Context(), fences, writes)
	}
	const singles = 200
	start := time.Now()
	for range singles {
		if err := commit(1); err != nil {
			b.Fatal(err)
		}
	}
	single := time.Since(start) / singles
	for b.Loop() {
		if err := commit(group); err != nil {
			b.Fatal(err)
		}
	}
	perPost := b.Elapsed() / time.Duration(b.N*group)
	b.ReportMetric(float64(perPost.Nanoseconds())/1000, "µs/post")
	b.ReportMetric(float64(single)/float64(perPost), "x/single")
}

// fill makes the data set and returns the oldest post's id.
func fill(b *testing.B, url string, posts int) feedengine.ID {
	start := time.Now().Add(-time.Duration(posts) * time.Second)
	ms := start.Sub(feedengine.IDEpoch).Milliseconds()
	id := func(n string) string { return fmt.Sprintf("((%d + 1000 * (%s)::bigint) << 22) + n %% 256", ms, n) }
	exec(b, url,
		`SELECT setseed(0.5)`,
		`ALTER TABLE follows DROP CONSTRAINT follows_pkey`, `DROP INDEX follows_author, posts_author`,
		fmt.Sprintf(`INSERT INTO posts (id, author, kind, text)
			SELECT %s, 'u' || floor(%d * power(random(), 3)), 'post', repeat('x', 140) FROM generate_series(1, %d) n`,
			id("n"), benchUsers, posts),
		fmt.Sprintf(`INSERT INTO follows
			SELECT DISTINCT ON (follower, author) follower, author, 1 FROM (
				SELECT 'u' || u AS follower, 'u' || floor(%[1]d * power(random(), 2)) AS author
				FROM generate_series(0, %[1]d - 1) u, LATERAL generate_series(1, CASE WHEN u < %[2]d THEN 50 ELSE 5 END) f
				UNION ALL
				SELECT k || u, 'u' || floor(%[1]d * power(random(), 2))
				FROM unnest(ARRAY['h', 'n']) k, generate_series(0, %[3]d - 1) u, generate_series(1, 200) f) e`,
			benchUsers, benchLoaded, benchHeavy),
		fmt.Sprintf(`INSERT INTO marks SELECT 'u' || n, 1, %s FROM generate_series(0, %d) n`,
			id(fmt.Sprint(posts-benchFresh)), benchUsers-1),
		fmt.Sprintf(`INSERT INTO marks SELECT 'h' || n, 1, %s FROM generate_series(0, %d) n`,
			id(fmt.Sprint(posts-10*benchFresh)), benchHeavy-1),
		`ALTER TABLE follows ADD PRIMARY KEY (follower, author) INCLUDE (since)`,
		`CREATE INDEX follows_author ON follows (author, follower)`,
		`CREATE INDEX posts_author ON posts (author, id DESC) WHERE NOT deleted`,
		`VACUUM ANALYZE`)
	return feedengine.TickAt(start).ID(0)
}
