package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Served is a shard that a host serves, and where its log stands.
type Served struct {
	Shard feedengine.ShardID
	Head  feedengine.Head
}

// Place is the shard under its epoch.
func (s Served) Place() feedengine.Place {
	return feedengine.Place{Shard: s.Shard, Epoch: s.Head.Epoch}
}

// Served lists the shards that the host serves, in order.
func (h *Host) Served() []Served {
	var served []Served
	for _, a := range h.served() {
		if head := h.writer.Head(a.shard); head.Epoch > 0 {
			served = append(served, Served{a.shard, head})
		}
	}
	return served
}

// serves finds the actor of a shard that is served here, or nil.
func (h *Host) serves(shard feedengine.ShardID) *actor {
	if int(shard) >= len(h.actors) {
		return nil
	}
	if a := h.actors[shard].Load(); a != nil && !a.away.Load() {
		return a
	}
	return nil
}

// Rejoin brings a gateway's sessions (in.Gateway is set to g). It says false
// when the shard is not served here or has too much to do.
func (h *Host) Rejoin(g feedengine.GatewayID, shard feedengine.ShardID, in feedengine.RejoinInput) bool {
	a := h.serves(shard)
	if a == nil || !h.mayServe() {
		return false
	}
	in.Gateway = g
	return a.offer(rejoined{in})
}

// GatewayGone detaches all sessions of a gateway from all shards.
func (h *Host) GatewayGone(g feedengine.GatewayID) {
	for _, a := range h.served() {
		if m := (gatewayGone{g}); !a.offer(m) {
			a.press(m)
		}
	}
}

// Open begins to serve a shard that has been claimed: head is what the claim
// returned. With a handover its views go on where they were, if what has
// happened since can be made up for; without one they are loaded on demand. It
// returns when the shard is served, or with ctx's error.
func (h *Host) Open(ctx context.Context, shard feedengine.ShardID, head feedengine.Head, state *feedengine.Handover) error {
	switch {
	case int(shard) >= len(h.actors) || head.Epoch == 0:
		return fmt.Errorf("open shard %d of %d under epoch %d: %w", shard, len(h.actors), head.Epoch, errUnserved)
	case h.actors[shard].Load() != nil:
		return fmt.Errorf("open shard %d: %w", shard, errServed)
	case state != nil && (state.Shard != shard || len(state.Heads) != len(h.actors)):
		return fmt.Errorf("open shard %d: the handover is of shard %d of %d", shard, state.Shard, len(state.Heads))
	}
	if err := h.reach(ctx, shard, head, state); err != nil {
		return fmt.Errorf("open shard %d: %w", shard, err)
	}
	a := h.goOn(ctx, shard, head, state)
	if a == nil {
		heads, at := h.ring.Heads()
		a = newActor(h, shard, head.Epoch, h.newEngine(shard, heads), at)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopping.Load():
		return fmt.Errorf("open shard %d: %w", shard, errStopped)
	case h.actors[shard].Load() != nil:
		return fmt.Errorf("open shard %d: %w", shard, errServed)
	}
	h.writer.Own(shard, head)
	h.start(a)
	return nil
}

// reach waits until the ring has come to what the claim found, and to what the
// views have applied elsewhere.
func (h *Host) reach(ctx context.Context, shard feedengine.ShardID, head feedengine.Head, state *feedengine.Handover) error {
	wake := make(chan struct{}, 1)
	h.ring.Subscribe(wake, nil)
	defer h.ring.Unsubscribe(wake)
	for {
		h.learner.take(shard, head, nil)
		there := h.ring.HeadOf(shard) == head
		if state != nil {
			there = h.learner.reach(state.Heads) && there
		}
		if there {
			return nil
		}
		if known := h.ring.HeadOf(shard); known.Epoch > head.Epoch {
			return fmt.Errorf("%w under epoch %d", errWentOn, known.Epoch)
		}
		again := time.NewTimer(100 * time.Millisecond) // storage may not have had it yet
		select {
		case <-wake:
			again.Stop()
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("the logs that other nodes write have not been caught up with: %w", ctx.Err())
		}
	}
}

// goOn makes the actor of a shard that was handed over, as of the handover's
// heads, or nil when what has happened since is too much or unclear.
func (h *Host) goOn(ctx context.Context, shard feedengine.ShardID, head feedengine.Head, state *feedengine.Handover) *actor {
	if state == nil {
		return nil
	}
	at, heads, missing := h.ring.Since(state.Heads)
	for s, was := range state.Heads {
		v := judgeHead(was, heads[s])
		if v == headLost || v == headStale || feedengine.ShardID(s) == shard && (was.Seq != head.Seq || was.ID != head.ID) {
			h.log.Warn("shard: a handover is of another history and not used", "shard", shard, "log", s,
				"was", was.Seq, "was_epoch", was.Epoch, "is", heads[s].Seq, "is_epoch", heads[s].Epoch)
			return nil
		}
	}
	before, err := h.between(ctx, missing, state.Heads, heads)
	if err != nil {
		h.log.Warn("shard: a handover is too old and not used", "shard", shard, "logs", len(missing), "error", err)
		return nil
	}
	engine := feedengine.Import(h.engineOptions(shard, heads), state, h.millis())
	a := newActor(h, shard, head.Epoch, engine, at)
	for _, ev := range before {
		a.before = append(a.before, feedengine.LogInput{Event: ev, PassedLost: true})
	}
	return a
}

