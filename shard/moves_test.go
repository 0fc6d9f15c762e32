package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// town is a few hosts over one store, with a bus between them that drops,
// doubles, delays and reorders, and one gate. It moves shards about as
// cluster.Node does, only worse.
type town struct {
	t      *testing.T
	store  *fakeStore
	shards int
	hosts  []*townHost
	gate   *gate
	unwell bool // the store will lose events
	done   chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex
	rnd    *rand.Rand
	calm   bool                   // nothing goes wrong any more
	down   bool                   // the store cannot be reached
	undone map[feedengine.ID]bool // events that the store came back without
	busy   map[int]bool           // shards that are being moved
	owners []int                  // by shard: who serves it, -1 nobody
	tally  map[string]int
}

type townHost struct {
	*Host
	name   string
	frozen atomic.Bool // hears and is heard of by nobody, and does not beat
}

func newTown(t *testing.T, seed uint64, hosts, shards int, tally map[string]int) *town {
	w := &town{
		t: t, store: newFakeStore(shards), shards: shards, done: make(chan struct{}),
		rnd: rand.New(rand.NewPCG(seed, 1)), busy: map[int]bool{}, undone: map[feedengine.ID]bool{}, owners: make([]int, shards), tally: tally,
		gate: newGate(rand.New(rand.NewPCG(seed, 2)), 40),
	}
	for i := range hosts {
		w.hosts = append(w.hosts, w.newHost(i))
	}
	for s := range shards {
		w.owners[s] = -1
		w.take(s, w.intn(hosts))
	}
	return w
}

func (w *town) intn(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rnd.IntN(n)
}

func (w *town) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally[what]++
}

