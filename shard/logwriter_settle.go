package shard

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// settle answers those whose idempotency key has been used before, and returns
// the others: one lookup for the whole batch, none when it has no keys. Of
// several with the same key the first goes on, and the others wait for what
// becomes of it as its twins.
func (w *Writer) settle(batch []*entry) (rest []*entry, reached bool) {
	type name struct{ user, op, key string }
	var ask []feedengine.Key
	var asking []*entry
	first := map[name]*entry{}
	for _, e := range batch {
		k := e.Write.Key
		if k == nil {
			rest = append(rest, e)
			continue
		}
		if f := first[name{k.User, k.Op, k.Key}]; f != nil {
			f.twins = append(f.twins, e)
			continue
		}
		first[name{k.User, k.Op, k.Key}] = e
		ask, asking, rest = append(ask, *k), append(asking, e), append(rest, e)
	}
	if len(ask) == 0 {
		return rest, true
	}
	found, err := w.keys(ask)
	if err != nil {
		w.Logger.Warn("commit: keys cannot be looked up", "keys", len(ask), "error", err)
		w.refuse(rest, unavailable)
		return nil, false
	}
	for i, e := range asking {
		e.prior = found[i]
	}
	kept := rest[:0]
	for _, e := range rest {
		if e.prior == nil {
			kept = append(kept, e)
			continue
		}
		w.answer(e, judge(e, e.prior))
	}
	return kept, true
}

func (w *Writer) keys(ask []feedengine.Key) ([]*feedengine.Key, error) {
	ctx, cancel := w.call()
	defer cancel()
	found, err := w.Log.Keys(ctx, ask)
	if err != nil {
		w.Doubt()
	}
	return found, err
}

// judge is the outcome of a write whose key belongs to prior.
func judge(e *entry, prior *feedengine.Key) Outcome {
	if e.Write.Key.Hash != prior.Hash {
		return Outcome{Err: refusal(feedengine.Conflict, "the idempotency key was used for another request")}
	}
	return Outcome{Prior: prior}
}

// answer tells the entry's waiter, and its twins' waiters, of the outcome.
func (w *Writer) answer(e *entry, o Outcome) {
	w.metrics.count(o)
	e.Done(o)
	for _, twin := range e.twins {
		switch {
		case e.prior != nil:
			w.answer(twin, judge(twin, e.prior))
		case o.Err == nil:
			w.answer(twin, judge(twin, e.Write.Key))
		case twin.Write.Key.Hash == e.Write.Key.Hash:
			w.answer(twin, o)
		default: // the key is still free, but the twin's place in its log has passed
			w.answer(twin, Outcome{Err: unavailable})
		}
	}
}

// refuse answers all entries with the same refusal.
func (w *Writer) refuse(batch []*entry, err *feedengine.Error) {
	for _, e := range batch {
		w.answer(e, Outcome{Err: err})
	}
}

// refuseQueue refuses all that wait.
func (w *Writer) refuseQueue() {
	w.mu.Lock()
	queue := w.queue
	w.queue = nil
	w.mu.Unlock()
	w.refuse(queue, unavailable)
}

// Refusals that many share; nobody changes them.
var (
	unavailable = refusal(feedengine.Unavailable, "storage cannot be reached")
	expired     = refusal(feedengine.Unavailable, "storage did not get to the write in time")
	shardLost   = refusal(feedengine.Unavailable, "the shard has moved")
	broken      = refusal(feedengine.Internal, "storage did not take the write")
)

// refusal makes an error with a hint when to come back, if that may help.
func refusal(code feedengine.Code, message string) *feedengine.Error {
	err := feedengine.Refuse(code, message)
	if err.Retryable() {
		err.Retry = time.Second
	}
	return err
}

// count adds a write that was taken to its outcome's counter.
func (m *writerMetrics) count(o Outcome) {
	switch {
	case o.Err == nil && o.Prior == nil:
		m.committed.Inc()
	case o.Err == nil:
		m.prior.Inc()
	case o.Err == error(unavailable):
		m.unavailable.Inc()
	case o.Err == error(expired):
		m.expired.Inc()
	case o.Err == error(shardLost):
		m.lost.Inc()
	case o.Err == error(broken):
		m.refused.Inc()
	default:
		m.conflict.Inc()
	}
}
