package shard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func TestJudgeHead(t *testing.T) {
	known := feedengine.Head{Epoch: 3, First: 5, Seq: 9, ID: 90}
	for _, c := range []struct {
		what string
		told feedengine.Head
		want headVerdict
	}{
		{"the same", known, headKnown},
		{"an old heartbeat", feedengine.Head{Epoch: 3, First: 5, Seq: 7, ID: 70}, headKnown},
		{"more", feedengine.Head{Epoch: 3, First: 5, Seq: 10, ID: 100}, headAhead},
		{"a claim", feedengine.Head{Epoch: 4, First: 10, Seq: 9, ID: 90}, headNew},
		{"a claim, and more", feedengine.Head{Epoch: 4, First: 10, Seq: 12, ID: 120}, headAhead},
		{"a claim above a gap", feedengine.Head{Epoch: 5, First: 12, Seq: 11, ID: 110}, headAhead},
		{"an old owner", feedengine.Head{Epoch: 2, First: 3, Seq: 20, ID: 200}, headStale},
		{"a claim that found less", feedengine.Head{Epoch: 4, First: 9, Seq: 8, ID: 80}, headLost},
		{"a claim that found less, and is further by now", feedengine.Head{Epoch: 4, First: 8, Seq: 30, ID: 300}, headLost},
		{"an epoch used twice", feedengine.Head{Epoch: 3, First: 4, Seq: 12, ID: 120}, headLost},
		{"another event", feedengine.Head{Epoch: 3, First: 5, Seq: 9, ID: 91}, headLost},
		{"a claim after another event", feedengine.Head{Epoch: 4, First: 10, Seq: 9, ID: 91}, headLost},
	} {
		if got := judgeHead(known, c.told); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

// classroom is a host of a cluster that owns nothing, and what another has written.
type classroom struct {
	*harness
	owner map[feedengine.ShardID]feedengine.Head
}

func newClassroom(t *testing.T, change func(*Options)) *classroom {
	c := &classroom{owner: map[feedengine.ShardID]feedengine.Head{}}
	c.harness = newHarness(t, 4, func(o *Options) {
		o.Cluster, o.AuditEvery, o.Confirm = true, -1, time.Hour
		if change != nil {
			change(o)
		}
	})
	return c
}

// write has the owner of a log write n posts.
func (c *classroom) write(shard feedengine.ShardID, n int) (events []*feedengine.Event) {
	h := c.owner[shard]
	if h.Epoch == 0 {
		h = c.claim(shard)
	}
	for range n {
		h.Seq++
		h.ID = feedengine.Tick(1000*h.Epoch + h.Seq).ID(shard)
		events = append(events, &feedengine.Event{Shard: shard, Epoch: h.Epoch, Seq: h.Seq, ID: h.ID, Kind: feedengine.KindPost,
			Actor: fmt.Sprint("author", shard), Post: &feedengine.Post{ID: h.ID, Author: fmt.Sprint("author", shard), Kind: "post", Text: "x"}})
	}
	c.owner[shard] = h
	c.store.mu.Lock()
	c.store.logs[shard] = append(c.store.logs[shard], events...)
	c.store.mu.Unlock()
	return events
}

// claim raises a log's epoch.
func (c *classroom) claim(shard feedengine.ShardID) feedengine.Head {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.owner[shard] = c.store.claim(shard)
	return c.owner[shard]
}

func (c *classroom) learn(events []*feedengine.Event) {
	h := c.owner[events[0].Shard]
	c.host.Learn(events[0].Shard, events[0].Epoch, h.First, events)
}

func (c *classroom) expect(shard feedengine.ShardID) {
	c.t.Helper()
	if got := c.host.ring.HeadOf(shard); got != c.owner[shard] {
		c.t.Errorf("log %d is known as %+v, and stands at %+v", shard, got, c.owner[shard])
	}
}

func (c *classroom) repairs() uint64 { return c.host.learner.metrics.repairs.Get() }

func TestLearnInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		events := c.write(2, 5)
		c.learn(events[:2])
		c.learn(events[:2]) // twice
		c.learn(events[1:]) // some of it again
		c.expect(2)
		if got := c.host.Recent(2, 1, 4); got != events[3] {
			t.Errorf("the fourth event is not among the recent: %v", got)
		}
		if got := c.host.Recent(2, 2, 4); got != nil {
			t.Errorf("an event of another epoch was found: %v", got)
		}
		if n := c.host.clock.Now(); n < events[4].ID.Tick() {
			t.Error("the clock has not seen the ids")
		}
		time.Sleep(time.Second)
		if n := c.repairs(); n != 0 {
			t.Errorf("%d reads of storage for nothing", n)
		}
	})
}

