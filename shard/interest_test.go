package shard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func TestSketchHasWhatWasPut(t *testing.T) {
	s := make(sketch, leastSketch)
	put, fresh := 0, 0
	for ; fresh < len(s)*64/sketchFull; put++ {
		if s.put(hashOf("in" + strconv.Itoa(put))) {
			fresh++
		}
	}
	for i := range put {
		if !s.has(hashOf("in" + strconv.Itoa(i))) {
			t.Fatalf("%d is missing", i)
		}
	}
	wrong := 0
	for i := range 10_000 {
		if s.has(hashOf("out" + strconv.Itoa(i))) {
			wrong++
		}
	}
	if wrong < 1000 || wrong > 1500 { // one in eight, when it is full
		t.Errorf("a full one takes %d of 10000 others for its own", wrong)
	}
}

func TestRingWakesForWhatIsWanted(t *testing.T) {
	r := NewRing(64, 3)
	f := ringFeed{heads: make([]feedengine.Head, 3)}
	wake := make(chan struct{}, 1)
	in := newInterest(0)
	r.Subscribe(wake, in)
	// As in life, those who do something live in other shards than this one, 0, but for
	// who does it in its log.
	home := func(shard feedengine.ShardID, name string) string {
		for Of(name, 3) != shard {
			name += "x"
		}
		return name
	}
	alice, zoe := home(1, "alice"), home(1, "zoe")
	in.follow(alice)
	next := func(log feedengine.ShardID, kind feedengine.EventKind, actor string, users ...string) *feedengine.Event {
		ev := f.next(log)
		ev.Kind, ev.Actor, ev.Users = kind, actor, users
		return ev
	}
	woken := func(events ...*feedengine.Event) bool {
		r.Append(events)
		select {
		case <-wake:
			if in.due.Load() != r.Head() {
				t.Errorf("woken for what is up to %d, and told %d", r.Head(), in.due.Load())
			}
			return true
		default:
			return false
		}
	}
	for _, c := range []struct {
		what  string
		log   feedengine.ShardID
		kind  feedengine.EventKind
		actor string
		want  bool
	}{
		{"a post of who is followed", 1, feedengine.KindPost, alice, true},
		{"a deletion of theirs", 1, feedengine.KindPostDeleted, alice, true},
		{"a post of another", 1, feedengine.KindPost, zoe, false},
		{"whom somebody elsewhere follows", 2, feedengine.KindFollow, alice, false},
		{"whom somebody elsewhere unfollows", 2, feedengine.KindUnfollow, alice, false},
		{"a post in the own log", 0, feedengine.KindPost, zoe, true},
		{"a follow in the own log", 0, feedengine.KindFollow, zoe, true},
		{"a like of what others wrote", 1, feedengine.KindLike, zoe, false},
		{"a kind that nobody has heard of", 1, feedengine.EventKind(200), zoe, true},
	} {
		if got := woken(next(c.log, c.kind, c.actor)); got != c.want {
			t.Errorf("%s: woken %v, want %v", c.what, got, c.want)
		}
	}
	if !woken(next(1, feedengine.KindPost, zoe, home(2, "carol"), home(0, "bob"))) {
		t.Error("not woken for a post that mentions somebody here")
	}
	if woken(next(1, feedengine.KindMessage, zoe, zoe, home(2, "carol"))) || !woken(next(1, feedengine.KindMessage, zoe, zoe, home(0, "bob"))) {
		t.Error("want to be woken for messages to somebody here, and for no others")
	}
	if !woken(next(1, feedengine.KindPost, zoe), next(1, feedengine.KindPost, alice)) {
		t.Error("not woken for the second of two")
	}
	in.all.Store(true)
	if !woken(next(1, feedengine.KindPost, zoe)) || !woken(next(1, feedengine.KindFollow, zoe)) {
		t.Error("not woken for everything while loads wait")
	}
	in.all.Store(false)
	if r.Jump(2, feedengine.Head{Epoch: 1, First: 1, Seq: 99, ID: 1 << 40}, false); len(wake) != 1 {
		t.Fatal("not woken for a jump")
	}
	<-wake

	// Many at once, and many one by one: nobody may fall behind what the ring holds.
	many := make([]*feedengine.Event, fewEvents+1)
	for i := range many {
		many[i] = next(1, feedengine.KindPost, zoe)
	}
	if !woken(many...) {
		t.Error("not woken for many events")
	}
	at, woke := r.Head(), 0
	for range 64 * 3 {
		if woken(next(1, feedengine.KindPost, zoe)) {
			woke++
			at = r.Head()
		}
		if r.Head()-at > 64/2 {
			t.Fatalf("%d events of 64 without being woken", r.Head()-at)
		}
	}
	if woke > 64*3/16 {
		t.Errorf("woken %d times for nothing", woke)
	}
}

