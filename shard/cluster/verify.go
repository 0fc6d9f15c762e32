package cluster

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// A store that was away may come back without its last commits: from a backup,
// or as a standby that had not heard of them. Epochs need not show it. Two things
// do: the beats that it has counted, and the logs of the shards that are served
// here, which must stand as this node wrote them.

const (
	// mayForget is how many beats a store may lose by a crash alone: beats do not
	// wait for the disk.
	mayForget = 2
	// verifyLimit is how many events of each log are looked at: those since the
	// last beat before the doubt.
	verifyLimit   = 1024
	verifyPasses  = 5 * time.Second
	verifyAtATime = 64 // logs in one statement
	// reopenPatience is for how long other nodes are told of a loss.
	reopenPatience = time.Minute
)

// forgotten is how many beats of this node the store has forgotten. Called with
// mu held, once for each roll.
func (n *Node) forgotten() uint64 {
	own := n.watch.seen[n.opts.Node]
	if own == nil || own.Incarnation != n.opts.Incarnation {
		return 0
	}
	next := n.ownBeat + 1
	n.ownBeat = own.Beat
	return next - min(next, own.Beat)
}

// verify looks whether the logs of the shards that are served here have all that
// this node has written since the last good roll, and claims those anew that
// have not. It says false when the store did not answer.
func (n *Node) verify(before []feedengine.Head) bool {
	var after []feedengine.Position
	now := map[feedengine.ShardID]feedengine.Head{}
	for _, s := range n.host.Served() {
		head := s.Head
		now[s.Shard] = head
		if b := before[s.Shard]; b.Seq > 0 && b.Seq < head.Seq && head.Seq-b.Seq < verifyLimit {
			head = b
		}
		if head.Seq > 0 {
			after = append(after, feedengine.Position{Shard: s.Shard, Seq: head.Seq - 1})
		}
	}
	var broken []feedengine.ShardID
	holes := false
	for len(after) > 0 {
		part := after[:min(len(after), verifyAtATime)]
		after = after[len(part):]
		ctx, cancel := context.WithTimeout(n.ctx, verifyPasses)
		events, err := n.opts.Claims.ReadLogs(ctx, part, verifyLimit+1)
		cancel()
		if err != nil {
			n.log.Warn("the logs could not be verified after the store was away", "error", err)
			return false
		}
		for _, p := range part {
			of := 0
			for of < len(events) && events[of].Shard == p.Shard {
				of++
			}
			ok, hole := whole(events[:of], p.Seq, before[p.Shard], now[p.Shard])
			if !ok {
				broken = append(broken, p.Shard)
			}
			holes = holes || hole
			events = events[of:]
		}
	}
	n.reopen(broken)
	if holes {
		n.askAllToReopen()
	}
	return true
}

// askAllToReopen has the other nodes build all their views anew. Of a log that
// ends before what they have applied they find out by themselves, since its next
// epoch begins there. One that was written on to before anybody looked does not
// show that it lacks events.
func (n *Node) askAllToReopen() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spawn(func() {
		ctx, cancel := context.WithTimeout(n.ctx, reopenPatience)
		defer cancel()
		for _, t := range n.Gather(ctx, "reopen", nil) {
			if t.Err != nil && n.ctx.Err() == nil {
				n.log.Error("a node may show what the store has lost", "node", t.Node, "error", t.Err)
			}
		}
	})
}

// whole reports whether what was read of a log after a position has no holes,
// and has the events with which the log ended at two times before.
func whole(events []*feedengine.Event, after uint64, heads ...feedengine.Head) (ok, hole bool) {
	for i, e := range events {
		if e.Seq != after+1+uint64(i) {
			return false, true
		}
	}
	for _, head := range heads {
		if head.Seq <= after {
			continue
		}
		at := head.Seq - after - 1
		if at >= uint64(len(events)) || events[at].ID != head.ID {
			return false, false
		}
	}
	return true, false
}

// remember notes where the served logs stand at a good roll.
func (n *Node) remember() {
	clear(n.stood)
	for _, s := range n.host.Served() {
		n.stood[s.Shard] = s.Head
	}
}

// reopen gives up shards whose log has lost events; the next roll, or this one,
// has them claimed anew, and their views built on what there is.
func (n *Node) reopen(shards []feedengine.ShardID) {
	if len(shards) == 0 {
		return
	}
	n.metrics.regressions.Add(len(shards))
	n.log.Error("the store has lost commits", "shards", len(shards))
	var gone []feedengine.ShardID
	n.mu.Lock()
	for _, s := range shards {
		if h := &n.shards[s]; h.phase == serving {
			h.phase = absent
			h.knownAt = time.Time{} // a lower epoch in the roll is no old news
			gone = append(gone, s)
		}
	}
	n.mu.Unlock()
	for _, s := range gone {
		n.shut(s)
	}
	n.hurry()
}

// reopenAll is reopen of everything.
func (n *Node) reopenAll() {
	if n.host == nil {
		return
	}
	all := make([]feedengine.ShardID, len(n.shards))
	for s := range all {
		all[s] = feedengine.ShardID(s)
	}
	n.reopen(all)
}