// What overtakes is put right without storage, and what is lost is read from it.
func TestLearnOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		events := c.write(1, 6)
		c.learn(events[4:])
		c.learn(events[2:4])
		c.learn(events[:2])
		c.expect(1)
		time.Sleep(time.Second)
		if n := c.repairs(); n != 0 {
			t.Fatalf("%d reads of storage for nothing", n)
		}
		if n := c.host.learner.kept; n != 0 || len(c.host.learner.held) != 0 {
			t.Fatalf("%d events are kept", n)
		}

		more := c.write(1, 6)
		c.learn(more[3:])
		time.Sleep(time.Second)
		c.expect(1)
		if n := c.repairs(); n != 1 {
			t.Errorf("%d reads of storage", n)
		}
		c.write(1, 2000) // and nobody hears of it, but for heartbeats
		c.beats(1, c.owner[1])
		time.Sleep(time.Second)
		c.expect(1)
		if n := c.host.learner.lag(); n != 0 {
			t.Errorf("a lag of %d", n)
		}
	})
}

func TestLearnWhileStorageIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		events := c.write(1, 6)
		c.store.setFail(func(string) fault { return faultUnavailable })
		c.learn(events[5:])
		time.Sleep(10 * time.Second)
		if n := c.host.learner.lag(); n != 6 {
			t.Errorf("a lag of %d", n)
		}
		if n := c.repairs(); n < 5 || n > 50 {
			t.Errorf("%d attempts in 10 s", n)
		}
		c.store.setFail(nil)
		time.Sleep(3 * time.Second)
		c.expect(1)
	})
}

func TestLearnNewEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		old := c.write(1, 3)
		first := c.owner[1].First
		c.learn(old)
		c.host.LearnHead(1, c.claim(1)) // without events yet
		c.expect(1)
		c.host.Learn(1, 1, first, []*feedengine.Event{{Shard: 1, Epoch: 1, Seq: 4, ID: 1 << 40, Kind: feedengine.KindPost}}) // of a ghost
		c.expect(1)
		c.write(1, 2) // unheard
		c.claim(1)
		c.claim(1)
		c.learn(c.write(1, 2))
		time.Sleep(time.Second)
		c.expect(1)
		if n := c.host.learner.metrics.history.Get(); n != 0 {
			t.Errorf("history was lost %d times", n)
		}
		if n := c.host.learner.metrics.stale.Get(); n != 1 {
			t.Errorf("%d announces of former owners were dropped", n)
		}
	})
}

// A log that was trimmed beyond what is known goes on where it stands.
func TestLearnTrimmedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		c.learn(c.write(1, 3))
		c.write(1, 10)
		c.store.mu.Lock()
		c.store.trimmed[1] = 8
		c.store.mu.Unlock()
		c.beats(1, c.owner[1])
		time.Sleep(time.Second)
		c.expect(1)
		if n := c.host.learner.metrics.trimmed.Get(); n != 1 {
			t.Errorf("%d logs were trimmed", n)
		}
	})
}

// beats has the owner's heartbeats say where a log stands, twice: what the first one
// tells of may still be on its way.
func (c *classroom) beats(shard feedengine.ShardID, head feedengine.Head) {
	c.host.LearnHead(shard, head)
	c.host.LearnHead(shard, head)
}

// What a busy node announces may come seconds after a heartbeat, or a look at
// storage, has told of it. Late is not lost, and nothing is read for it.
func TestLearnLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		for range 20 {
			events := c.write(1, 3)
			c.host.LearnHead(1, c.owner[1])
			time.Sleep(2900 * time.Millisecond)
			c.learn(events)
			c.expect(1)
		}
		if n := c.repairs(); n != 0 {
			t.Errorf("%d reads of storage", n)
		}
	})
}

// A head that nobody has is not asked for all the time.
func TestLearnOfWhatIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		c.learn(c.write(1, 3))
		h := c.owner[1]
		h.Seq, h.ID = 99, 1<<40
		c.beats(1, h)
		time.Sleep(10 * time.Second)
		c.expect(1)
		if n := c.repairs(); n != 1 {
			t.Errorf("%d reads of storage", n)
		}
	})
}

func TestLearnRefusesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		e := c.write(1, 3)
		other := *e[1]
		other.Shard = 2
		same := *e[1]
		same.ID = e[0].ID
		for _, events := range [][]*feedengine.Event{nil, {e[0], e[2]}, {e[0], &other}, {e[0], &same}} {
			c.host.Learn(1, 1, 1, events)
		}
		c.host.Learn(1, 2, 1, e)
		c.host.Learn(1, 1, 3, e)
		c.host.Learn(700, 1, 1, e)
		c.host.LearnHead(700, feedengine.Head{Epoch: 1})
		c.host.LearnHead(1, feedengine.Head{Epoch: 1, First: 9, Seq: 3})
		if h := c.host.ring.HeadOf(1); h.Seq != 0 {
			t.Errorf("the ring took something: %+v", h)
		}
		if n := c.host.learner.metrics.broken.Get(); n != 9 {
			t.Errorf("%d were dropped as malformed", n)
		}
	})
}

