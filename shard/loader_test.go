package shard

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// loaderBench is a loader on a fake store with a ring, inside a synctest bubble.
type loaderBench struct {
	store *fakeStore
	ring  *Ring
	l     *Loader
	tick  feedengine.Tick
	asks  [][]feedengine.LoadUser // of each query that reached the store

	mu        sync.Mutex
	delivered []delivered
}

type delivered struct {
	shard feedengine.ShardID
	*Loaded
	at time.Time
}

func newLoaderBench(t *testing.T, shards int, change func(*LoaderOptions)) *loaderBench {
	b := &loaderBench{store: newFakeStore(shards), ring: NewRing(1024, shards), tick: 1000}
	b.ring.SetHeads(b.store.claimAll())
	b.store.onLoad = func(users []feedengine.LoadUser) { b.asks = append(b.asks, users) }
	o := LoaderOptions{
		Views: b.store, Ring: b.ring,
		Deliver: func(shard feedengine.ShardID, l *Loaded) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.delivered = append(b.delivered, delivered{shard, l, time.Now()})
		},
		Metrics: metrics.NewSet(), Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	b.l = NewLoader(o)
	t.Cleanup(b.l.Stop)
	return b
}

// happens makes an event durable and known, as a commit does.
func (b *loaderBench) happens(e feedengine.Event) *feedengine.Event {
	b.tick++
	e.ID = b.tick.ID(e.Shard)
	b.store.mu.Lock()
	e.Epoch, e.Seq = b.store.epochs[e.Shard], uint64(len(b.store.logs[e.Shard]))+1
	if e.Kind == feedengine.KindPost {
		e.Post = &feedengine.Post{ID: e.ID, Author: e.Actor, Kind: "post", Text: "x"}
	}
	b.store.logs[e.Shard] = append(b.store.logs[e.Shard], &e)
	b.store.mu.Unlock()
	b.ring.Append([]*feedengine.Event{&e})
	return &e
}

func (b *loaderBench) sizes() (sizes []int) {
	for _, users := range b.asks {
		sizes = append(sizes, len(users))
	}
	return sizes
}

// loaded is how many users were delivered without an error.
func (b *loaderBench) loaded() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.delivered {
		if d.Err == nil {
			n += len(d.Users)
		}
	}
	return n
}

// users lists who was delivered to the shard, with errors or without.
func (b *loaderBench) users(shard feedengine.ShardID) (users []string) {
	for _, d := range b.delivered {
		for _, u := range d.Users {
			if d.shard == shard {
				users = append(users, u.User)
			}
		}
	}
	return users
}

func askFor(i int) feedengine.LoadUser { return feedengine.LoadUser{User: fmt.Sprint("u", i)} }

func TestLoaderGathersWhileAQueryIsUnderWay(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 4, func(o *LoaderOptions) { o.MaxBatch = 100 })
		b.store.slow = 100 * time.Millisecond
		start := time.Now()
		b.l.Ask(0, askFor(0))
		synctest.Wait()
		for i := 1; i < 60; i++ { // gather
			b.l.Ask(feedengine.ShardID(i%4), askFor(i))
		}
		synctest.Wait()
		if got := b.store.count("load"); got != 1 {
			t.Fatalf("%d queries, want the others to gather behind the first", got)
		}
		time.Sleep(10 * time.Millisecond)
		for i := 60; i < 250; i++ { // a full batch may go beside the first
			b.l.Ask(feedengine.ShardID(i%4), askFor(i))
		}
		synctest.Wait()
		if got := b.store.count("load"); got != 2 {
			t.Fatalf("%d queries, want one more for a full batch, and no third", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		b.l.Stop()
		if got := b.sizes(); !slices.Equal(got, []int{1, 100, 100, 49}) {
			t.Fatalf("queries for %v users", got)
		}
		if d := b.delivered[0]; d.at.Sub(start) != 100*time.Millisecond {
			t.Fatalf("the first waited %v, want just its query", d.at.Sub(start))
		}
		for shard := range feedengine.ShardID(4) {
			var want []string
			for i := int(shard); i < 250; i += 4 {
				want = append(want, fmt.Sprint("u", i))
			}
			if got := b.users(shard); !slices.Equal(got, want) {
				t.Fatalf("shard %d got %v, want %v", shard, got, want)
			}
		}
		if n := len(b.delivered); n != 1+4+4+4 {
			t.Fatalf("%d deliveries, want one for each query and shard", n)
		}
	})
}

