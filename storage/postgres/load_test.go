package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/postgres"
)

// TestLoadCost loads 10,000 users, a thousand at a time, with a page for some: at
// most 40 queries in all. (BenchmarkLoad does it with 50 follows each.)
func TestLoadCost(t *testing.T) {
	t.Parallel()
	const users, follows, batch = 10_000, 5, 1000
	url := database(t)
	exec(t, url,
		`INSERT INTO follows SELECT 'u' || u, 'u' || (u * 31 + f * 97) % 10000, 1 FROM generate_series(0, 9999) u, generate_series(1, 5) f ON CONFLICT DO NOTHING`,
		`INSERT INTO posts (id, author, kind, text) SELECT 10 + g, 'u' || g, 'post', 'x' FROM generate_series(0, 99) g`,
		`ANALYZE`)
	set := metrics.NewSet()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Node: "n1", Metrics: set})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })

	edges, unread, pages := 0, 0, 0
	for from := 0; from < users; from += batch {
		ask := make([]feedengine.LoadUser, batch)
		for i := range ask {
			ask[i].User = fmt.Sprintf("u%d", from+i)
			if i%10 == 0 {
				ask[i].Page = 20
			}
		}
		snap, err := s.Load(t.Context(), ask, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range snap.Users {
			if u.User != ask[i].User {
				t.Fatalf("asked for %s, got %s", ask[i].User, u.User)
			}
			edges += len(u.Follows)
			unread += u.Feed.Total
			if u.Page != nil {
				pages++
			}
		}
	}
	if edges < users*follows*9/10 || unread == 0 || pages != users/10 {
		t.Errorf("%d edges, %d unread, %d pages were loaded", edges, unread, pages)
	}
	if n := counter(t, set, `feedgate_storage_queries_total{op="load"}`); n == 0 || n > 40 {
		t.Errorf("%d queries, want at most 40", n)
	}
}

// counter reads a metric's value as it is exported.
func counter(t testing.TB, set *metrics.Set, name string) (value int) {
	t.Helper()
	var text strings.Builder
	set.WritePrometheus(&text)
	for line := range strings.Lines(text.String()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("no metric %s in:\n%s", name, text.String())
	return 0
}

// TestMetrics: every call has its latency, and the pools their use.
func TestMetrics(t *testing.T) {
	t.Parallel()
	set := metrics.NewSet()
	url := database(t)
	for range 2 { // a second store may show itself in the same set
		s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Shards: 4, Node: "n1", Metrics: set})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fences, writes := post(claim(t, s, "n1"))
		if err := s.Append(t.Context(), fences, writes); err == nil {
			if _, err := s.Load(t.Context(), []feedengine.LoadUser{{User: "alice", Page: 1}}, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range map[string]int{
		`feedgate_storage_query_seconds_count{op="append"}`: 2,
		`feedgate_storage_queries_total{op="load"}`:         8,
		`feedgate_storage_pool_max{pool="reader"}`:          8,
		`feedgate_storage_pool_in_use{pool="writer"}`:       0,
	} {
		if got := counter(t, set, name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}
