package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// device is a client as an app would be: it keeps its stream and what it saw.
type device struct {
	user    string
	session feedengine.SessionID
	stream  feedengine.StreamID
	n       uint64
	counts  feedengine.Counts
	posts   map[feedengine.ID]int // how often each came as an event
	gone    map[feedengine.ID]bool
	since   feedengine.ID // posts up to here may have come before it was attached
	resets  int
	reasons []feedengine.ResetReason
	faults  []string
}

// devices is an outlet of devices.
type devices struct {
	mu sync.Mutex
	by map[feedengine.SessionID]*device
}

func (d *devices) Deliver(_ feedengine.Place, _ feedengine.GatewayID, del feedengine.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, to := range del.To {
		dev := d.by[to.Session]
		if dev == nil {
			panic(fmt.Sprintf("delivery to session %d, which was never attached", to.Session))
		}
		if to.Counts.V >= dev.counts.V {
			dev.counts = to.Counts
		}
		if del.Event == nil {
			continue
		}
		if to.N != dev.n+1 {
			dev.faults = append(dev.faults, fmt.Sprintf("n %d after %d", to.N, dev.n))
		}
		dev.n = to.N
		switch del.Event.Kind {
		case feedengine.KindPost:
			dev.posts[del.Event.ID]++
		case feedengine.KindPostDeleted:
			dev.gone[del.Event.Target] = true
		}
	}
}

func (d *devices) Reset(_ feedengine.Place, _ feedengine.GatewayID, r feedengine.Reset) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := d.by[r.Session]
	if r.Reason == feedengine.Rejoined {
		return
	}
	dev.stream, dev.n, dev.counts = r.Stream, r.N, r.Counts
	dev.resets++
	dev.reasons = append(dev.reasons, r.Reason)
}

func (d *devices) attached(dev *device, r feedengine.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Resumed {
		dev.n = r.N - uint64(r.Replay)
	} else {
		dev.n = r.N
	}
	dev.stream, dev.counts = r.Stream, r.Counts
	d.by[dev.session] = dev
}

type harness struct {
	t       testing.TB
	store   *fakeStore
	host    *Host
	outlet  *devices
	metrics *metrics.Set
}

func newHarness(t testing.TB, shards int, change func(*Options)) *harness {
	t.Helper()
	h := &harness{t: t, store: newFakeStore(shards), outlet: &devices{by: map[feedengine.SessionID]*device{}}}
	h.start(change)
	return h
}