// One by one they come, faster than queries are worth it: who is first does not
// wait, the others share a query every Gather.
func TestLoaderGathersAfterAQuery(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 1, func(o *LoaderOptions) { o.MaxBatch, o.Gather = 30, 20*time.Millisecond })
		start := time.Now()
		for i := range 40 {
			b.l.Ask(0, askFor(i))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 20, 19}) && !slices.Equal(got, []int{1, 19, 20}) {
			t.Fatalf("queries for %v users", got)
		}
		if at := b.delivered[0].at; !at.Equal(start) {
			t.Fatalf("the first waited %v", at.Sub(start))
		}
		for i := range 31 {
			b.l.Ask(0, askFor(i))
			synctest.Wait()
		}
		if got := b.sizes()[3:]; !slices.Equal(got, []int{1, 30}) {
			t.Fatalf("queries for %v users: a full batch does not wait", got)
		}
	})
}

func TestLoaderAsksForAUserOnce(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 1, nil)
		b.store.slow = 100 * time.Millisecond
		b.l.Ask(0, askFor(0))
		synctest.Wait()
		for _, page := range []int{0, 20, 5} {
			b.l.Ask(0, feedengine.LoadUser{User: "ann", Page: page})
		}
		time.Sleep(time.Second)
		b.l.Stop()
		if want := []feedengine.LoadUser{{User: "ann", Page: 20}}; !slices.Equal(b.asks[1], want) {
			t.Fatalf("asked for %v, want %v", b.asks[1], want)
		}
		if got := b.users(0); !slices.Equal(got, []string{"u0", "ann"}) {
			t.Fatalf("delivered %v", got)
		}
	})
}

func TestLoaderRefusesWhenFullOrStopped(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 1, func(o *LoaderOptions) { o.Queue = 3 })
		b.store.slow = time.Hour
		b.l.Ask(0, askFor(0))
		synctest.Wait()
		for i := range 3 {
			if !b.l.Ask(0, askFor(1+i)) {
				t.Fatalf("ask %d refused", i)
			}
		}
		if b.l.Ask(0, askFor(9)) {
			t.Fatal("took more than its queue")
		}
		start := time.Now()
		b.l.Stop()
		if time.Since(start) != 0 {
			t.Fatalf("Stop waited %v for a query", time.Since(start))
		}
		if got := slices.Sorted(slices.Values(b.users(0))); !slices.Equal(got, []string{"u0", "u1", "u2", "u3"}) {
			t.Fatalf("delivered %v, want all that were asked for", got)
		}
		for _, d := range b.delivered {
			if d.Err == nil {
				t.Fatalf("delivered %+v, want a refusal", d.Loaded)
			}
		}
		if b.l.Ask(0, askFor(10)) {
			t.Fatal("took after Stop")
		}
	})
}

// What a view is built from is exact at every moment, whatever happens during
// the query, also with a replica that trails: the snapshot, Before, and what the
// ring has above the heads give each event once.
func TestLoadedGivesEachEventOnce(t *testing.T) {
	for _, lag := range []uint64{0, 3, 40} {
		t.Run(fmt.Sprint("lag ", lag), func(t *testing.T) {
			synctested(t, func(t *testing.T) {
				b := newLoaderBench(t, 3, nil)
				b.store.lag = func(s feedengine.ShardID) uint64 { return lag * uint64(s) }
				b.store.slow = 100 * time.Millisecond
				for range 20 {
					for shard := range feedengine.ShardID(3) {
						b.happens(feedengine.Event{Shard: shard, Kind: feedengine.KindPost, Actor: "ann"})
					}
				}
				b.l.Ask(1, askFor(0))
				synctest.Wait()
				for range 7 { // during the query: in the snapshot or not, but in the ring
					b.happens(feedengine.Event{Shard: 2, Kind: feedengine.KindPost, Actor: "ann"})
				}
				time.Sleep(time.Second)
				synctest.Wait()
				b.happens(feedengine.Event{Shard: 0, Kind: feedengine.KindPost, Actor: "ann"})
				b.l.Stop()

				l := b.delivered[0]
				if l.Err != nil {
					t.Fatal(l.Err)
				}
				if l.From != 60 {
					t.Fatalf("from %d, want the ring's position at the time of the query", l.From)
				}
				at := make([]uint64, 3)
				for shard, head := range l.Heads {
					at[shard] = head.Seq
				}
				take := func(e *feedengine.Event) {
					if e.Seq != at[e.Shard]+1 {
						t.Fatalf("log %d: %d after %d", e.Shard, e.Seq, at[e.Shard])
					}
					at[e.Shard]++
				}
				for _, e := range l.Before {
					take(e)
				}
				err := b.ring.walk(l.From, b.ring.Head(), func(e *feedengine.Event) {
					if e.Seq > l.Heads[e.Shard].Seq {
						take(e)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if want := []uint64{21, 20, 27}; !slices.Equal(at, want) {
					t.Fatalf("the logs are known up to %v, want %v", at, want)
				}
				if (len(l.Before) > 0) != (lag > 0) {
					t.Fatalf("%d events read from the logs with lag %d", len(l.Before), lag)
				}
			})
		})
	}
}

func TestLoaderRefusesASnapshotThatTrailsTooFar(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 1, nil)
		b.store.lag = func(feedengine.ShardID) uint64 { return 8 }
		for range 10 {
			b.happens(feedengine.Event{Kind: feedengine.KindPost, Actor: "ann"})
		}
		b.store.trimmed[0] = 5 // the snapshot stands at 2
		b.l.Ask(0, askFor(0))
		synctest.Wait()
		b.l.Stop()
		if d := b.delivered[0]; d.Err == nil || d.Heads != nil || d.Users[0].User != "u0" {
			t.Fatalf("%+v, want a refusal", d.Loaded)
		}
	})
}

