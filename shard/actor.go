package shard

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// mailboxSize is how many messages wait for one shard before requests are
// refused as overloaded.
const mailboxSize = 1024

// readAhead is how many events an actor takes from the ring at a time.
const readAhead = 128

// actor is one shard: its engine, and what its requests wait for.
type actor struct {
	// Set at construction.
	host    *Host
	shard   feedengine.ShardID
	mailbox chan message // full: requests are refused, the loader and the writer wait
	wake    chan struct{}
	done    chan struct{} // closed when the goroutine has ended

	epoch atomic.Uint64 // under which the shard was claimed

	// Read by others, for metrics.
	cursor    atomic.Uint64 // position in the ring after the last event applied
	residents atomic.Int64
	sessions  atomic.Int64
	edges     atomic.Int64
	bytes     atomic.Int64

	mu       sync.Mutex
	departed []asked // detaches that found the mailbox full

	// Owned by the goroutine.
	engine    *feedengine.Engine
	events    [readAhead]*feedengine.Event
	lastToken feedengine.Token
	waiting   map[feedengine.Token]func(feedengine.Result)
	lanes     lanes
	follows   map[feedengine.ID]uint64 // own follows under way: where the ring stood when they got their ID
	todo      []feedengine.Input       // answers to effects that could not be carried out
}

func newActor(h *Host, shard feedengine.ShardID, engine *feedengine.Engine, cursor uint64) *actor {
	a := &actor{
		host:    h,
		shard:   shard,
		mailbox: make(chan message, mailboxSize),
		wake:    make(chan struct{}, 1), // full: the actor has yet to look anyway
		done:    make(chan struct{}),
		engine:  engine,
		waiting: make(map[feedengine.Token]func(feedengine.Result)),
		lanes:   make(lanes),
		follows: make(map[feedengine.ID]uint64),
	}
	a.cursor.Store(cursor)
	return a
}

// offer takes a request if there is room.
func (a *actor) offer(m asked) bool {
	select {
	case a.mailbox <- m:
		return true
	default:
		return false
	}
}