func (h *harness) start(change func(*Options)) {
	h.t.Helper()
	h.metrics = metrics.NewSet()
	o := Options{Node: "test", Store: h.store, Outlet: h.outlet, Metrics: h.metrics, Ring: 1024,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&o)
	}
	host, err := NewHost(context.Background(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.host = host
}

func (s *fakeStore) Shards() int { return len(s.logs) }

// do asks and waits for the answer.
func (h *harness) do(user string, action feedengine.Action) feedengine.Result {
	got := make(chan feedengine.Result, 1)
	h.host.Submit(feedengine.Request{User: user, Do: action, Done: func(r feedengine.Result) { got <- r }})
	return <-got
}

func (h *harness) must(user string, action feedengine.Action) feedengine.Result {
	h.t.Helper()
	r := h.do(user, action)
	if r.Err != nil {
		h.t.Fatalf("%s: %T: %v", user, action, r.Err)
	}
	return r
}

func (h *harness) attach(user string, session feedengine.SessionID, resume *feedengine.Resume) *device {
	h.t.Helper()
	dev := &device{user: user, session: session, posts: map[feedengine.ID]int{}, gone: map[feedengine.ID]bool{}}
	got := make(chan feedengine.Result, 1)
	h.host.Submit(feedengine.Request{User: user, Do: feedengine.Attach{Session: session, Resume: resume},
		Done: func(r feedengine.Result) {
			if r.Err == nil {
				h.outlet.attached(dev, r)
			}
			got <- r
		}})
	if r := <-got; r.Err != nil {
		return nil
	}
	dev.since = h.host.clock.Next().ID(0)
	return dev
}

// facts recounts a user from the logs.
func (h *harness) facts(user string) feedengine.LoadedUser {
	h.t.Helper()
	h.store.setFail(nil)
	snap, err := h.store.Load(context.Background(), []feedengine.LoadUser{{User: user}}, feedengine.MaxUnread)
	if err != nil {
		h.t.Fatal(err)
	}
	return snap.Users[0]
}

func TestHostCarriesPostsToFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8, nil)
		defer h.host.Stop(context.Background())

		h.must("bob", feedengine.Follow{Users: []string{"alice"}})
		phone, laptop := h.attach("bob", 1, nil), h.attach("bob", 2, nil)
		post := h.must("alice", feedengine.Publish{Text: "hello", Kind: "post"}).Post
		synctest.Wait()
		for _, dev := range []*device{phone, laptop} {
			if dev.posts[post.ID] != 1 || dev.counts.Feed != 1 || dev.n != 1 {
				t.Fatalf("%+v after the post", dev)
			}
		}

		// Whoever was told that a post is durable finds it counted.
		if r := h.must("bob", feedengine.Unread{}); r.Counts.Feed != 1 || r.Stream != phone.stream {
			t.Fatalf("unread: %+v", r)
		}
		if r := h.must("bob", feedengine.Read{Of: feedengine.ListFeed, Upto: feedengine.MaxID}); r.Counts.Feed != 0 || r.Upto < post.ID {
			t.Fatalf("read: %+v", r)
		}
		synctest.Wait()
		if laptop.counts.Feed != 0 || laptop.n != 2 {
			t.Fatalf("the other device after the read: %+v", laptop)
		}

		// A mark from the future was taken as now: what comes later counts.
		second := h.must("alice", feedengine.Publish{Text: "again", Kind: "post"}).Post
		if r := h.must("bob", feedengine.Unread{}); r.Counts.Feed != 1 {
			t.Fatalf("unread after the second post: %+v", r)
		}
		h.must("alice", feedengine.Delete{Post: second.ID})
		synctest.Wait()
		if phone.counts.Feed != 0 || !phone.gone[second.ID] {
			t.Fatalf("after the deletion: %+v", phone)
		}
		if err := h.host.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestHostRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8, nil)
		defer h.host.Stop(context.Background())
		post := h.must("alice", feedengine.Publish{Text: "hello", Kind: "post"}).Post

		many := make([]string, MaxFollowing)
		for i := range many {
			many[i] = "u" + strconv.Itoa(i)
		}
		h.must("greedy", feedengine.Follow{Users: many})

		for _, c := range []struct {
			name, user string
			do         feedengine.Action
			want       feedengine.Code
		}{
			{"somebody else's post", "bob", feedengine.Delete{Post: post.ID}, feedengine.Forbidden},
			{"no such post", "bob", feedengine.Delete{Post: post.ID + 1<<22}, feedengine.NotFound},
			{"no such shard", "bob", feedengine.Delete{Post: feedengine.Tick(1).ID(900)}, feedengine.NotFound},
			{"too many followed", "greedy", feedengine.Follow{Users: []string{"one more"}}, feedengine.Conflict},
			{"sync without a session", "bob", feedengine.Sync{Session: 99, N: 1}, feedengine.Unavailable},
			{"no list of that name", "bob", feedengine.Read{Of: 9, Upto: 1}, feedengine.BadRequest},
		} {
			if r := h.do(c.user, c.do); r.Err == nil || r.Err.Code != c.want {
				t.Errorf("%s: %+v, want %s", c.name, r, c.want)
			}
		}
		h.must("alice", feedengine.Delete{Post: post.ID})
		if r := h.do("alice", feedengine.Delete{Post: post.ID}); r.Err == nil || r.Err.Code != feedengine.NotFound {
			t.Errorf("second deletion: %+v", r)
		}
		past := feedengine.Request{User: "bob", Do: feedengine.Unread{}, Deadline: time.Now().Add(-time.Second)}
		past.Done = func(r feedengine.Result) {
			if r.Err == nil || r.Err.Code != feedengine.Unavailable {
				t.Errorf("past its deadline: %+v", r)
			}
		}
		h.host.Submit(past)
		synctest.Wait()
	})
}

func TestHostKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		first := h.must("alice", feedengine.Publish{Text: "once", Kind: "post", Key: "k"}).Post
		again := h.must("alice", feedengine.Publish{Text: "once", Kind: "post", Key: "k"}).Post
		if *again != *first {
			t.Errorf("the same key gave %+v, then %+v", first, again)
		}
		if r := h.do("alice", feedengine.Publish{Text: "twice", Kind: "post", Key: "k"}); r.Err == nil || r.Err.Code != feedengine.Conflict {
			t.Errorf("the same key with other content: %+v", r)
		}
		if other := h.must("bob", feedengine.Publish{Text: "once", Kind: "post", Key: "k"}).Post; other.ID == first.ID {
			t.Error("keys of two users are one")
		}
	})
}

// Following twice at once must leave one edge, and both must be told of it.
func TestHostConcurrentFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		h.store.slow = 10 * time.Millisecond
		var got [8]feedengine.Result
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() { got[i] = h.do("bob", feedengine.Follow{Users: []string{"alice"}}) })
		}
		wg.Wait()
		for _, r := range got {
			if r.Err != nil || r.Since == 0 || r.Since != got[0].Since {
				t.Errorf("follows: %+v and %+v", got[0], r)
			}
		}
		if n := len(h.store.log(Of("bob", 4))); n != 1 {
			t.Errorf("%d follow events", n)
		}
	})
}

func TestHostResumesAcrossAViewThatStayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		h.must("bob", feedengine.Follow{Users: []string{"alice"}})
		dev := h.attach("bob", 1, nil)
		h.must("bob", feedengine.Detach{Session: 1})
		loads := h.store.count("load")
		post := h.must("alice", feedengine.Publish{Text: "while away", Kind: "post"}).Post
		back := h.attach("bob", 2, &feedengine.Resume{Stream: dev.stream, N: dev.n})
		synctest.Wait()
		if back.posts[post.ID] != 1 || back.n != 1 {
			t.Fatalf("after resuming: %+v", back)
		}
		if n := h.store.count("load") - loads; n != 0 {
			t.Errorf("the resume cost %d queries", n)
		}
		h.must("bob", feedengine.Detach{Session: 2})
		time.Sleep(11 * time.Minute)
		if s := h.host.State(); sumOf(s, func(s ShardState) int64 { return s.Residents }) != 0 {
			t.Error("a view stayed longer than its residency")
		}
	})
}

// TestHostEvictsOverBudget: with the process over its budget, idle views leave
// long before their time, and those with sessions stay.
func TestHostEvictsOverBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var over atomic.Bool
		h := newHarness(t, 4, func(o *Options) { o.OverBudget = over.Load })
		defer h.host.Stop(context.Background())
		residents := func() int64 {
			return sumOf(h.host.State(), func(s ShardState) int64 { return s.Residents })
		}
		h.attach("here", 1, nil)
		for i := range 20 {
			user, session := fmt.Sprint("gone", i), feedengine.SessionID(10+i)
			h.attach(user, session, nil)
			h.must(user, feedengine.Detach{Session: session})
		}
		time.Sleep(30 * time.Second)
		if n := residents(); n != 21 {
			t.Fatalf("%d of 21 views are there", n)
		}
		over.Store(true)
		time.Sleep(30 * time.Second)
		if n := residents(); n != 1 {
			t.Errorf("%d views are there, want the one with a session", n)
		}
	})
}

func sumOf(s State, of func(ShardState) int64) (n int64) {
	for _, sh := range s.Shards {
		n += of(sh)
	}
	return n
}

func TestHostToldThatItsShardsAreAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		h.store.claimAll()
		if r := h.do("alice", feedengine.Publish{Text: "late", Kind: "post"}); r.Err == nil || r.Err.Code != feedengine.Unavailable {
			t.Fatalf("a fenced node answered %+v", r)
		}
		if err := <-h.host.Lost(); !errors.Is(err, feedengine.ErrFenced) {
			t.Fatalf("lost: %v", err)
		}
	})
}

