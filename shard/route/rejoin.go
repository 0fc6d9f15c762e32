package route

import (
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

const (
	// gather is how long a session that lacks something waits for others.
	gather = int64(2 * time.Millisecond)
	// rejoinPart is how many sessions go into one message, about 20 KB.
	rejoinPart = 512
	// wholeMost is how many sessions a Whole may name, in its one message.
	wholeMost = 4096
	// One shard's rejoins are firstPause apart when they come in rows, then twice
	// that and so on up to lastPause: a link that loses all the time must not be
	// filled with repairs. A row is over after rowEnds.
	firstPause = int64(5 * time.Millisecond)
	lastPause  = int64(time.Second)
	rowEnds    = 2 * lastPause
	// wholePause is how often a shard is told of all sessions because it sends
	// to one that is gone.
	wholePause = int64(2 * time.Second)
)

// scheduleRejoin has the lacking sessions asked for soon.
func (t *table) scheduleRejoin(now int64) {
	at := now + gather
	if t.rejoined != 0 {
		at = max(at, t.rejoined+t.pause)
	}
	if t.rejoinAt == 0 || at < t.rejoinAt {
		t.rejoinAt = at
		t.wakeAt(at)
	}
}

// wantWhole has the owner told of all sessions: it sends to one that there is not.
func (t *table) wantWhole(now int64) {
	if t.whole || t.wholeAt != 0 && now-t.wholeAt < wholePause {
		return
	}
	t.whole, t.wholeAt = true, now
	t.scheduleRejoin(now)
}

// rejoin tells the owner of all lacking sessions that it has not been told of, or
// not answered for long.
func (t *table) rejoin(now int64) {
	t.rejoinAt = 0
	if t.owner == "" || t.gone {
		return // setOwner comes here again
	}
	all := t.whole && t.complete()
	t.whole = false
	var ids []feedengine.SessionID
	for id, s := range t.sessions {
		if s.state == lacking && t.dueAt(s) <= now || all && s.state == whole {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if len(ids) > 0 || all {
		t.sendRejoins(ids, all, now)
	}
	next := int64(never)
	if t.lacking > 0 {
		for _, s := range t.sessions {
			if s.state == lacking {
				next = min(next, t.dueAt(s))
			}
		}
	}
	if next != never {
		t.rejoinAt = max(next, t.rejoined+t.pause)
		t.wakeAt(t.rejoinAt)
	}
}

// complete says that one message can name all sessions that the owner may know.
func (t *table) complete() bool {
	if len(t.sessions) > wholeMost {
		return false
	}
	for _, s := range t.sessions {
		if s.state == attaching {
			return false
		}
	}
	return true
}

func (t *table) sendRejoins(ids []feedengine.SessionID, all bool, now int64) {
	m := &t.router.metrics
	if t.rejoined != 0 && now-t.rejoined < rowEnds {
		t.pause = min(max(2*t.pause, firstPause), lastPause)
	} else {
		t.pause = 0
	}
	t.rejoined = now
	for first := true; first || len(ids) > 0; first = false {
		most := rejoinPart
		if all {
			most = wholeMost
		}
		part := ids[:min(len(ids), most)]
		ids = ids[len(part):]
		sessions := make([]feedengine.Rejoin, len(part))
		for i, id := range part {
			s := t.sessions[id]
			sessions[i] = feedengine.Rejoin{
				User: s.user, Session: id, Stream: s.stream, N: s.n, V: s.v, Background: s.background,
			}
			if s.state == lacking {
				s.asked, s.tries = steps(now), min(s.tries+1, 10)
			}
		}
		m.rejoins.Inc()
		m.rejoined.Add(len(part))
		if t.owner == t.router.opts.Self {
			if h := t.router.opts.Host; h != nil { // not taken: as if lost on the way
				h.Rejoin(0, t.shard, feedengine.RejoinInput{Sessions: sessions, Whole: all})
			}
			continue
		}
		t.router.opts.Links.Send(t.owner, link.Rejoin{Shard: t.shard, Whole: all, Sessions: sessions})
	}
}

// dueAt is when a lacking session is asked for again.
func (t *table) dueAt(s *session) int64 {
	if s.tries == 0 {
		return 0
	}
	first := t.router.firstWait()
	return int64(s.asked)*step + min(first<<(s.tries-1), max(lastWait, first))
}
