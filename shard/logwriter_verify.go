package shard

import (
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// holdsUp makes sure, when there is doubt, that storage has what this node has
// written. It says false when storage cannot be reached.
func (w *Writer) holdsUp() bool {
	since := w.doubt.Load()
	if since == 0 {
		return true
	}
	if !w.verify() {
		w.doubt.Store(since)
		return false
	}
	w.again = time.Unix(0, since)
	return true
}

// verify holds this node's logs against storage. A database that came back
// without its last commits would else be written to with a gap: the logs that
// lost some are given up, for somebody to claim them as they stand. It says
// false when storage cannot be reached.
func (w *Writer) verify() bool {
	w.mu.Lock()
	before := make([]tail, len(w.logs)) // first: what is owned later has been read later
	copy(before, w.logs)
	w.mu.Unlock()
	w.doubt.Store(0) // first: what fails from here on is a new reason
	ctx, cancel := w.call()
	defer cancel()
	heads, err := w.Log.Heads(ctx)
	if err == nil && len(heads) != len(before) {
		err = fmt.Errorf("%d heads of %d logs", len(heads), len(before))
	}
	if err != nil {
		w.Doubt()
		w.Logger.Warn("commit: the logs cannot be held against storage", "error", err)
		return false
	}
	for s, t := range before {
		shard, was := feedengine.ShardID(s), feedengine.Head{Epoch: t.epoch, First: t.first, Seq: t.seq, ID: t.id}
		if t.owned && (heads[s].Epoch < was.Epoch || shrunk(heads[s], was)) {
			w.lose(feedengine.Fence{Shard: shard, Epoch: was.Epoch}, shrunkFrom(shard, heads[s], was))
		}
	}
	return true
}

// shrunk reports whether a log lacks what stood at its end before.
func shrunk(is, was feedengine.Head) bool {
	return is.Seq < was.Seq || is.Seq == was.Seq && is.ID != was.ID
}

func shrunkFrom(shard feedengine.ShardID, is, was feedengine.Head) error {
	return fmt.Errorf("log %d stands at %d (id %d), left at %d (id %d): %w", shard, is.Seq, is.ID, was.Seq, was.ID, errOvertaken)
}
