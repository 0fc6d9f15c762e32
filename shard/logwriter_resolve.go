package shard

import (
	"errors"
	"fmt"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// errOvertaken: after an unknown outcome, a log did not stand where this node
// had left it, with or without its own events: another has written there, or
// the database has lost commits.
var errOvertaken = errors.New("the log has gone another way")

// resolve finds out what became of a batch whose commit may or may not have
// happened. It claims the batch's shards, which waits for a commit still under
// way and fences one still to come, and looks whether our events stand where
// they were sent to. What was committed is answered; what was not is returned,
// to be sent again under the new epochs with the same ids. Until storage can be
// reached, it goes on trying; it says false when Stop was cut short.
func (w *Writer) resolve(batch []*entry) (rest []*entry, reached bool) {
	if !hasEvents(batch) {
		// Marks merge by maximum: to send them again is all there is to do.
		if !w.pauses.wait(w.ctx) {
			w.refuse(batch, unavailable)
			return nil, false
		}
		return batch, true
	}
	held := fencesOf(batch)
	claim := reclaim{store: w.Log, node: w.Node, expect: slices.Clone(held)}
	ok := w.persist("claim", func() error {
		ctx, cancel := w.call()
		defer cancel()
		w.metrics.claim.Inc()
		return claim.try(ctx)
	})
	if !ok {
		w.refuse(batch, unavailable)
		return nil, false
	}

	stands := map[*feedengine.Event]bool{}
	raised := map[feedengine.ShardID]feedengine.Head{}
	for i, c := range claim.claimed {
		goesOn, ok := w.compare(c, held[i], eventsOf(batch, c.Shard), stands)
		if !ok {
			w.refuse(batch, unavailable)
			return nil, false
		}
		if goesOn {
			raised[c.Shard] = c.Head
		}
	}
	var done []*entry
	for _, e := range batch {
		if head, ok := raised[e.Write.Shard]; ok {
			e.epoch = head.Epoch
		}
		// All or nothing: the marks share the fate of the events.
		if event := e.Write.Event; stands[event] || event == nil && len(stands) > 0 {
			done = append(done, e)
		} else {
			rest = append(rest, e)
		}
	}
	w.Logger.Info("commit: outcome known", "committed", len(done), "again", len(rest))
	if len(done) > 0 {
		w.committed(done)
	}
	for _, f := range held {
		if head, ok := raised[f.Shard]; ok && w.OnRaised != nil {
			w.OnRaised(f.Shard, head)
		}
	}
	return rest, true
}

// compare takes note of which of the events, sent under the epoch held to follow
// the shard's tail, stand in the log whose head was found, and goes on from
// there, if the shard was won. It says ok false when Stop was cut short.
func (w *Writer) compare(c feedengine.Claimed, held feedengine.Fence, sent []*feedengine.Event, stands map[*feedengine.Event]bool) (goesOn, ok bool) {
	head := c.Head
	before, ours := w.raise(c, held)
	if c.Won && ours && head.Seq == before.seq && head.ID == before.id {
		return true, true
	}
	if len(sent) > 0 {
		if last := sent[len(sent)-1]; c.Won && head.Seq == last.Seq && head.ID == last.ID {
			for _, event := range sent {
				stands[event] = true
			}
			return ours, true
		}
	}
	// Whatever happened, this node's view of the log is no good any more. But
	// what is durable has to be answered so.
	var found []*feedengine.Event
	if len(sent) > 0 {
		ok := w.persist("read log", func() (err error) {
			ctx, cancel := w.call()
			defer cancel()
			found, err = w.Reader.ReadLog(ctx, c.Shard, sent[0].Seq-1, len(sent))
			return err
		})
		if !ok {
			return false, false
		}
	}
	for i, event := range sent {
		if i < len(found) && found[i].Seq == event.Seq && found[i].ID == event.ID {
			stands[event] = true
		}
	}
	if !c.Won {
		w.lose(held, fmt.Errorf("log %d is of epoch %d, left at %d: %w", c.Shard, head.Epoch, held.Epoch, feedengine.ErrFenced))
		return false, true
	}
	w.lose(feedengine.Fence{Shard: c.Shard, Epoch: head.Epoch}, fmt.Errorf("log %d stands at %d (id %d), left at %d (id %d) with %d sent: %w",
		c.Shard, head.Seq, head.ID, before.seq, before.id, len(sent), errOvertaken))
	return false, true
}

// raise goes on under the epoch that was won, unless the shard is no longer this
// node's as it was held; it returns the tail before.
func (w *Writer) raise(c feedengine.Claimed, held feedengine.Fence) (before tail, ours bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.logs[c.Shard]
	before, ours = *t, t.owned && t.epoch == held.Epoch
	if c.Won && ours {
		t.epoch, t.first = c.Head.Epoch, c.Head.First
	}
	return before, ours
}

// persist repeats a call of the store until it succeeds. Those who wait for a
// commit meanwhile are refused. It says false when Stop was cut short.
func (w *Writer) persist(what string, call func() error) bool {
	for {
		err := call()
		if err == nil {
			w.pauses.reset()
			return true
		}
		w.Logger.Warn("commit: storage cannot be reached to settle an outcome", "call", what, "error", err)
		w.refuseQueue()
		if !w.pauses.wait(w.ctx) {
			return false
		}
	}
}

func hasEvents(batch []*entry) bool {
	for _, e := range batch {
		if e.Write.Event != nil {
			return true
		}
	}
	return false
}

// eventsOf lists the batch's events for one shard, in order.
func eventsOf(batch []*entry, shard feedengine.ShardID) (events []*feedengine.Event) {
	for _, e := range batch {
		if event := e.Write.Event; event != nil && e.Write.Shard == shard {
			events = append(events, event)
		}
	}
	return events
}
