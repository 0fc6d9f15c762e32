package shard

import (
	"context"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	// repairGrace is how long a gap may close by itself before storage is asked:
	// what is announced and what a heartbeat says may overtake each other.
	repairGrace = 20 * time.Millisecond
	// repairPause keeps a node that lags from asking all the time.
	repairPause = 10 * time.Millisecond
	// One read takes so many events of so many logs at most.
	repairEvents = 512
	repairLogs   = 64
	// repairTimeout bounds one read.
	repairTimeout = 5 * time.Second
)

// run closes the gaps that do not close by themselves, until the host stops.
func (l *learner) run() {
	ctx := l.host.ctx
	pauses := backoff{min: 50 * time.Millisecond, max: 2 * time.Second}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		if !sleep(ctx, repairGrace) {
			return
		}
		for {
			lacking := l.lacking()
			if len(lacking) == 0 {
				break
			}
			if err := l.repair(ctx, lacking); err == nil {
				pauses.reset()
				if !sleep(ctx, repairPause) {
					return
				}
				continue
			} else if ctx.Err() == nil {
				l.metrics.failures.Inc()
				l.host.log.Warn("what other nodes wrote cannot be read", "logs", len(lacking), "error", err)
			}
			if !pauses.wait(ctx) {
				return
			}
		}
	}
}

// lack is a log that the ring has to come further with.
type lack struct {
	shard feedengine.ShardID
	known feedengine.Head
	want  feedengine.Head
}

// lacking lists what is wanted for longer than the grace, the longest first.
func (l *learner) lacking() (lacking []lack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, w := range l.wants {
		known := l.host.ring.HeadOf(s)
		if w.head.Epoch < known.Epoch {
			delete(l.wants, s) // of an owner that has been fenced since
			continue
		}
		lacking = append(lacking, lack{s, known, w.head})
	}
	slices.SortFunc(lacking, func(a, b lack) int {
		if c := l.wants[a.shard].since.Compare(l.wants[b.shard].since); c != 0 {
			return c
		}
		return int(a.shard) - int(b.shard)
	})
	return lacking[:min(len(lacking), repairLogs)]
}

// repair reads the next piece of the logs. Each is read from its last known event
// on, which shows whether that still stands.
func (l *learner) repair(ctx context.Context, lacking []lack) error {
	after := make([]feedengine.Position, len(lacking))
	for i, k := range lacking {
		after[i] = feedengine.Position{Shard: k.shard, Seq: max(k.known.Seq, 1) - 1}
	}
	ctx, cancel := context.WithTimeout(ctx, repairTimeout)
	defer cancel()
	l.metrics.repairs.Inc()
	events, err := l.host.opts.Store.ReadLogs(ctx, after, repairEvents)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range lacking {
		n := 0
		for n < len(events) && events[n].Shard == k.shard {
			n++
		}
		l.took(k, events[:n])
		events = events[n:]
	}
	return nil
}

// took puts what storage said of one log into the ring, unless the ring has gone
// on with it elsewhere while storage was asked.
func (l *learner) took(k lack, events []*feedengine.Event) {
	if now := l.host.ring.HeadOf(k.shard); now.Epoch != k.known.Epoch || now.First != k.known.First || now.Seq < k.known.Seq {
		return
	}
	if k.known.Seq > 0 && len(events) > 0 && events[0].Seq == k.known.Seq {
		if events[0].ID != k.known.ID {
			l.jump(k.shard, k.known, k.want, true)
			return
		}
		events = events[1:]
	}
	switch {
	case len(events) == 0:
		// Nobody has it, whoever said so: a database that has lost it, or a ghost.
		// A claim or a heartbeat will tell.
		delete(l.wants, k.shard)
		return
	case events[0].Seq > k.known.Seq+1:
		l.jump(k.shard, k.known, k.want, false)
		return
	}
	l.metrics.read.Add(len(events))
	l.host.clock.Observe(events[len(events)-1].ID.Tick())
	l.host.append(events)
	l.follow(k.shard)
}