func TestLoaderWithStorageAway(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 2, func(o *LoaderOptions) { o.MaxBatch = 10 })
		b.store.fail = func(string) fault { return faultUnavailable }
		start := time.Now()
		for i := range 1000 {
			b.l.Ask(feedengine.ShardID(i%2), askFor(i))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := len(b.users(0)) + len(b.users(1)); n != 1000 {
			t.Fatalf("%d refused", n)
		}
		for _, d := range b.delivered {
			if d.Err == nil || d.at.Sub(start) > time.Second {
				t.Fatalf("%+v after %v", d.Loaded, d.at.Sub(start))
			}
		}
		if n := b.store.count("load"); n > 5 {
			t.Fatalf("%d queries to a database that is down, for one burst", n)
		}
		b.store.setFail(nil)
		b.l.Ask(1, askFor(7))
		time.Sleep(2 * time.Second)
		b.l.Stop()
		if d := b.delivered[len(b.delivered)-1]; d.Err != nil || d.Users[0].User != "u7" {
			t.Fatalf("after: %+v", d.Loaded)
		}
	})
}

// Batches that take too long shrink until they don't, and grow back.
func TestLoaderShrinksSlowBatches(t *testing.T) {
	synctested(t, func(t *testing.T) {
		b := newLoaderBench(t, 1, func(o *LoaderOptions) { o.MaxBatch, o.InFlight, o.Timeout = 400, 1, 2*time.Second })
		b.store.slowUser = 20 * time.Millisecond // 100 users run into the timeout
		for i := 0; b.loaded() < 1000; i++ {     // a storm: whoever is refused asks again
			if b.l.Waiting() < 400 {
				for i := range 400 {
					b.l.Ask(0, askFor(i))
				}
			}
			time.Sleep(10 * time.Millisecond)
			if i > 10_000 {
				t.Fatalf("%d users got through", b.loaded())
			}
		}
		b.store.mu.Lock()
		b.store.slowUser = 0
		queries := len(b.asks)
		b.store.mu.Unlock()
		for i := range 2000 {
			b.l.Ask(0, askFor(i))
		}
		time.Sleep(10 * time.Second)
		b.l.Stop()
		if sizes := b.sizes()[queries:]; slices.Max(sizes) != 400 {
			t.Fatalf("batches %v do not grow back to 400", sizes)
		}
	})
}

func TestLoaderStaysUsableWhileADeliveryWaits(t *testing.T) {
	synctested(t, func(t *testing.T) {
		room := make(chan struct{})
		var other []string
		b := newLoaderBench(t, 2, func(o *LoaderOptions) {
			o.MaxBatch = 2
			o.Deliver = func(shard feedengine.ShardID, l *Loaded) {
				if shard == 0 {
					<-room // a full mailbox
					return
				}
				for _, u := range l.Users {
					other = append(other, u.User)
				}
			}
		})
		b.l.Ask(0, askFor(0))
		synctest.Wait()
		b.l.Ask(1, askFor(1))
		b.l.Ask(1, askFor(2))
		synctest.Wait()
		if !slices.Equal(other, []string{"u1", "u2"}) {
			t.Fatalf("the other shard got %v", other)
		}
		close(room)
		b.l.Stop()
	})
}
