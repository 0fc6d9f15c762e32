package shard

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// maxUnknown is how many times one batch is sent when each time the connection
// is lost in its commit and none of it turns out to have been written. A batch
// that brings the database down is not sent for ever.
const maxUnknown = 3

// commit makes the batch durable, or finds out which parts of it can't be, and
// answers every entry. It says false when storage could not be reached: then
// there is no use in trying the next batch at once.
func (w *Writer) commit(batch []*entry) (reached bool) {
	for attempt := 1; ; attempt++ {
		if !w.holdsUp() {
			w.refuse(batch, unavailable)
			return false
		}
		batch = w.number(batch)
		if len(batch) == 0 {
			return true
		}
		err := w.append(batch)
		switch {
		case err == nil:
			w.metrics.appends.Inc()
			w.committed(batch)
			return true
		case errors.Is(err, feedengine.ErrFenced):
			w.metrics.fenced.Inc()
			return w.fenced(batch, err)
		case errors.Is(err, feedengine.ErrRefused):
			w.metrics.split.Inc()
			return w.split(batch, err)
		case errors.Is(err, feedengine.ErrUnavailable):
			w.Doubt()
			w.Logger.Warn("commit: storage cannot be reached", "writes", len(batch), "error", err)
			w.refuse(batch, unavailable)
			return false
		}
		// The connection was lost, the time was up, or the store said something
		// that it should not: whatever it was, it may have been committed.
		w.metrics.unknown.Inc()
		w.Doubt()
		if batch = w.dropConfirms(batch); len(batch) == 0 {
			return false
		}
		w.Logger.Warn("commit: outcome unknown", "writes", len(batch), "attempt", attempt, "error", err)
		if batch, reached = w.resolve(batch); !reached {
			return false
		}
		if attempt == maxUnknown && len(batch) > 0 {
			w.refuse(batch, unavailable)
			return false
		}
	}
}

// dropConfirms takes out what wrote nothing: no shard is to be claimed for that.
func (w *Writer) dropConfirms(batch []*entry) []*entry {
	return slices.DeleteFunc(batch, func(e *entry) bool {
		if e.writes() {
			return false
		}
		w.answer(e, Outcome{Err: unavailable})
		return true
	})
}

// writes reports whether the entry is more than a confirmation.
func (e *entry) writes() bool { return e.Write.Event != nil || e.Write.Mark != nil }

// number gives the events of the batch their epoch and seq, one after the
// other from the heads on, and refuses the entries that have become pointless
// since they were submitted. As long as nothing is committed, it can be done
// again.
func (w *Writer) number(batch []*entry) []*entry {
	now := time.Now()
	tails := map[feedengine.ShardID]tail{}
	return slices.DeleteFunc(batch, func(e *entry) bool {
		t, ok := tails[e.Write.Shard]
		if !ok {
			t = w.tail(e.Write.Shard)
		}
		event := e.Write.Event
		switch {
		case !t.owned || e.life != t.life:
			w.answer(e, Outcome{Err: shardLost})
			return true
		case !e.Deadline.IsZero() && now.After(e.Deadline):
			w.answer(e, Outcome{Err: expired})
			return true
		case event != nil && event.ID <= t.id:
			w.Logger.Error("commit: an id is not above its log's head",
				"shard", e.Write.Shard, "id", event.ID, "head", t.id)
			w.answer(e, Outcome{Err: broken})
			return true
		case event != nil:
			t.seq, t.id = t.seq+1, event.ID
			event.Shard, event.Epoch, event.Seq = e.Write.Shard, t.epoch, t.seq
		}
		tails[e.Write.Shard] = t
		e.epoch = t.epoch
		return false
	})
}

// append sends the numbered batch to the store, once.
func (w *Writer) append(batch []*entry) error {
	writes := make([]feedengine.Write, 0, len(batch))
	for _, e := range batch {
		if e.writes() {
			writes = append(writes, e.Write)
		}
	}
	ctx, cancel := w.call()
	defer cancel()
	start := time.Now()
	err := w.Log.Append(ctx, fencesOf(batch), writes)
	w.metrics.seconds.UpdateDuration(start)
	w.metrics.rows.Update(float64(len(writes)))
	return err
}

// committed moves the heads on, makes the events known, and answers, in this order.
func (w *Writer) committed(batch []*entry) {
	var events []*feedengine.Event
	w.mu.Lock()
	for _, e := range batch {
		if event := e.Write.Event; event != nil {
			// Unless the shard has come back meanwhile, and further on.
			if t := &w.logs[event.Shard]; t.epoch == e.epoch {
				t.seq, t.id = event.Seq, event.ID
			}
			events = append(events, event)
		} else if e.Write.Mark != nil {
			w.marks.add(e.Write)
		}
	}
	w.mu.Unlock()
	if len(events) > 0 {
		w.OnCommit(events)
	}
	for _, e := range batch {
		w.answer(e, Outcome{Event: e.Write.Event})
	}
}

