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
	wants   *interest     // what it is woken for by the ring
	stop    chan struct{} // closed, once, to end it
	ending  sync.Once
	done    chan struct{} // closed when the goroutine has ended

	epoch   atomic.Uint64 // under which the shard was claimed
	away    atomic.Bool   // it is being handed over, or has been: requests go elsewhere
	pending atomic.Int64  // events and marks in the writer's hands, or on their way back

	// Read by others, for metrics.
	cursor    atomic.Uint64 // position in the ring after the last event applied
	residents atomic.Int64
	sessions  atomic.Int64
	edges     atomic.Int64
	bytes     atomic.Int64

	mu     sync.Mutex
	urgent []message // what found the mailbox full and must not be refused

	// Owned by the goroutine.
	engine    *feedengine.Engine
	before    []feedengine.LogInput // events from before cursor that the engine lacks
	events    [readAhead]*feedengine.Event
	lastToken feedengine.Token
	waiting   map[feedengine.Token]func(feedengine.Result)
	lanes     lanes
	names     names
	follows   map[feedengine.ID]uint64 // own follows under way: where the ring stood when they got their ID
	todo      []feedengine.Input       // answers to effects that could not be carried out
	leave     *leave                   // asked to hand over, and not yet ready to
	parked    bool                     // handed over: the engine stands still
	kept      []arrived                // what came while it did
	applied   applied
}

func newActor(h *Host, shard feedengine.ShardID, epoch uint64, engine *feedengine.Engine, cursor uint64) *actor {
	a := &actor{
		host:    h,
		shard:   shard,
		mailbox: make(chan message, mailboxSize),
		wake:    make(chan struct{}, 1), // full: the actor has yet to look anyway
		wants:   newInterest(shard),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
		engine:  engine,
		waiting: make(map[feedengine.Token]func(feedengine.Result)),
		lanes:   make(lanes),
		follows: make(map[feedengine.ID]uint64),
	}
	a.epoch.Store(epoch)
	a.cursor.Store(cursor)
	return a
}

// place is where what the actor sends comes from.
func (a *actor) place() feedengine.Place {
	return feedengine.Place{Shard: a.shard, Epoch: a.epoch.Load()}
}

// raise takes note of the epoch of a later claim.
func (a *actor) raise(epoch uint64) {
	for {
		at := a.epoch.Load()
		if epoch <= at || a.epoch.CompareAndSwap(at, epoch) {
			return
		}
	}
}

// offer takes a message if there is room.
func (a *actor) offer(m message) bool {
	select {
	case a.mailbox <- m:
		a.notTooLate()
		return true
	default:
		return false
	}
}

// press takes a message when there is no room: a session that is gone must not
// stay attached.
func (a *actor) press(m message) {
	a.mu.Lock()
	a.urgent = append(a.urgent, m) // at most one for each session and gateway there is
	a.mu.Unlock()
	a.nudge()
	a.notTooLate()
}

// notTooLate comes after a message was left: when the actor has ended, perhaps
// before it saw it, whoever leaves one answers it.
func (a *actor) notTooLate() {
	select {
	case <-a.done:
		a.sweep()
	default:
	}
}

// nudge has the actor look around.
func (a *actor) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// post delivers a message that must arrive, waiting for room. It says false when
// the actor has ended.
func (a *actor) post(m message) bool {
	select {
	case a.mailbox <- m:
		a.notTooLate()
		return true
	case <-a.done:
		return false
	}
}

// end asks the goroutine to end.
func (a *actor) end() { a.ending.Do(func() { close(a.stop) }) }

// run is the actor's goroutine, until end.
func (a *actor) run() {
	defer a.abandon()
	defer close(a.done)
	ticks := time.NewTicker(a.host.opts.Tick)
	defer ticks.Stop()
	a.stepBefore()
	a.wants.renew(a.engine)
	a.catchUp()
	for {
		select {
		case m := <-a.mailbox:
			a.catchUp()
			a.handle(m)
		case <-a.wake:
			a.catchUp()
			a.takeUrgent()
		case <-ticks.C:
			a.catchUp()
			a.tick()
		case <-a.stop:
			return
		}
		if a.leave != nil {
			a.tryLeave()
		}
	}
}

// abandon answers what can no longer be answered otherwise. done is closed.
func (a *actor) abandon() {
	gone := feedengine.Result{Err: a.host.gone()}
	for _, done := range a.waiting {
		done(gone)
	}
	for _, waiting := range a.lanes {
		for _, r := range waiting {
			r.Done(gone)
		}
	}
	a.sweep()
}

// sweep answers what was left for an actor that has ended.
func (a *actor) sweep() {
	gone := feedengine.Result{Err: a.host.gone()}
	a.mu.Lock()
	urgent := a.urgent
	a.urgent = nil
	a.mu.Unlock()
	for _, m := range urgent {
		a.drop(m, gone)
	}
	for {
		select {
		case m := <-a.mailbox:
			a.drop(m, gone)
		default:
			return
		}
	}
}