// A node that has nothing to write finds out all the same.
func TestHostIdleFindsOutThatItsShardsAreAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		time.Sleep(10 * time.Second)
		select {
		case err := <-h.host.Lost():
			t.Fatalf("lost for nothing: %v", err)
		default:
		}
		h.store.claimAll()
		if err := <-h.host.Lost(); !errors.Is(err, feedengine.ErrFenced) {
			t.Fatalf("lost: %v", err)
		}
	})
}

// A confirmation whose outcome is unknown is no reason to claim a shard.
func TestHostConfirmationsClaimNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		defer h.host.Stop(context.Background())
		h.store.setFail(func(call string) fault {
			if call == "append" {
				return faultNotCommitted
			}
			return works
		})
		time.Sleep(10 * time.Second)
		h.store.setFail(nil)
		if n := h.store.count("claim"); n != 1 {
			t.Errorf("%d claims", n)
		}
	})
}

func TestHostStopFinishesWhatItTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 4, nil)
		h.store.slow = 50 * time.Millisecond
		var answered, durable sync.Map
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Add(1)
			h.host.Submit(feedengine.Request{User: "u" + strconv.Itoa(i), Do: feedengine.Publish{Text: "x", Kind: "post"},
				Done: func(r feedengine.Result) {
					defer wg.Done()
					answered.Store(i, true)
					if r.Err == nil {
						durable.Store(r.Post.ID, true)
					}
				}})
		}
		if err := h.host.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		stored := 0
		for s := range 4 {
			for _, ev := range h.store.log(feedengine.ShardID(s)) {
				stored++
				if _, ok := durable.Load(ev.ID); !ok {
					t.Errorf("event %d is stored, but its author was refused", ev.ID)
				}
			}
		}
		if r := h.do("late", feedengine.Unread{}); r.Err != errStopped {
			t.Errorf("after Stop: %+v", r)
		}
		t.Logf("%d of 200 were taken before the stop", stored)
	})
}

// hold stops the user's shard until the returned function is called.
func (h *harness) hold(user string) (release func()) {
	stuck, free := make(chan struct{}), make(chan struct{})
	a := h.host.actors[Of(user, len(h.host.actors))].Load()
	go a.post(inspect{func(*actor) { close(stuck); <-free }, make(chan struct{})})
	<-stuck
	return func() { close(free) }
}

// A post that commits between a follow's id and the follow's commit came after
// the follow: it counts.
func TestHostFollowTakesInWhatItPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8, nil)
		defer h.host.Stop(context.Background())
		dev := h.attach("bob", 1, nil)
		before := h.must("alice", feedengine.Publish{Text: "before", Kind: "post"}).Post

		a := h.host.actors[Of("bob", 8)].Load()
		ev := &feedengine.Event{Kind: feedengine.KindFollow, Actor: "bob", Users: []string{"alice"}}
		h.host.inspect(func(at *actor) {
			if at == a {
				from := h.host.ring.Head()
				ev.ID = h.host.clock.Next().ID(a.shard)
				a.follows[ev.ID] = from
			}
		})
		kept := h.must("alice", feedengine.Publish{Text: "kept", Kind: "post"}).Post
		gone := h.must("alice", feedengine.Publish{Text: "gone", Kind: "post"}).Post
		h.must("alice", feedengine.Delete{Post: gone.ID})

		done := make(chan feedengine.Result, 1)
		m := asked{Request: feedengine.Request{User: "bob", Done: func(r feedengine.Result) { done <- r }}}
		a.post(checked{m, func() {
			a.write(m, ev, nil, func(Outcome) feedengine.Result { return feedengine.Result{} })
		}})
		<-done
		synctest.Wait()
		if dev.counts.Feed != 1 || dev.posts[kept.ID] != 1 || dev.posts[before.ID] != 0 {
			t.Fatalf("after the follow: %+v", dev)
		}
		if facts := h.facts("bob"); facts.Feed.Total != 1 {
			t.Fatalf("the facts say %d", facts.Feed.Total)
		}
	})
}