// TestInterestAndAppendMeet lets one side name an author and then look, the other
// append and then look: never may both have missed the other.
func TestInterestAndAppendMeet(t *testing.T) {
	for round := range 3000 {
		r := NewRing(16, 2)
		wake := make(chan struct{}, 1)
		in := newInterest(0)
		r.Subscribe(wake, in)
		ev := &feedengine.Event{Shard: 1, Epoch: 1, Seq: 1, ID: 1, Kind: feedengine.KindPost, Actor: "alice"}
		var wg sync.WaitGroup
		var saw atomic.Bool
		wg.Go(func() {
			if round%2 == 0 {
				in.follow("alice")
			} else {
				in.all.Store(true)
			}
			saw.Store(r.Head() > 0)
		})
		wg.Go(func() { r.Append([]*feedengine.Event{ev}) })
		wg.Wait()
		if !saw.Load() && len(wake) == 0 {
			t.Fatal("the event was neither seen nor woken for")
		}
	}
}

// asleep has no shard look for anything by itself.
func asleep(o *Options) {
	o.Tick, o.AuditEvery, o.Confirm, o.Ring = 1000*time.Hour, -1, 1000*time.Hour, 1<<15
}

// TestShardsSleepThroughWhatIsNothingToThem: a post wakes the shards of its author
// and of followers only; the others are exact as soon as anybody asks them.
func TestShardsSleepThroughWhatIsNothingToThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards, users, posts = 64, 200, 50
		h := newHarness(t, shards, asleep)
		defer h.host.Stop(context.Background())
		h.must("bob", feedengine.Follow{Users: []string{"alice"}})
		bob := h.attach("bob", 1, nil)
		for i := range users {
			h.attach("idle"+strconv.Itoa(i), feedengine.SessionID(10+i), nil)
		}
		start := h.host.ring.Head()
		for range posts {
			h.must("alice", feedengine.Publish{Text: "x", Kind: "post"})
		}
		synctest.Wait()
		if len(bob.posts) != posts || bob.counts.Feed != posts {
			t.Fatalf("bob has %d posts, counted %d", len(bob.posts), bob.counts.Feed)
		}
		slept := 0
		for _, a := range h.host.served() {
			if a.lag() != 0 {
				t.Errorf("shard %d lags by %d, says the metric", a.shard, a.lag())
			}
			if a.cursor.Load() <= start {
				slept++
			}
		}
		if slept < shards-10 {
			t.Errorf("only %d of %d shards slept", slept, shards)
		}
		for i := range users {
			user := "idle" + strconv.Itoa(i)
			h.must(user, feedengine.Follow{Users: []string{"alice"}})
			if r := h.must(user, feedengine.Unread{}); r.Counts.Feed != 0 {
				t.Fatalf("%s counts %d from before the follow", user, r.Counts.Feed)
			}
		}
		h.must("alice", feedengine.Publish{Text: "for all", Kind: "post"})
		synctest.Wait()
		for session, dev := range h.outlet.by {
			if session >= 10 && (dev.counts.Feed != 1 || len(dev.posts) != 1) {
				t.Fatalf("%s has %d posts, counted %d", dev.user, len(dev.posts), dev.counts.Feed)
			}
		}
		if err := h.host.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNobodySleepsTooLong has users attach, follow and publish at random, on a store