// drop answers a message that came too late.
func (a *actor) drop(m message, gone feedengine.Result) {
	switch m := m.(type) {
	case asked:
		m.Done(gone)
	case checked:
		m.Done(gone)
	case inspect:
		close(m.done)
	}
}

// takeUrgent handles what found no room, after everything that was in the
// mailbox before.
func (a *actor) takeUrgent() {
	a.mu.Lock()
	urgent := a.urgent
	a.urgent = nil
	a.mu.Unlock()
	if urgent == nil {
		return
	}
	for range len(a.mailbox) {
		a.handle(<-a.mailbox)
	}
	for _, m := range urgent {
		a.handle(m)
	}
}

// stepBefore applies what the ring no longer had when the shard was opened.
func (a *actor) stepBefore() {
	now := a.host.millis()
	for _, in := range a.before {
		a.stepLog(now, in)
	}
	a.before = nil
}

// catchUp applies all events that the ring has by now.
func (a *actor) catchUp() {
	if a.parked {
		return
	}
	for {
		at := a.cursor.Load()
		n, err := a.host.ring.Read(at, a.events[:])
		if err != nil {
			a.skip()
			continue
		}
		if n == 0 {
			a.wants.settle(a.engine)
			return
		}
		now := a.host.millis()
		a.applied.note(at+uint64(n), now)
		for i, ev := range a.events[:n] {
			a.events[i] = nil
			in := feedengine.LogInput{Event: ev}
			if ev.Kind == feedengine.KindFollow && ev.Shard == a.shard {
				for _, author := range ev.Users {
					a.wants.follow(author) // and read on, to the end of the ring
				}
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
	reason := feedengine.ResetViewRebuilt
	if a.host.ring.HistoryLostSince(a.cursor.Load()) {
		reason = feedengine.ResetHistoryLost
	}
	a.host.metrics.skips.Inc()
	a.host.log.Warn("shard rebuilds its views: it fell behind the ring, or the ring had to jump",
		"shard", a.shard, "events", at-a.cursor.Load(), "reason", reason)
	a.cursor.Store(at)
	a.names.forget()
	a.step(feedengine.RebuildInput{Reason: reason, Heads: heads})
}

// passed collects the posts, changes and deletions of posts by those whom ev follows
// that this shard has applied, before the ring's position upto, although they came after
// ev got its ID.
func (a *actor) passed(ev *feedengine.Event, upto uint64) (events []*feedengine.Event, lost bool) {
	from, ok := a.follows[ev.ID]
	if !ok { // of another owner: there is no telling what has been passed since
		return nil, true
	}
	delete(a.follows, ev.ID)
	followed := make(map[string]bool, len(ev.Users))
	for _, u := range ev.Users {
		followed[u] = true
	}
	lost = a.host.ring.walk(from, upto, func(old *feedengine.Event) {
		if old.ID > ev.ID && followed[old.Actor] {
			switch old.Kind {
			case feedengine.KindPost, feedengine.KindPostEdited, feedengine.KindPostDeleted:
				events = append(events, old)
			}
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
	case rejoined:
		if !a.parked && a.host.mayServe() {
			a.step(m.RejoinInput)
		}
	case gatewayGone:
		a.step(feedengine.GatewayGoneInput{Gateway: m.gateway})
	case arrived:
		if a.parked {
			a.kept = append(a.kept, m) // one for each view at most
			return
		}
		a.arrive(m.Loaded)
	case saved:
		a.pending.Add(-1)
		a.step(feedengine.MarkSavedInput{Token: m.token, Mark: m.mark, Err: m.err})
	case checked:
		if a.leave != nil || a.parked {
			a.finish(m.asked, feedengine.Result{Err: feedengine.ErrElsewhere})
			return
		}
		m.resume()
	case released:
		a.release(m)
	case leave:
		a.beginLeave(m)
	case stay:
		a.endLeave(m)
	case resume:
		a.resume(m)
	case audit:
		if !a.parked {
			a.step(feedengine.AuditInput{})
		}
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
	for i := range in.Users {
		for _, f := range in.Users[i].Follows {
			a.wants.follow(f.Author)
		}
	}
	a.step(in)
	a.wants.settle(a.engine)
	a.catchUp() // what was appended before the ring could know of this
}

// lag is how many events the actor was woken for and has yet to apply. Those that
// are nothing to it stand in the ring until it next has a reason to look.
func (a *actor) lag() uint64 {
	due := a.wants.due.Load()
	return due - min(due, a.cursor.Load())
}

// tick does what has to be done now and then.
func (a *actor) tick() {
	s := a.engine.Stats()
	a.residents.Store(int64(s.Residents))
	a.sessions.Store(int64(s.Sessions))
	a.edges.Store(int64(s.Edges))
	a.bytes.Store(int64(a.engine.Bytes()))
	if a.parked {
		return
	}
	evict := feedengine.EvictInput{Before: a.host.millis() - a.host.opts.Residency.Milliseconds()}
	if a.host.overBudget() {
		evict.Extra = s.Idle/4 + 1
	}
	a.step(evict)
}