// Whoever was told that a post is durable finds it counted, however busy the
// follower's shard was.
func TestHostAnswersAreNewerThanAcknowledgedPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8, nil)
		defer h.host.Stop(context.Background())
		h.must("bob", feedengine.Follow{Users: []string{"alice"}})
		h.must("bob", feedengine.Unread{})
		for i := range uint32(50) {
			release := h.hold("bob")
			got := make(chan feedengine.Result, 1)
			h.must("alice", feedengine.Publish{Text: "x", Kind: "post"})
			h.host.Submit(feedengine.Request{User: "bob", Do: feedengine.Unread{}, Done: func(r feedengine.Result) { got <- r }})
			release()
			if r := <-got; r.Counts.Feed != i+1 {
				t.Fatalf("%d posts are durable, %d counted", i+1, r.Counts.Feed)
			}
		}
	})
}

// A detach finds its way although the mailbox is full.
func TestHostNeverRefusesADetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 1, nil)
		defer h.host.Stop(context.Background())
		h.attach("bob", 1, nil)
		release := h.hold("bob")
		busy := 0
		for range mailboxSize + 10 {
			h.host.Submit(feedengine.Request{User: "bob", Do: feedengine.Unread{}, Done: func(r feedengine.Result) {
				if r.Err == errBusy {
					busy++
				}
			}})
		}
		gone := make(chan feedengine.Result, 1)
		h.host.Submit(feedengine.Request{User: "bob", Do: feedengine.Detach{Session: 1}, Done: func(r feedengine.Result) { gone <- r }})
		release()
		if r := <-gone; r.Err != nil || busy != 10 {
			t.Fatalf("detach: %+v; %d requests refused", r, busy)
		}
		synctest.Wait()
		if n := h.host.actors[0].Load().engine.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions are attached", n)
		}
	})
}

// A shard whose ring is too small for what happens rebuilds its views, and
// says so to its sessions; nothing stays wrong.
func TestHostFallsBehindTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 2, func(o *Options) { o.Ring = 4 })
		defer h.host.Stop(context.Background())
		h.must("bob", feedengine.Follow{Users: []string{"alice"}})
		dev := h.attach("bob", 1, nil)
		release := h.hold("bob")
		events := make([]*feedengine.Event, 0, 20)
		author := Of("alice", 2)
		seq := uint64(len(h.store.log(author)))
		for range 20 {
			seq++
			id := h.host.clock.Next().ID(author)
			events = append(events, &feedengine.Event{Shard: author, Epoch: 1, Seq: seq, ID: id, Kind: feedengine.KindPost, Actor: "alice",
				Post: &feedengine.Post{ID: id, Author: "alice", Kind: "post", Text: "x"}})
		}
		h.store.mu.Lock()
		h.store.logs[author] = append(h.store.logs[author], events...)
		h.store.mu.Unlock()
		h.host.ring.Append(events)
		release()
		time.Sleep(100 * time.Millisecond) // in which the loader gathers
		synctest.Wait()
		if dev.resets != 1 || dev.counts.Feed != 20 {
			t.Fatalf("after falling behind: %+v", dev)
		}
		if err := h.host.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestHostRandom lets users act at random on a store that fails in every way,
// and compares at the end what every device shows with a recount of the logs.
func TestHostRandom(t *testing.T) {
	seeds := 60
	if s := os.Getenv("FEEDGATE_HOST_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	first := uint64(1)
	if s := os.Getenv("FEEDGATE_HOST_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		seeds = 1
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runRandom(t, seed) })
		}) {
			t.Fatalf("run it alone with FEEDGATE_HOST_SEED=%d", seed)
		}
	}
}