// between reads the events of some logs above the heads was, up to is.
func (h *Host) between(ctx context.Context, logs []feedengine.ShardID, was, is []feedengine.Head) (events []*feedengine.Event, err error) {
	for _, s := range logs {
		for at := was[s].Seq; at < is[s].Seq; {
			want := int(min(is[s].Seq-at, maxLacking))
			if len(events)+want > maxLacking {
				return nil, errTrails
			}
			piece, err := h.opts.Store.ReadLog(ctx, s, at, min(want, 1000))
			if err != nil {
				return nil, err
			}
			if len(piece) == 0 || piece[0].Seq != at+1 {
				return nil, errTrails
			}
			events = append(events, piece...)
			at = piece[len(piece)-1].Seq
		}
	}
	return events, nil
}

// HandOver stops serving a shard and returns its state, and the place under
// which it was served: the claim of the next owner is conditional on that. Until
// Resume or Shut the shard stands still. At an error it is served as before, or
// was lost.
func (h *Host) HandOver(ctx context.Context, shard feedengine.ShardID) (*feedengine.Handover, feedengine.Place, error) {
	a := h.serves(shard)
	if a == nil || !a.away.CompareAndSwap(false, true) {
		return nil, feedengine.Place{}, fmt.Errorf("hand over shard %d: %w", shard, errUnserved)
	}
	r := a.handOver(ctx)
	if r.err != nil {
		return nil, feedengine.Place{}, fmt.Errorf("hand over shard %d: %w", shard, r.err)
	}
	return r.state, r.place, nil
}

// handOver asks the actor to leave, and takes that back when ctx ends.
func (a *actor) handOver(ctx context.Context) handed {
	done := make(chan handed, 1)
	select {
	case a.mailbox <- leave{done}:
	case <-a.done:
		return handed{err: errUnserved}
	case <-ctx.Done():
		a.away.Store(false)
		return handed{err: ctx.Err()}
	}
	select {
	case r := <-done:
		return r
	case <-a.done:
		return handed{err: errUnserved}
	case <-ctx.Done():
	}
	a.post(stay{})
	select {
	case r := <-done: // perhaps it was ready after all
		if errors.Is(r.err, errStays) {
			r.err = errors.Join(r.err, ctx.Err())
		}
		return r
	case <-a.done:
		return handed{err: errUnserved}
	}
}

// Resume serves a shard again that was handed over and not taken. It must have
// been claimed anew; head is what that claim returned. At an error it still
// stands still.
func (h *Host) Resume(shard feedengine.ShardID, head feedengine.Head) error {
	a := h.actors[shard].Load()
	if a == nil {
		return fmt.Errorf("resume shard %d: %w", shard, errUnserved)
	}
	done := make(chan error, 1)
	if !a.post(resume{head, done}) {
		return fmt.Errorf("resume shard %d: %w", shard, errUnserved)
	}
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("resume shard %d: %w", shard, err)
		}
		return nil
	case <-a.done:
		return fmt.Errorf("resume shard %d: %w", shard, errUnserved)
	}
}

// Shut ends a shard, served or handed over, and forgets its state.
func (h *Host) Shut(shard feedengine.ShardID) {
	a := h.actors[shard].Load()
	if a == nil {
		return
	}
	h.writer.Disown(shard)
	h.drop(a)
	<-a.done
}

// giveUp ends shards that were lost, and tells of it.
func (h *Host) giveUp(shards []feedengine.ShardID, err error) {
	shards = slices.DeleteFunc(shards, func(s feedengine.ShardID) bool {
		return h.writer.Head(s).Epoch > 0 // it has come back meanwhile
	})
	for _, s := range shards {
		if a := h.actors[s].Load(); a != nil {
			h.drop(a)
		}
	}
	if len(shards) > 0 && h.opts.OnLost != nil {
		h.opts.OnLost(shards, err)
	}
}

// overtaken gives up a shard that another node serves under a higher epoch.
func (h *Host) overtaken(a *actor, held uint64, head feedengine.Head) {
	if h.writer.Forfeit(feedengine.Fence{Shard: a.shard, Epoch: held}) {
		h.lose([]feedengine.ShardID{a.shard}, fmt.Errorf("shard %d is served under epoch %d, not %d: %w",
			a.shard, head.Epoch, held, feedengine.ErrFenced))
	}
}

// Recent finds a recent event by its position, or nil.
func (h *Host) Recent(shard feedengine.ShardID, epoch, seq uint64) *feedengine.Event {
	return h.recent.find(shard, epoch, seq)
}

// append makes events known to the node.
func (h *Host) append(events []*feedengine.Event) (gap bool) {
	h.recent.add(events) // first: what is delivered may refer to it
	return h.ring.Append(events)
}