// that is slow, with nothing that would wake a shard later: what has not come when
// all is quiet would not have come at all.
func TestNobodySleepsTooLong(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) { sleepers(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func sleepers(t *testing.T, seed uint64) {
	const shards, users, steps = 16, 24, 40
	h := newHarness(t, shards, asleep)
	h.store.slow = 3 * time.Millisecond
	defer h.host.Stop(context.Background())
	name := func(i int) string { return fmt.Sprintf("user%d", i) }
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(u)))
			session := feedengine.SessionID(1000 * (u + 1))
			for range steps {
				time.Sleep(time.Duration(rnd.IntN(6)) * time.Millisecond)
				switch rnd.IntN(6) {
				case 0:
					session++
					h.attach(name(u), session, nil)
				case 1, 2:
					var follow []string
					for range 1 + rnd.IntN(40) {
						follow = append(follow, fmt.Sprintf("%s%d", []string{"user", "nobody"}[rnd.IntN(2)], rnd.IntN(users*4)))
					}
					h.do(name(u), feedengine.Follow{Users: follow})
				case 3:
					h.do(name(u), feedengine.Unfollow{Users: []string{name(rnd.IntN(users))}})
				default:
					h.must(name(u), feedengine.Publish{Text: "x", Kind: "post"})
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(100 * time.Millisecond) // in which the loader gathers
	synctest.Wait()
	shown := map[*device]feedengine.Counts{}
	for _, dev := range h.outlet.by {
		shown[dev] = dev.counts
		if len(dev.faults) > 0 {
			t.Errorf("%s: %v", dev.user, dev.faults)
		}
	}
	for dev, counts := range shown {
		if facts := h.facts(dev.user); int(counts.Feed) != facts.Feed.Total {
			t.Errorf("%s was shown %d, the facts say %d", dev.user, counts.Feed, facts.Feed.Total)
		}
	}
	h.host.inspect(func(a *actor) {
		s, most := *a.wants.authors.Load(), 0
		a.engine.EachAuthor(func(user []byte) {
			most++
			if !s.has(hashOf(string(user))) {
				t.Errorf("shard %d would not wake for %s", a.shard, user)
			}
		})
		if most > 4*len(s)*64/sketchFull {
			t.Errorf("shard %d: %d authors in %d bits", a.shard, most, len(s)*64)
		}
	})
}

// TestActorLooksAgain plays what falls into the moments between an actor's look at
// the ring and its saying what it wants from there.
func TestActorLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, 8, asleep)
		defer h.host.Stop(context.Background())
		ring := h.host.ring
		a := h.host.actors[Of("bob", 8)].Load()
		other := (a.shard + 1) % 8
		post := func() *feedengine.Event {
			head := ring.HeadOf(other)
			id := h.host.clock.Next().ID(other)
			return &feedengine.Event{Shard: other, Epoch: head.Epoch, Seq: head.Seq + 1, ID: id, Kind: feedengine.KindPost, Actor: "zoe",
				Post: &feedengine.Post{ID: id, Author: "zoe", Kind: "post", Text: "x"}}
		}
		var follows []feedengine.Edge
		for i := range 2 * leastSketch * 64 / sketchFull {
			follows = append(follows, feedengine.Edge{Author: fmt.Sprintf("author%03d", i)})
		}
		users := []feedengine.LoadedUser{{User: "bob", Follows: follows}}
		on := func(do func()) {
			h.host.inspect(func(at *actor) {
				if at == a {
					do()
				}
			})
		}

		on(func() { // appended after the look, by somebody of whom the ring did not know
			heads, from := ring.Heads()
			ring.Append([]*feedengine.Event{post()})
			a.arrive(&Loaded{From: from, Heads: heads, Users: users})
			if a.cursor.Load() != ring.Head() {
				t.Error("an event stands in the ring unseen, and nobody will wake the shard")
			}
		})

		ahead := post()
		on(func() { // a load that is ahead of the ring, by an event that is nothing to anybody here
			heads, from := ring.Heads()
			heads[other].Seq, heads[other].ID = ahead.Seq, ahead.ID
			a.arrive(&Loaded{From: from, Heads: heads, Users: users})
			if !a.engine.Waits() || !a.wants.all.Load() {
				t.Error("a load waits, and the ring does not know")
			}
			for _, f := range follows {
				if !a.wants.authors.Load().has(hashOf(f.Author)) {
					t.Fatalf("%s was forgotten before the load was stepped in", f.Author)
				}
			}
		})
		ring.Append([]*feedengine.Event{ahead})
		synctest.Wait()
		on(func() {
			if a.engine.Waits() || a.wants.all.Load() {
				t.Error("the load has what it waited for, and the shard is woken for everything")
			}
			if n := len(*a.wants.authors.Load()); n != leastSketch || a.wants.named != 0 {
				t.Errorf("%d authors in %d words are kept for nobody", a.wants.named, n)
			}
		})
	})
}