// split parts a refused batch in halves, and those again, until each culprit
// stands alone. It never fails its neighbours, whose order stays.
func (w *Writer) split(batch []*entry, err error) (reached bool) {
	if len(batch) == 1 {
		return w.culprit(batch[0], err)
	}
	half := len(batch) / 2
	return w.commitBoth(batch[:half], batch[half:])
}

// culprit answers the one entry that the store will not take. That may be for
// a key that was not there when it was looked up.
func (w *Writer) culprit(e *entry, err error) (reached bool) {
	if e.Write.Key != nil {
		found, keysErr := w.keys([]feedengine.Key{*e.Write.Key})
		if keysErr != nil {
			w.Logger.Warn("commit: a refused write's key cannot be looked up", "shard", e.Write.Shard, "error", keysErr)
			w.answer(e, Outcome{Err: unavailable})
			return false
		}
		if e.prior = found[0]; e.prior != nil {
			w.answer(e, judge(e, e.prior))
			return true
		}
	}
	w.Logger.Error("commit: storage refuses a write", "shard", e.Write.Shard, "error", err)
	w.answer(e, Outcome{Err: broken})
	return true
}

// fenced finds out which shards have been claimed by somebody else, by the
// same halving, and loses those; the others commit.
func (w *Writer) fenced(batch []*entry, err error) (reached bool) {
	shards := shardsOf(batch)
	if len(shards) == 1 {
		w.lose(fencesOf(batch)[0], err)
		w.refuse(batch, shardLost)
		return true
	}
	middle := shards[len(shards)/2]
	var low, high []*entry
	for _, e := range batch {
		if e.Write.Shard < middle {
			low = append(low, e)
		} else {
			high = append(high, e)
		}
	}
	return w.commitBoth(low, high)
}

// commitBoth commits one after the other, the second only while storage can be
// reached.
func (w *Writer) commitBoth(a, b []*entry) (reached bool) {
	if !w.commit(a) {
		w.refuse(b, unavailable)
		return false
	}
	return w.commit(b)
}

// lose gives up a shard and refuses all that waits for it, unless it has come
// back under another epoch meanwhile.
func (w *Writer) lose(held feedengine.Fence, err error) {
	shard := held.Shard
	var waiting []*entry
	w.mu.Lock()
	t := &w.logs[shard]
	if !t.owned || t.epoch != held.Epoch {
		w.mu.Unlock()
		return
	}
	t.owned = false
	w.queue = slices.DeleteFunc(w.queue, func(e *entry) bool {
		if e.Write.Shard == shard {
			waiting = append(waiting, e)
		}
		return e.Write.Shard == shard
	})
	w.mu.Unlock()
	w.Logger.Warn("commit: shard lost", "shard", shard, "waiting", len(waiting), "error", err)
	w.lost, w.lostErr = append(w.lost, shard), cmp.Or(w.lostErr, err)
	w.refuse(waiting, shardLost)
}

// tellLost reports what a batch has lost.
func (w *Writer) tellLost() {
	if len(w.lost) == 0 {
		return
	}
	shards, err := w.lost, w.lostErr
	w.lost, w.lostErr = nil, nil
	w.OnLost(shards, err)
}

func (w *Writer) tail(shard feedengine.ShardID) tail {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs[shard]
}

// shardsOf lists the shards of the batch in order.
func shardsOf(batch []*entry) []feedengine.ShardID {
	shards := make([]feedengine.ShardID, len(batch))
	for i, e := range batch {
		shards[i] = e.Write.Shard
	}
	slices.Sort(shards)
	return slices.Compact(shards)
}

// fencesOf lists the claims under which the numbered batch was or is to be
// sent, in order of shard.
func fencesOf(batch []*entry) (fences []feedengine.Fence) {
	var seen [feedengine.MaxShards / 64]uint64
	for _, e := range batch {
		s := e.Write.Shard
		if bit := uint64(1) << (s % 64); seen[s/64]&bit == 0 {
			seen[s/64] |= bit
			fences = append(fences, feedengine.Fence{Shard: s, Epoch: e.epoch})
		}
	}
	slices.SortFunc(fences, func(a, b feedengine.Fence) int { return cmp.Compare(a.Shard, b.Shard) })
	return fences
}