// committed takes what this node has written. It is announced first: what shards
// deliver once they know of it may name it by its position alone, and must not travel
// ahead of the announce.
func (h *Host) committed(events []*feedengine.Event) {
	unknown := h.announce(events)
	if h.append(events) {
		// The ring is behind on an own log, which Open rules out.
		h.log.Error("shard: the ring lacks events of an own log")
		for _, e := range events {
			h.learner.take(e.Shard, h.writer.Head(e.Shard), nil)
		}
	}
	h.announce(unknown)
}

// announce tells the other nodes, log by log. It returns the events of epochs that the
// ring has yet to hear of.
func (h *Host) announce(events []*feedengine.Event) (unknown []*feedengine.Event) {
	if h.opts.Announce == nil {
		return nil
	}
	byLog := slices.Clone(events)
	slices.SortStableFunc(byLog, func(a, b *feedengine.Event) int { return int(a.Shard) - int(b.Shard) })
	for len(byLog) > 0 {
		n := 1
		for n < len(byLog) && byLog[n].Shard == byLog[0].Shard {
			n++
		}
		if head := h.ring.HeadOf(byLog[0].Shard); head.Epoch == byLog[0].Epoch {
			h.opts.Announce(byLog[0].Shard, head.Epoch, head.First, byLog[:n])
		} else if head.Epoch < byLog[0].Epoch {
			unknown = append(unknown, byLog[:n]...)
		}
		byLog = byLog[n:]
	}
	return unknown
}

// raised goes on under an epoch that the writer has claimed.
func (h *Host) raised(shard feedengine.ShardID, head feedengine.Head) {
	h.ring.Adopt(shard, head)
	if a := h.actors[shard].Load(); a != nil {
		a.raise(head.Epoch)
	}
}

// Renew says that a beat got through that was sent at t: the shards may be served
// until LeaseTime after that. It says false when the lease had ended in between:
// then they are served again after Confirm.
func (h *Host) Renew(t time.Time) bool {
	before := h.lease.lapsed()
	if !h.lease.regular() {
		h.writer.Doubt() // who knows what has become of the store meanwhile
	}
	ok := h.lease.renew(t)
	if h.lease.lapsed() > before {
		h.metrics.lapses.Inc()
	}
	return ok
}

// Confirm makes sure that the shards are still this node's. Those that are not
// are served no longer when it returns, and come as lost.
func (h *Host) Confirm(ctx context.Context) error {
	lapses := h.lease.lapsed()
	actors := h.served()
	outcomes := make(chan error, len(actors))
	for _, a := range actors {
		answer := func(err error) {
			if err == error(shardLost) {
				h.dropLost(a)
				err = nil
			}
			outcomes <- err
		}
		err := h.writer.Submit(Pending{
			Write: feedengine.Write{Shard: a.shard},
			Done:  func(o Outcome) { answer(o.Err) },
		})
		if err != nil {
			answer(err)
		}
	}
	for range actors {
		select {
		case err := <-outcomes:
			if err != nil {
				return fmt.Errorf("confirm %d shards: %w", len(actors), err)
			}
		case <-ctx.Done():
			return fmt.Errorf("confirm %d shards: %w", len(actors), ctx.Err())
		}
	}
	h.lease.confirm(lapses)
	return nil
}

// Doubt says that storage was away: see Writer.Doubt.
func (h *Host) Doubt() { h.writer.Doubt() }

// Epoch is the one under which a shard is served here, or 0.
func (h *Host) Epoch(shard feedengine.ShardID) uint64 {
	if a := h.serves(shard); a != nil {
		return a.epoch.Load()
	}
	return 0
}

// dropLost ends an actor whose shard the writer has lost, before that is told.
// One that was handed over only stands still.
func (h *Host) dropLost(a *actor) {
	if !a.away.Load() && h.writer.Head(a.shard).Epoch == 0 && !a.away.Load() {
		h.drop(a)
	}
}

// compareHeads holds the logs against storage: own ones may have been claimed or,
// when the database came back without its last commits, lose events; of others
// there may be more than was announced.
func (h *Host) compareHeads() {
	before := map[feedengine.ShardID]feedengine.Head{}
	for _, s := range h.Served() {
		before[s.Shard] = s.Head
	}
	ctx, cancel := context.WithTimeout(h.ctx, repairTimeout)
	defer cancel()
	heads, err := h.opts.Store.Heads(ctx)
	if err != nil || len(heads) != len(h.actors) {
		h.writer.Doubt()
		return // the next round will do
	}
	for i, head := range heads {
		s := feedengine.ShardID(i)
		was, own := before[s]
		switch {
		case !own && h.serves(s) == nil:
			if h.learner.lost(h.learner.seen, s, head, seenLate) {
				h.learner.take(s, head, nil)
			}
		case own && head.Epoch != was.Epoch:
			// Perhaps the writer's own doing just now: it knows.
			_ = h.writer.Submit(Pending{Write: feedengine.Write{Shard: s}, Done: func(Outcome) {}})
		case own && shrunk(head, was):
			if h.writer.Forfeit(feedengine.Fence{Shard: s, Epoch: was.Epoch}) {
				h.lose([]feedengine.ShardID{s}, shrunkFrom(s, head, was))
			}
		}
	}
}