func runRandom(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	h := newHarness(t, 1+rnd.IntN(8), func(o *Options) {
		o.AuditEvery = 20 * time.Millisecond
		o.Residency = 300 * time.Millisecond
		o.Tick = 50 * time.Millisecond
	})
	h.store.slow = 2 * time.Millisecond
	var mu sync.Mutex
	faults := []fault{faultUnavailable, faultCommitted, faultNotCommitted, faultGhost}
	h.store.setFail(func(call string) fault {
		mu.Lock()
		defer mu.Unlock()
		if rnd.IntN(12) > 0 {
			return works
		}
		return faults[rnd.IntN(len(faults))]
	})

	const users, steps = 6, 60
	name := func(i int) string { return "user" + strconv.Itoa(i) }
	var sessions sync.Mutex
	lastSession := feedengine.SessionID(0)
	attached := map[*device]bool{}
	acked := map[feedengine.ID]*feedengine.Post{}
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 100+uint64(u)))
			me := name(u)
			var devs []*device
			var posts []feedengine.ID
			for range steps {
				time.Sleep(time.Duration(rnd.IntN(8)) * time.Millisecond)
				switch rnd.IntN(10) {
				case 0, 1, 2:
					if r := h.do(me, feedengine.Publish{Text: "x", Kind: "post"}); r.Err == nil {
						posts = append(posts, r.Post.ID)
						sessions.Lock()
						acked[r.Post.ID] = r.Post
						sessions.Unlock()
					}
				case 3, 4:
					other := rnd.IntN(users)
					if other != u {
						h.do(me, feedengine.Follow{Users: []string{name(other), "nobody" + strconv.Itoa(other)}})
					}
				case 5:
					h.do(me, feedengine.Unfollow{Users: []string{name(rnd.IntN(users))}})
				case 6:
					if len(posts) > 0 {
						h.do(me, feedengine.Delete{Post: posts[rnd.IntN(len(posts))]})
					}
				case 7:
					upto := h.host.clock.Now().ID(0) - feedengine.ID(rnd.Int64N(1<<31))
					h.do(me, feedengine.Read{Of: feedengine.ListFeed, Upto: upto})
				case 8:
					sessions.Lock()
					lastSession++
					id := lastSession
					sessions.Unlock()
					if dev := h.attach(me, id, nil); dev != nil {
						devs = append(devs, dev)
						sessions.Lock()
						attached[dev] = true
						sessions.Unlock()
					}
				case 9:
					if len(devs) > 0 {
						dev := devs[0]
						devs = devs[1:]
						h.must(me, feedengine.Detach{Session: dev.session})
						sessions.Lock()
						delete(attached, dev)
						sessions.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
	h.store.setFail(nil)
	time.Sleep(2 * time.Second)
	synctest.Wait()

	if err := h.host.Check(); err != nil {
		t.Error(err)
	}
	for _, d := range h.store.defects {
		t.Error("the store was misused: ", d)
	}
	if n := h.host.metrics.drift.Get(); n > 0 {
		t.Errorf("%d audits found drift", n)
	}
	logs := map[feedengine.ID]int{}
	for s := range h.store.logs {
		for _, ev := range h.store.log(feedengine.ShardID(s)) {
			logs[ev.ID]++
		}
	}
	for id := range acked {
		if logs[id] != 1 {
			t.Errorf("an acknowledged post stands %d times in the log", logs[id])
		}
	}
	for dev := range attached {
		facts := h.facts(dev.user)
		if got := h.must(dev.user, feedengine.Unread{}); int(got.Counts.Feed) != facts.Feed.Total || got.Counts != dev.counts {
			t.Errorf("%s: counters %+v, device shows %+v, the facts say %d", dev.user, got.Counts, dev.counts, facts.Feed.Total)
		}
		for _, f := range dev.faults {
			t.Errorf("%s: %s", dev.user, f)
		}
		for id, n := range dev.posts {
			if n != 1 {
				t.Errorf("%s: post %d came %d times", dev.user, id, n)
			}
		}
		for _, edge := range facts.Follows {
			for id, post := range acked {
				if post.Author == edge.Author && id > edge.Since && id > dev.since && dev.posts[id] != 1 && dev.resets == 0 {
					t.Errorf("%s: post %d came %d times", dev.user, id, dev.posts[id])
				}
			}
		}
	}
	if err := h.host.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