func (w *town) newHost(i int) *townHost {
	th := &townHost{name: fmt.Sprint("n", i)}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("FEEDGATE_HOST_SEED") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("host", th.name)
	}
	h, err := NewHost(context.Background(), Options{
		Node: th.name, Store: w.store, Outlet: w.gate, Metrics: metrics.NewSet(), Log: log,
		Now:     func() time.Time { return time.Now().AddDate(30, 0, 0).Add(time.Duration(i*7) * time.Millisecond) }, // ids are of after 2024
		Cluster: true, Ring: 256, AuditEvery: 20 * time.Millisecond, Residency: 300 * time.Millisecond, Tick: 50 * time.Millisecond,
		Announce: func(shard feedengine.ShardID, epoch, first uint64, events []*feedengine.Event) {
			w.announce(i, shard, epoch, first, events)
		},
		OnLost: func(shards []feedengine.ShardID, _ error) { w.lost(i, shards) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	th.Host = h
	h.Renew(time.Now())
	return th
}

// announce carries events to the other hosts, or does not.
func (w *town) announce(from int, shard feedengine.ShardID, epoch, first uint64, events []*feedengine.Event) {
	events = slices.Clone(events)
	for i, e := range events {
		if e.Kind > feedengine.KindPostDeleted { // of no concern to other shards
			stripped := *e
			stripped.Users = nil
			events[i] = &stripped
		}
	}
	for i, h := range w.hosts {
		if i == from || h.frozen.Load() || w.hosts[from].frozen.Load() {
			continue
		}
		for range 1 + w.misfortune(30, 1) { // doubled
			if w.misfortune(15, 1) > 0 { // dropped
				continue
			}
			delay := time.Duration(w.misfortune(4, 30)) * time.Millisecond
			w.work.Go(func() {
				time.Sleep(delay)
				if !h.frozen.Load() {
					h.Learn(shard, epoch, first, events)
				}
			})
		}
	}
}

// misfortune is 0, or once in so many times up to most.
func (w *town) misfortune(once, most int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm || w.rnd.IntN(once) > 0 {
		return 0
	}
	return 1 + w.rnd.IntN(most)
}

func (w *town) lost(host int, shards []feedengine.ShardID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range shards {
		w.tally["lost"]++
		if w.owners[s] == host {
			w.owners[s] = -1
		}
	}
}

// beats is what goes on in the background: beats, heartbeats on the bus, rejoins.
func (w *town) beats() {
	for i, h := range w.hosts {
		w.work.Go(func() {
			for w.sleep(100 * time.Millisecond) {
				if h.frozen.Load() {
					continue
				}
				if !h.Renew(time.Now()) {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					if h.Confirm(ctx) == nil {
						w.count("confirmed")
					}
					cancel()
				}
				w.mu.Lock()
				down := w.down
				w.mu.Unlock()
				if down {
					h.Doubt() // the beat failed
				}
				for _, s := range h.Served() {
					for j, other := range w.hosts {
						if i != j && !other.frozen.Load() {
							other.LearnHead(s.Shard, s.Head)
						}
					}
					w.gate.serving(s.Place())
				}
			}
		})
	}
	w.work.Go(func() {
		for w.sleep(20 * time.Millisecond) {
			for s := range w.shards {
				if in, ask := w.gate.rejoin(feedengine.ShardID(s), false); ask {
					if o := w.owner(s); o >= 0 && !w.hosts[o].frozen.Load() && w.hosts[o].Rejoin(3, feedengine.ShardID(s), in) {
						w.count("rejoins")
					}
				}
			}
		}
	})
}

func (w *town) sleep(d time.Duration) bool {
	select {
	case <-w.done:
		return false
	case <-time.After(d):
		return true
	}
}

func (w *town) owner(s int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners[s]
}

func (w *town) setOwner(s, host int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners[s] = host
}

// claim claims a shard on condition of its epoch, until the store says what
// became of it.
func (w *town) claim(host int, f feedengine.Fence) (head feedengine.Head, won bool) {
	r := reclaim{store: w.store, node: w.hosts[host].name, expect: []feedengine.Fence{f}}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := r.try(ctx)
		cancel()
		if err == nil {
			return r.claimed[0].Head, r.claimed[0].Won
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// epoch is the one that stands in the store.
func (w *town) epoch(s int) uint64 {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.epochs[s]
}

// take has a host claim a shard without a state, whoever has it.
func (w *town) take(s, host int) {
	f := feedengine.Fence{Shard: feedengine.ShardID(s), Epoch: w.epoch(s)}
	if w.misfortune(2, 1) > 0 && w.owner(s) >= 0 {
		f.Epoch-- // one who comes too late
	}
	head, won := w.claim(host, f)
	if !won {
		w.count("claim lost")
		return
	}
	w.open(s, host, head, nil)
}

func (w *town) open(s, host int, head feedengine.Head, state *feedengine.Handover) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	h := w.hosts[host]
	h.Shut(feedengine.ShardID(s)) // of an earlier life
	if err := h.Open(ctx, feedengine.ShardID(s), head, state); err != nil {
		w.count("open failed")
		w.t.Logf("open %d at %s: %v", s, h.name, err)
		w.setOwner(s, -1)
		return false
	}
	w.count("opened")
	w.setOwner(s, host)
	w.gate.serving(feedengine.Place{Shard: feedengine.ShardID(s), Epoch: head.Epoch})
	return true
}

// move hands a shard from its owner to another host, if nothing comes between.
func (w *town) move(s, from, to int) {
	shard := feedengine.ShardID(s)
	patience := 5 * time.Second
	if w.intn(3) == 0 {
		patience = time.Duration(w.intn(4)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	state, place, err := w.hosts[from].HandOver(ctx, shard)
	cancel()
	if err != nil {
		w.count("handover failed")
		return
	}
	w.count("handed over")
	state, err = feedengine.DecodeHandover(feedengine.EncodeHandover(state))
	if err != nil {
		w.t.Error(err)
		return
	}
	time.Sleep(time.Duration(w.intn(50)) * time.Millisecond)
	f := feedengine.Fence{Shard: shard, Epoch: place.Epoch}
	switch w.misfortune(3, 2) {
	case 1: // the state was lost on the way, or the new owner does not answer
		w.setOwner(s, -1)
		head, won := w.claim(from, f)
		if !won {
			w.hosts[from].Shut(shard)
			return
		}
		w.resume(s, from, head)
		return
	case 2: // both try
		var both sync.WaitGroup
		both.Go(func() { w.takeOver(s, to, f, state) })
		both.Go(func() {
			if head, won := w.claim(from, f); won {
				w.count("resumed before the other")
				w.resume(s, from, head)
			} else {
				w.hosts[from].Shut(shard)
			}
		})
		both.Wait()
	default:
		if w.takeOver(s, to, f, state) {
			w.hosts[from].Shut(shard)
		}
	}
}

// resume goes on with a shard that was not taken; with another history, anew.
func (w *town) resume(s, host int, head feedengine.Head) {
	err := w.hosts[host].Resume(feedengine.ShardID(s), head)
	switch {
	case err == nil:
		w.count("resumed")
		w.setOwner(s, host)
		w.gate.serving(feedengine.Place{Shard: feedengine.ShardID(s), Epoch: head.Epoch})
	case errors.Is(err, errWentOn) && w.unwell:
		w.open(s, host, head, nil)
	default:
		w.t.Errorf("resume: %v", err)
	}
}

func (w *town) takeOver(s, to int, f feedengine.Fence, state *feedengine.Handover) bool {
	head, won := w.claim(to, f)
	if !won {
		w.count("move lost")
		return false
	}
	if w.open(s, to, head, state) {
		w.count("moved")
	}
	return true
}

// movers move shards about until told to end.
func (w *town) movers(until chan struct{}) {
	for range 2 {
		w.work.Go(func() {
			for {
				select {
				case <-until:
					return
				case <-time.After(time.Duration(w.intn(60)) * time.Millisecond):
				}
				s := w.intn(w.shards)
				if !w.hold(s) {
					continue
				}
				to := w.intn(len(w.hosts))
				switch from := w.owner(s); {
				case w.hosts[to].frozen.Load():
				case from < 0:
					w.take(s, to)
				case from == to:
				case w.hosts[from].frozen.Load() || w.intn(5) == 0:
					w.count("taken")
					w.take(s, to)
				default:
					w.move(s, from, to)
				}
				w.release(s)
			}
		})
	}
	w.work.Go(func() { // hosts freeze past their lease, and come back
		for {
			select {
			case <-until:
				return
			case <-time.After(time.Duration(w.intn(1500)) * time.Millisecond):
			}
			h := w.hosts[w.intn(len(w.hosts))]
			h.frozen.Store(true)
			time.Sleep(time.Duration(w.intn(5000)) * time.Millisecond)
			h.Doubt() // its connections are broken
			h.frozen.Store(false)
			w.count("frozen")
		}
	})
}

// disaster has the store go away once and come back without its last commits.
func (w *town) disaster() {
	w.work.Go(func() {
		w.sleep(time.Duration(w.intn(3000)) * time.Millisecond)
		w.setDown(true)
		w.sleep(time.Duration(200+w.intn(500)) * time.Millisecond)
		lost := w.store.restore(func(_, n int) int { return w.intn(min(n, 4) + 1) })
		w.mu.Lock()
		for _, e := range lost {
			w.undone[e.ID] = true
		}
		w.tally["events undone"] += len(lost)
		w.mu.Unlock()
		w.sleep(time.Duration(w.intn(300)) * time.Millisecond)
		w.setDown(false)
	})
}

func (w *town) setDown(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (w *town) hold(s int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[s] {
		return false
	}
	w.busy[s] = true
	return true
}

func (w *town) release(s int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, s)
}

var errGaveUp = feedengine.Refuse(feedengine.Unavailable, "nobody served the shard in time")

// do asks whoever serves the user's shard, as a router does: again when it is
// elsewhere, and again with the same key when there is no answer.
func (w *town) do(user string, action feedengine.Action, done func(feedengine.Result)) feedengine.Result {
	shard := int(Of(user, w.shards))
	if do, ok := action.(feedengine.Delete); ok {
		shard = int(do.Post.Shard())
	}
	key := fmt.Sprint("internal", w.intn(1<<62))
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		o := w.owner(shard)
		if o < 0 || w.hosts[o].frozen.Load() {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		got := make(chan feedengine.Result, 1)
		w.hosts[o].SubmitFrom(3, key, feedengine.Request{User: user, Do: action, Done: func(r feedengine.Result) {
			if done != nil && r.Err == nil {
				done(r)
			}
			got <- r
		}})
		r := <-got
		if r.Err == feedengine.ErrElsewhere {
			w.count("elsewhere")
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if _, write := action.(feedengine.Publish); write && r.Err == nil && w.misfortune(10, 1) > 0 {
			w.count("asked again") // the answer got lost
			continue
		}
		return r
	}
	w.count("gave up")
	return feedengine.Result{Err: errGaveUp}
}

// TestHostsMoveShards lets users act on a cluster whose shards change owners all
// the time, through a bus and a store that fail in every way, and compares at the
// end what every device shows with a recount of the logs.
func TestHostsMoveShards(t *testing.T) {
	seeds, first := 25, uint64(1)
	if s := os.Getenv("FEEDGATE_HOST_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("FEEDGATE_HOST_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		seeds = 1
	}
	tally := map[string]int{}
	for seed := first; seed < first+uint64(seeds); seed++ {
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { moveAbout(t, seed, tally) })
		}) {
			t.Fatalf("run it alone with FEEDGATE_HOST_SEED=%d", seed)
		}
	}
	t.Log(tally)
	if seeds < 10 {
		return
	}
	for _, want := range []string{"moved", "taken", "resumed", "resumed before the other", "move lost", "claim lost", "handover failed",
		"lost", "confirmed", "frozen", "elsewhere", "asked again", "rejoins", "gaps", "repairs", "history lost", "stale dropped", "deliveries lost"} {
		if tally[want] == 0 {
			t.Errorf("%q did not come up: %v", want, tally)
		}
	}
}

func moveAbout(t *testing.T, seed uint64, tally map[string]int) {
	w := newTown(t, seed, 2+int(seed%2), 4, tally)
	w.store.slow = time.Millisecond
	faults := []fault{faultUnavailable, faultCommitted, faultNotCommitted, faultGhost}
	w.store.setFail(func(call string) fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case w.down:
			return faultUnavailable
		case w.rnd.IntN(15) > 0:
			return works
		}
		return faults[w.rnd.IntN(len(faults))]
	})
	w.beats()
	if w.unwell = seed%3 == 0; w.unwell {
		w.disaster()
	}
	until := make(chan struct{})
	w.movers(until)

	const users, steps = 6, 80
	name := func(i int) string { return "user" + strconv.Itoa(i) }
	var mu sync.Mutex
	var lastSession feedengine.SessionID
	acked := map[feedengine.ID]*feedengine.Post{}
	var acting sync.WaitGroup
	for u := range users {
		acting.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 100+uint64(u)))
			me := name(u)
			var mine []feedengine.SessionID
			var posts []feedengine.ID
			for range steps {
				time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
				switch rnd.IntN(10) {
				case 0, 1, 2, 3:
					if r := w.do(me, feedengine.Publish{Text: "x", Kind: "post"}, nil); r.Err == nil {
						posts = append(posts, r.Post.ID)
						mu.Lock()
						acked[r.Post.ID] = r.Post
						mu.Unlock()
					}
				case 4:
					if other := rnd.IntN(users); other != u {
						w.do(me, feedengine.Follow{Users: []string{name(other)}}, nil)
					}
				case 5:
					if rnd.IntN(3) == 0 {
						w.do(me, feedengine.Unfollow{Users: []string{name(rnd.IntN(users))}}, nil)
					}
				case 6:
					if len(posts) > 0 {
						i := rnd.IntN(len(posts))
						r := w.do(me, feedengine.Delete{Post: posts[i]}, nil)
						if r.Err != nil && r.Err.Code == feedengine.NotFound && !w.unwell {
							t.Errorf("%s: a post was deleted by nobody", me)
						}
						if r.Err == nil {
							posts = slices.Delete(posts, i, i+1)
						} else {
							posts = nil // perhaps it is gone
						}
					}
				case 7:
					if len(posts) > 0 {
						w.do(me, feedengine.Read{Of: feedengine.ListFeed, Upto: posts[rnd.IntN(len(posts))]}, nil)
					}
				case 8:
					mu.Lock()
					lastSession++
					m := &member{user: me, shard: Of(me, w.shards), session: lastSession}
					mu.Unlock()
					r := w.do(me, feedengine.Attach{Session: m.session}, func(r feedengine.Result) { w.gate.attached(m, r) })
					if r.Err == nil {
						mine = append(mine, m.session)
						w.gate.mu.Lock()
						m.since = w.newest()
						w.gate.mu.Unlock()
					}
				case 9:
					if len(mine) > 1 {
						w.gate.detached(mine[0])
						w.do(me, feedengine.Detach{Session: mine[0]}, nil)
						mine = mine[1:]
					}
				}
			}
		})
	}
	acting.Wait()
	close(until)
	w.settle()
	w.judge(acked)
	close(w.done)
	w.work.Wait()
	for _, h := range w.hosts {
		if err := h.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// newest is the greatest id that any host has given out.
func (w *town) newest() (id feedengine.ID) {
	for _, h := range w.hosts {
		id = max(id, h.clock.Next().ID(0))
	}
	return id
}

// settle lets everything come to an end: all shards served, nothing on the way.
func (w *town) settle() {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	w.store.setFail(nil)
	w.gate.mu.Lock()
	w.gate.loses = 0
	w.gate.mu.Unlock()
	time.Sleep(6 * time.Second) // what is frozen has come back, moves have ended
	for s := range w.shards {
		for i := 0; w.owner(s) < 0; i++ {
			if i == 100 {
				w.t.Fatalf("shard %d is served by nobody", s)
			}
			w.take(s, w.intn(len(w.hosts)))
		}
	}
	for s := range w.shards { // tails that got lost silently are found by a heartbeat
		in, ask := w.gate.rejoin(feedengine.ShardID(s), true)
		if ask && !w.hosts[w.owner(s)].Rejoin(3, feedengine.ShardID(s), in) {
			w.t.Errorf("shard %d took no rejoin", s)
		}
	}
	time.Sleep(3 * time.Second)
	synctest.Wait()
}

// judge compares what everybody saw with the facts.
func (w *town) judge(acked map[feedengine.ID]*feedengine.Post) {
	t := w.t
	for _, d := range w.store.defects {
		t.Error("the store was misused: ", d)
	}
	for i, h := range w.hosts {
		if err := h.Check(); err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
		if n := h.metrics.drift.Get(); n > 0 {
			t.Errorf("%s: %d audits found drift", h.name, n)
		}
		for s := range w.shards {
			head := h.ring.HeadOf(feedengine.ShardID(s))
			w.store.mu.Lock()
			want := w.store.head(feedengine.ShardID(s), 0)
			w.store.mu.Unlock()
			if head.Seq != want.Seq || head.ID != want.ID {
				t.Errorf("%s: log %d is known up to %d (epoch %d), and stands at %d (epoch %d)", h.name, s, head.Seq, head.Epoch, want.Seq, want.Epoch)
			}
			if served := h.serves(feedengine.ShardID(s)) != nil; served != (w.owner(s) == i) {
				t.Errorf("%s: shard %d is served: %v, owner %d", h.name, s, served, w.owner(s))
			}
		}
		w.tally["gaps"] += int(h.learner.metrics.gaps.Get())
		w.tally["repairs"] += int(h.learner.metrics.repairs.Get())
		w.tally["history lost"] += int(h.learner.metrics.history.Get())
		w.tally["unserved"] += int(h.metrics.unserved.Get())
	}
	logs := map[feedengine.ID]int{}
	for s := range w.shards {
		for i, ev := range w.store.log(feedengine.ShardID(s)) {
			logs[ev.ID]++
			if ev.Kind == feedengine.KindPostDeleted {
				delete(acked, ev.Target) // whoever lacked it was sent a void
			}
			if ev.Seq != uint64(i+1) {
				t.Errorf("log %d has seq %d at place %d", s, ev.Seq, i+1)
			}
		}
	}
	for id := range w.undone {
		delete(acked, id)
	}
	for id := range acked {
		if logs[id] != 1 {
			t.Errorf("an acknowledged post stands %d times in the log", logs[id])
		}
	}
	w.gate.mu.Lock()
	w.tally["stale dropped"] += w.gate.stale
	w.tally["deliveries lost"] += w.gate.lost
	for _, f := range w.gate.faults {
		t.Error(f)
	}
	w.gate.mu.Unlock()
	w.gate.mu.Lock()
	members := slices.Collect(maps.Values(w.gate.by))
	w.gate.mu.Unlock()
	for _, m := range members {
		w.judgeMember(m, acked)
	}
}

func (w *town) judgeMember(m *member, acked map[feedengine.ID]*feedengine.Post) {
	t := w.t
	snap, err := w.store.Load(context.Background(), []feedengine.LoadUser{{User: m.user}}, feedengine.MaxUnread)
	if err != nil {
		t.Fatal(err)
	}
	facts := snap.Users[0]
	got := w.do(m.user, feedengine.Unread{}, nil)
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	switch {
	case m.lacking:
		t.Errorf("%s: session %d still lacks something at %d", m.user, m.session, m.n)
	case got.Err != nil:
		t.Errorf("%s: %v", m.user, got.Err)
	case int(got.Counts.Feed) != facts.Feed.Total || got.Counts != m.counts || got.Stream != m.stream:
		t.Errorf("%s: counters %+v of %v, device shows %+v of %v, the facts say %d", m.user, got.Counts, got.Stream, m.counts, m.stream, facts.Feed.Total)
	}
	for id, n := range m.posts {
		if n != 1 {
			t.Errorf("%s: post %d came %d times", m.user, id, n)
		}
		if w.undone[id] && !m.blind {
			t.Errorf("%s: post %d is no more, and the device was not told", m.user, id)
		}
	}
	if m.blind {
		w.tally["devices told of a reset"]++
		return
	}
	w.tally["devices that saw all"]++
	for _, edge := range facts.Follows {
		for id, post := range acked {
			if post.Author == edge.Author && id > edge.Since && id > m.since && m.posts[id] != 1 {
				t.Errorf("%s: post %d came %d times", m.user, id, m.posts[id])
			}
		}
	}
}
