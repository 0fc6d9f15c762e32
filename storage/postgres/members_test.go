package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
)

func TestMembersConformance(t *testing.T) {
	var urls sync.Map // of stores
	storagetest.RunMembers(t, storagetest.MembersHarness{
		Open: func(t testing.TB, shards int) storagetest.Members {
			url := database(t)
			s := open(t, url, "n1", shards)
			urls.Store(s, url)
			return s
		},
		Age: func(t testing.TB, m storagetest.Members, d time.Duration) {
			url, _ := urls.Load(m)
			exec(t, url.(string), fmt.Sprintf(`UPDATE nodes SET seen = seen - interval '%d s'`, int(d.Seconds())))
		},
	})
}

func aMember(node string) feedengine.Member {
	return feedengine.Member{Node: node, Incarnation: 7, Shard: true, State: feedengine.MemberServing, Started: time.Now()}
}

// TestBeatsWaitForNothing takes every connection of both pools and lets their
// calls hang: beats go on.
func TestBeatsWaitForNothing(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url, "n1", 4)
	head := claim(t, s, "n1")
	stranger := connect(t, url)
	tx, err := stranger.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), `LOCK TABLE log, posts, keys`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	const readers, writers = 8, 3
	for range readers + 4 {
		wg.Go(func() { s.ReadLog(ctx, 1, 0, 10) })
	}
	fences, writes := post(head)
	for range writers + 2 {
		wg.Go(func() { s.Append(ctx, fences, writes) })
	}
	eventually(t, "all connections wait", func() bool {
		return count(t, url, `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = 'n1' AND wait_event_type = 'Lock' AND datname = current_database()`) == readers+writers
	})
	for range 5 {
		bound, done := context.WithTimeout(t.Context(), 5*time.Second)
		if _, err := s.Beat(bound, aMember("n1")); err != nil {
			t.Fatalf("beat while everything waits: %v", err)
		}
		done()
	}
}

// TestBeatAfterALostConnection ends the beats' connection in several ways: the
// beat fails or not, the next one does not.
func TestBeatAfterALostConnection(t *testing.T) {
	t.Parallel()
	url := database(t)
	p := newProxy(t, url)
	s := open(t, p.URL, "n1", 4)
	m := aMember("n1")
	beats := 0
	beat := func(when string) feedengine.Member {
		t.Helper()
		roll, err := s.Beat(t.Context(), m)
		if err != nil {
			t.Fatalf("beat %s: %v", when, err)
		}
		beats++
		return roll.Members[0]
	}
	beat("at first")
	p.arm(loseReply)
	if _, err := s.Beat(t.Context(), m); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("beat without an answer: %v, want ErrUnavailable", err)
	}
	beats++ // it counts
	beat("after a lost answer")
	p.arm(loseCommit)
	if _, err := s.Beat(t.Context(), m); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("beat that was cut: %v, want ErrUnavailable", err)
	}
	beat("after one that was cut")

	exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'n1' AND datname = current_database()`)
	eventually(t, "beats are back", func() bool {
		_, err := s.Beat(t.Context(), m)
		if err == nil {
			beats++
		}
		return err == nil
	})
	if got := beat("at last"); got.Beat != uint64(beats) {
		t.Errorf("%d beats were counted, want %d", got.Beat, beats)
	}
}

// TestBeatIsCheap: with every shard there can be, beats make no new pages. An
// old snapshot, as an automatic ANALYZE takes it, keeps Postgres from using a
// page's room again while it lasts: one stretch without growth is enough. A version
// that is not HOT leaves 4 bytes behind, and a page has room for 291 of those.
func TestBeatIsCheap(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url, "n1", feedengine.MaxShards)
	var sizes []int
	for range 10 {
		for range 400 {
			roll, err := s.Beat(t.Context(), aMember("n1"))
			if err != nil || len(roll.Owners) != feedengine.MaxShards {
				t.Fatalf("beat: %d owners, %v", len(roll.Owners), err)
			}
		}
		sizes = append(sizes, count(t, url, `SELECT pg_table_size('nodes')::int`))
		if n := len(sizes); n > 1 && sizes[n-1] == sizes[n-2] {
			return
		}
	}
	t.Errorf("the table of one node grows: %d bytes, each after 400 beats more", sizes)
}

// TestEndOwnersFindsEveryConnection: a claimer knows an owner's connections by
// their name, of whichever pool they are.
func TestEndOwnersFindsEveryConnection(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url+"&application_name=something", "node-0/3", 4)
	head := claim(t, s, "node-0/3")
	fences, writes := post(head)
	var wg sync.WaitGroup
	for range 12 { // more than there are connections
		wg.Go(func() { s.Append(t.Context(), fences, nil) })
		wg.Go(func() { s.Load(t.Context(), []feedengine.LoadUser{{User: "a"}}, 10) })
	}
	wg.Wait()
	if err := s.Append(t.Context(), fences, writes); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Beat(t.Context(), aMember("node-0/3")); err != nil {
		t.Fatal(err)
	}
	ours := `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	named := count(t, url, ours+` AND application_name = (SELECT owner FROM shards WHERE shard = 1)`)
	if all := count(t, url, ours); named != all || all < 3 {
		t.Errorf("%d of %d connections have the owner's name", named, all)
	}
}

// BenchmarkBeat is a beat with every shard there can be and 16 nodes, beside a
// bare round trip.
func BenchmarkBeat(b *testing.B) {
	url := database(b)
	s := open(b, url, "n1", feedengine.MaxShards)
	for n := range 16 {
		if _, err := s.Beat(b.Context(), aMember(fmt.Sprint("node-", n))); err != nil {
			b.Fatal(err)
		}
	}
	all := make([]feedengine.ShardID, feedengine.MaxShards)
	for i := range all {
		all[i] = feedengine.ShardID(i)
	}
	storagetest.Claim(b, s, "node-1", all...)
	floor := median(b, 200, func(int) error { return s.Ping(b.Context()) })
	took := median(b, max(b.N, 200), func(int) error {
		_, err := s.Beat(b.Context(), aMember("node-1"))
		return err
	})
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Microseconds())/1000, "ms/median")
	b.ReportMetric(float64(took)/float64(floor), "x/roundtrip")
}