// Views that have seen what is no more are rebuilt, and their sessions told why.
func TestLearnHistoryLost(t *testing.T) {
	for _, way := range []string{"a heartbeat", "an announce", "what storage has in between"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClassroom(t, nil)
				defer c.host.Stop(context.Background())
				reader := userOf(3, 4)
				c.open(3)
				c.must(reader, feedengine.Follow{Users: []string{"author1"}})
				dev := c.attach(reader, 1, nil)
				c.learn(c.write(1, 5))
				synctest.Wait()
				if dev.n != 5 || dev.counts.Feed != 5 {
					t.Fatalf("before: %+v", dev)
				}
				c.store.restore(func(shard, n int) int { return map[int]int{1: 2}[shard] })
				c.claim(1)
				switch way {
				case "a heartbeat":
					c.host.LearnHead(1, c.owner[1])
				case "an announce":
					c.learn(c.write(1, 1))
				default:
					c.write(1, 6) // further than what was known: its number alone shows nothing
					c.claim(1)
					c.learn(c.write(1, 1))
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				c.expect(1)
				want := c.facts(reader).Feed.Total
				if dev.resets != 1 || dev.reasons[0] != feedengine.ResetHistoryLost || int(dev.counts.Feed) != want {
					t.Errorf("after: %+v, want %d unread", dev, want)
				}
				if err := c.host.Check(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What storage was asked before history was lost is not what the log is now.
func TestLearnHistoryLostWhileStorageIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClassroom(t, nil)
		defer c.host.Stop(context.Background())
		events := c.write(1, 6)
		c.learn(events[:3])
		c.store.slow = time.Second
		c.learn(events[5:]) // above a gap: storage is asked what is below
		time.Sleep(500 * time.Millisecond)
		c.store.restore(func(shard, n int) int { return map[int]int{1: 4}[shard] })
		c.claim(1)
		c.write(1, 2)
		c.beats(1, c.owner[1])
		c.expect(1)
		time.Sleep(10 * time.Second)
		c.expect(1)
		if n := c.host.learner.metrics.history.Get(); n != 1 {
			t.Errorf("history was lost %d times", n)
		}
	})
}

// open has the host serve a shard, as its node does.
func (h *harness) open(shard feedengine.ShardID) feedengine.Head {
	h.t.Helper()
	h.host.Renew(time.Now())
	h.store.mu.Lock()
	head := h.store.claim(shard)
	h.store.mu.Unlock()
	if err := h.host.Open(context.Background(), shard, head, nil); err != nil {
		h.t.Fatal(err)
	}
	return head
}

// userOf is somebody of a shard.
func userOf(shard feedengine.ShardID, shards int) string {
	for i := 0; ; i++ {
		if u := fmt.Sprint("user", i); Of(u, shards) == shard {
			return u
		}
	}
}

// Whatever becomes of announces, the ring comes to hold each log whole, and
// nothing else, soon after the last heartbeat.
func TestLearnRandom(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			c := newClassroom(t, func(o *Options) { o.Ring = 4096 })
			defer c.host.Stop(context.Background())
			var sent []func()
			for range 60 {
				shard := feedengine.ShardID(rnd.IntN(4))
				if rnd.IntN(10) == 0 {
					c.claim(shard)
				}
				events := c.write(shard, 1+rnd.IntN(5))
				h := c.owner[shard]
				for range rnd.IntN(3) { // dropped, once, or twice
					sent = append(sent, func() { c.host.Learn(shard, h.Epoch, h.First, events) })
				}
				if rnd.IntN(4) == 0 {
					sent = append(sent, func() { c.host.LearnHead(shard, h) })
				}
				if rnd.IntN(3) == 0 {
					rnd.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
					for _, send := range sent {
						send()
						if rnd.IntN(3) == 0 {
							time.Sleep(time.Duration(rnd.IntN(40)) * time.Millisecond)
						}
					}
					sent = nil
				}
			}
			for shard, h := range c.owner {
				c.beats(shard, h)
			}
			time.Sleep(2 * time.Second)
			for shard := range c.owner {
				c.expect(shard)
			}
			var whole [4][]*feedengine.Event
			if err := c.host.ring.walk(0, c.host.ring.Head(), func(e *feedengine.Event) { whole[e.Shard] = append(whole[e.Shard], e) }); err != nil {
				t.Fatal(err)
			}
			for shard := range feedengine.ShardID(4) {
				if !slices.EqualFunc(whole[shard], c.store.log(shard), func(a, b *feedengine.Event) bool { return a.ID == b.ID && a.Seq == b.Seq }) {
					t.Errorf("seed %d: log %d is in the ring with %d events of %d", seed, shard, len(whole[shard]), len(c.store.log(shard)))
				}
			}
		})
	}
}
