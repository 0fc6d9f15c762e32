package shard

import (
	"context"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Logs are read where what other nodes announced is not enough.
type Logs interface {
	Heads(ctx context.Context) ([]feedengine.Head, error)
	ReadLogs(ctx context.Context, after []feedengine.Position, limit int) ([]*feedengine.Event, error)
}

// learner brings the ring what other nodes write, in order: from what they
// announce, and where that is not enough from storage. Nothing that comes from
// outside is trusted to be in order, whole or new.
type learner struct {
	// Set at construction.
	host    *Host
	wake    chan struct{} // 1: a token says that there is something wanted
	metrics learnerMetrics

	mu    sync.Mutex
	wants map[feedengine.ShardID]want
	held  map[feedengine.ShardID][]*feedengine.Event // above a gap, ascending
	kept  int                                        // events in held
	said  map[feedengine.ShardID]want                // what a heartbeat has said, where the ring was not there yet
	seen  map[feedengine.ShardID]want                // and what storage has
}

// want is a head that is known to exist and that the ring has yet to come to.
type want struct {
	head  feedengine.Head
	since time.Time
}

// maxHeld is how many events above gaps are kept; further ones are read from
// storage once the gaps are closed.
const maxHeld = 4096

type learnerMetrics struct {
	learned  *metrics.Counter // events that came by announce
	stale    *metrics.Counter // announces of owners that were fenced
	broken   *metrics.Counter // announces that made no sense
	gaps     *metrics.Counter // announces from above a gap
	repairs  *metrics.Counter // reads of storage
	failures *metrics.Counter
	read     *metrics.Counter // events that came from storage
	history  *metrics.Counter // logs that turned out to have lost events that had been applied
	trimmed  *metrics.Counter // logs that had been trimmed beyond what was applied
}

func newLearner(h *Host) *learner {
	set := h.opts.Metrics
	l := &learner{
		host:  h,
		wake:  make(chan struct{}, 1),
		wants: map[feedengine.ShardID]want{},
		held:  map[feedengine.ShardID][]*feedengine.Event{},
		said:  map[feedengine.ShardID]want{},
		seen:  map[feedengine.ShardID]want{},
		metrics: learnerMetrics{
			learned:  set.NewCounter("feedgate_log_learned_total"),
			stale:    set.NewCounter(`feedgate_log_dropped_total{reason="stale_epoch"}`),
			broken:   set.NewCounter(`feedgate_log_dropped_total{reason="malformed"}`),
			gaps:     set.NewCounter("feedgate_log_gaps_total"),
			repairs:  set.NewCounter("feedgate_log_repairs_total"),
			failures: set.NewCounter("feedgate_log_repair_failures_total"),
			read:     set.NewCounter("feedgate_log_repair_events_total"),
			history:  set.NewCounter("feedgate_log_history_lost_total"),
			trimmed:  set.NewCounter("feedgate_log_trimmed_total"),
		},
	}
	set.NewGauge("feedgate_log_lag", func() float64 { return float64(l.lag()) })
	return l
}

// lag is how many events are known to exist that the ring lacks.
func (l *learner) lag() (n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, w := range l.wants {
		n += w.head.Seq - min(w.head.Seq, l.host.ring.HeadOf(s).Seq)
	}
	return n
}

// Learn takes what another node announced of a log. It never waits. Events of
// kinds that concern nobody but the log's own shard may lack their content.
func (h *Host) Learn(shard feedengine.ShardID, epoch, first uint64, events []*feedengine.Event) {
	if int(shard) >= len(h.actors) || !wellFormed(shard, epoch, first, events) {
		h.learner.metrics.broken.Inc()
		return
	}
	last := events[len(events)-1]
	h.clock.Observe(last.ID.Tick()) // before anybody can see it: own ids to come are above
	h.learner.told(shard, feedengine.Head{Epoch: epoch, First: first, Seq: last.Seq, ID: last.ID}, events)
}

// LearnHead takes where another node's heartbeat says that a log stands. It never
// waits. What is lacking when the next one comes, which is behind all announces that
// this one may have overtaken, was lost and is read from storage.
func (h *Host) LearnHead(shard feedengine.ShardID, head feedengine.Head) {
	if int(shard) >= len(h.actors) || head.First > head.Seq+1 {
		h.learner.metrics.broken.Inc()
		return
	}
	if h.serves(shard) != nil || h.learner.lost(h.learner.said, shard, head, 0) {
		h.learner.told(shard, head, nil)
	}
}

// seenLate is how long what storage has may be on its way by the bus.
const seenLate = 9 * time.Second

// lost reports whether a head that was told has to be seen to: when the ring has not
// come, after so long, to one that was told before, by the same source. A busy node's
// announces may be seconds behind its commits, and reading what they bring from
// storage makes it no less busy.
func (l *learner) lost(told map[feedengine.ShardID]want, shard feedengine.ShardID, head feedengine.Head, late time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.host.ring.HeadOf(shard)
	if judgeHead(known, head) != headAhead {
		delete(told, shard)
		return true
	}
	if before, ok := told[shard]; ok && judgeHead(known, before.head) == headAhead {
		return time.Since(before.since) >= late
	}
	told[shard] = want{head: head, since: time.Now()}
	return false
}

// wellFormed reports whether events are a piece of one log under one epoch.
func wellFormed(shard feedengine.ShardID, epoch, first uint64, events []*feedengine.Event) bool {
	if len(events) == 0 || events[0].Seq < first {
		return false
	}
	for i, e := range events {
		if e.Shard != shard || e.Epoch != epoch || e.Seq != events[0].Seq+uint64(i) || i > 0 && e.ID <= events[i-1].ID {
			return false
		}
	}
	return true
}

// told takes a head that a log has come to, and events up to it, or none, from
// another node.
func (l *learner) told(shard feedengine.ShardID, head feedengine.Head, events []*feedengine.Event) {
	if a := l.host.serves(shard); a != nil {
		at := a.epoch.Load()
		if head.Epoch <= at {
			return // nobody knows an own log better
		}
		l.host.overtaken(a, at, head)
	}
	l.take(shard, head, events)
}

// take is told of what is certainly true, or what storage says.
func (l *learner) take(shard feedengine.ShardID, head feedengine.Head, events []*feedengine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.host.ring.HeadOf(shard)
	switch judgeHead(known, head) {
	case headStale:
		l.metrics.stale.Inc()
	case headLost:
		l.jump(shard, known, head, true)
	case headNew:
		l.host.ring.Adopt(shard, head)
	case headAhead:
		if events == nil || events[0].Seq > known.Seq+1 {
			if events != nil {
				l.metrics.gaps.Inc()
				l.hold(shard, events)
			}
			l.want(shard, head)
			return
		}
		l.metrics.learned.Add(len(events))
		l.host.append(events)
		l.follow(shard)
	}
}

// headVerdict is what a head told means for a log whose head is known.
type headVerdict int

const (
	headKnown headVerdict = iota // nothing new
	headStale                    // of an owner that has been fenced
	headNew                      // a new epoch, without events yet
	headAhead                    // there are events to be learned
	headLost                     // events that are known are no more
)

// judgeHead compares a head that was told with the one that is known.
//
// A claim's First is the seq after all that its log had: whatever is known from
// there on under an older epoch was lost, by a database that came back without
// its last commits. Then even epochs may be used again; their First tells them apart.
func judgeHead(known, told feedengine.Head) headVerdict {
	switch {
	case told.Epoch < known.Epoch:
		return headStale
	case told.Epoch == known.Epoch && told.First != known.First,
		told.Epoch > known.Epoch && told.First <= known.Seq,
		told.Seq == known.Seq && told.ID != known.ID:
		return headLost
	case told.Seq > known.Seq:
		return headAhead
	case told.Epoch > known.Epoch:
		return headNew
	}
	return headKnown
}

// jump goes on with a log elsewhere than where the ring stood.
func (l *learner) jump(shard feedengine.ShardID, known, head feedengine.Head, historyLost bool) {
	if historyLost {
		l.metrics.history.Inc()
		l.host.recent.clear()
	} else {
		l.metrics.trimmed.Inc()
	}
	l.host.log.Warn("a log is not what it was taken for: views are rebuilt", "shard", shard, "lost", historyLost,
		"known", known.Seq, "known_epoch", known.Epoch, "head", head.Seq, "epoch", head.Epoch, "first", head.First)
	l.host.clock.Observe(head.ID.Tick())
	l.host.ring.Jump(shard, head, historyLost)
	l.forget(shard)
}

// hold keeps events until the gap below them is closed.
func (l *learner) hold(shard feedengine.ShardID, events []*feedengine.Event) {
	if l.kept+len(events) > maxHeld {
		return
	}
	l.held[shard] = append(l.held[shard], events...)
	l.kept += len(events)
}

// want has the repair see to a head.
func (l *learner) want(shard feedengine.ShardID, head feedengine.Head) {
	w, ok := l.wants[shard]
	switch {
	case !ok:
		w.since = time.Now()
	case head.Epoch < w.head.Epoch || head.Epoch == w.head.Epoch && head.Seq <= w.head.Seq:
		return
	}
	w.head = head
	l.wants[shard] = w
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// follow puts behind what was just appended what had come too early, and
// forgets what is no longer wanted.
func (l *learner) follow(shard feedengine.ShardID) {
	if held := l.held[shard]; held != nil {
		var later []*feedengine.Event
		for again := true; again; {
			again = false
			later = later[:0]
			for _, e := range held {
				switch known := l.host.ring.HeadOf(shard); {
				case e.Seq == known.Seq+1 && e.Epoch >= known.Epoch:
					l.metrics.learned.Inc()
					l.host.append([]*feedengine.Event{e})
					again = true
				case e.Seq > known.Seq:
					later = append(later, e)
				}
			}
			l.kept -= len(held) - len(later)
			held = append([]*feedengine.Event(nil), later...)
		}
		if len(held) == 0 {
			held = nil
			delete(l.held, shard)
		} else {
			l.held[shard] = held
		}
	}
	if w, ok := l.wants[shard]; ok {
		if known := l.host.ring.HeadOf(shard); known.Seq >= w.head.Seq {
			delete(l.wants, shard)
			if judgeHead(known, w.head) == headNew {
				l.host.ring.Adopt(shard, w.head)
			}
		}
	}
}

// forget drops all that is kept for a log.
func (l *learner) forget(shard feedengine.ShardID) {
	l.kept -= len(l.held[shard])
	delete(l.held, shard)
	delete(l.wants, shard)
}

// reach has the ring come to the heads, and reports whether it has, as far as
// these are still of the same history.
func (l *learner) reach(heads []feedengine.Head) (there bool) {
	there = true
	for s, head := range heads {
		shard := feedengine.ShardID(s)
		if l.host.serves(shard) != nil {
			continue // the ring has all there is
		}
		switch judgeHead(l.host.ring.HeadOf(shard), head) {
		case headNew:
			l.take(shard, head, nil)
		case headAhead:
			l.take(shard, head, nil)
			there = false
		}
	}
	return there
}