// depart takes a detach when there is no room: a session that is gone must not
// stay attached.
func (a *actor) depart(m asked) {
	a.mu.Lock()
	a.departed = append(a.departed, m) // at most one for each session there is
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// post delivers a message that must arrive, waiting for room. It gives up when
// the actor has ended.
func (a *actor) post(m message) {
	select {
	case a.mailbox <- m:
	case <-a.done:
	}
}

// run is the actor's goroutine, until stop is closed and the mailbox is empty.
func (a *actor) run(stop <-chan struct{}) {
	defer close(a.done)
	defer a.abandon()
	ticks := time.NewTicker(a.host.opts.Tick)
	defer ticks.Stop()
	for {
		select {
		case m := <-a.mailbox:
			a.catchUp()
			a.handle(m)
		case <-a.wake:
			a.catchUp()
			a.takeDeparted()
		case <-ticks.C:
			a.catchUp()
			a.tick()
		case <-stop:
			return
		}
	}
}

// abandon answers what can no longer be answered otherwise.
func (a *actor) abandon() {
	gone := feedengine.Result{Err: errStopped}
	for _, done := range a.waiting {
		done(gone)
	}
	for _, waiting := range a.lanes {
		for _, r := range waiting {
			r.Done(gone)
		}
	}
	for {
		select {
		case m := <-a.mailbox:
			switch m := m.(type) {
			case asked:
				m.Done(gone)
			case inspect:
				close(m.done)
			}
		default:
			return
		}
	}
}

// takeDeparted handles the detaches that found no room, after everything that
// was in the mailbox before them.
func (a *actor) takeDeparted() {
	a.mu.Lock()
	departed := a.departed
	a.departed = nil
	a.mu.Unlock()
	if departed == nil {
		return
	}
	for range len(a.mailbox) {
		a.handle(<-a.mailbox)
	}
	for _, m := range departed {
		a.handle(m)
	}
}

// catchUp applies all events that the ring has by now.
func (a *actor) catchUp() {
	for {
		at := a.cursor.Load()
		n, err := a.host.ring.Read(at, a.events[:])
		if err != nil {
			a.skip()
			continue
		}
		if n == 0 {
			return
		}
		now := a.host.millis()
		for i, ev := range a.events[:n] {
			a.events[i] = nil
			in := feedengine.LogInput{Event: ev}
			if ev.Kind == feedengine.KindFollow && ev.Shard == a.shard {
				in.Passed, in.PassedLost = a.passed(ev, at+uint64(i))
			}
			a.stepLog(now, in)
		}
		a.cursor.Store(at + uint64(n))
	}
}

// skip gives up on events that the ring no longer has: the views are rebuilt as
// of where the ring is now.
func (a *actor) skip() {
	heads, at := a.host.ring.Heads()
	a.host.metrics.skips.Inc()
	a.host.log.Warn("shard fell behind the ring and rebuilds its views", "shard", a.shard, "events", at-a.cursor.Load())
	a.cursor.Store(at)
	a.step(feedengine.RebuildInput{Reason: feedengine.ResetViewRebuilt, Heads: heads})
}

// passed collects the posts and deletions by those whom ev follows that this
// shard has applied, before the ring's position upto, although they came after
// ev got its ID.
func (a *actor) passed(ev *feedengine.Event, upto uint64) (events []*feedengine.Event, lost bool) {
	from, ok := a.follows[ev.ID]
	if !ok { // made by another owner of this shard
		from = a.host.ring.Floor()
	}
	delete(a.follows, ev.ID)
	followed := make(map[string]bool, len(ev.Users))
	for _, u := range ev.Users {
		followed[u] = true
	}
	lost = a.host.ring.walk(from, upto, func(old *feedengine.Event) {
		if old.ID > ev.ID && followed[old.Actor] && (old.Kind == feedengine.KindPost || old.Kind == feedengine.KindPostDeleted) {
			events = append(events, old)
		}
	}) != nil
	return events, lost
}

// missed collects the events above a load's heads that this shard has applied.
func (a *actor) missed(l *Loaded) ([]*feedengine.Event, error) {
	events := slices.Clone(l.Before) // shared with the other shards
	err := a.host.ring.walk(l.From, a.cursor.Load(), func(ev *feedengine.Event) {
		if ev.Seq > l.Heads[ev.Shard].Seq {
			events = append(events, ev)
		}
	})
	return events, err
}

// handle carries out one message.
func (a *actor) handle(m message) {
	switch m := m.(type) {
	case asked:
		a.ask(m)
	case arrived:
		a.arrive(m.Loaded)
	case saved:
		a.step(feedengine.MarkSavedInput{Token: m.token, Mark: m.mark, Err: m.err})
	case checked:
		m.resume()
	case released:
		a.release(m)
	case audit:
		a.step(feedengine.AuditInput{})
	case inspect:
		m.look(a)
		close(m.done)
	}
}

func (a *actor) arrive(l *Loaded) {
	in := feedengine.LoadedInput{Heads: l.Heads, Users: l.Users}
	var err error
	if l.Err != nil {
		in.Err = refusalOf(l.Err)
	} else if in.Missed, err = a.missed(l); err != nil {
		in.Err = feedengine.Refuse(feedengine.Overloaded, "too much happened while the feed was loaded")
	}
	a.step(in)
}

// tick does what has to be done now and then.
func (a *actor) tick() {
	s := a.engine.Stats()
	a.residents.Store(int64(s.Residents))
	a.sessions.Store(int64(s.Sessions))
	a.edges.Store(int64(s.Edges))
	a.bytes.Store(int64(a.engine.Bytes()))
	evict := feedengine.EvictInput{Before: a.host.millis() - a.host.opts.Residency.Milliseconds()}
	if a.host.overBudget() {
		evict.Extra = s.Idle/4 + 1
	}
	a.step(evict)
}

// place is where what the actor sends comes from.
func (a *actor) place() feedengine.Place { return feedengine.Place{Shard: a.shard, Epoch: a.epoch.Load()} }
