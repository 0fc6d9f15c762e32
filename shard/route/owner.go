package route

import (
	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// Owner is the node that owns the user's shard, as far as is known; "" when none is,
// or it is taken for dead. It never waits.
func (r *Router) Owner(user string) string {
	if node := r.tables[r.opts.ShardOf(user)].named.Load(); node != nil {
		return *node
	}
	return ""
}

// Owns says that by the store's word node has claimed the shard under the epoch,
// and may serve it soon. Older epochs than the known one are ignored, so it may be
// told of everything that is known, again and again.
func (r *Router) Owns(node string, p feedengine.Place) {
	r.heard(node, p, func(t *table) bool { return t.owner == "" })
}

// Serving says that node has begun to serve a shard, or serves it again: it knows
// none of this node's sessions.
func (r *Router) Serving(node string, p feedengine.Place) {
	r.heard(node, p, func(*table) bool { return true })
}

// alive is told of a served shard by a heartbeat.
func (r *Router) alive(node string, p feedengine.Place) {
	r.heard(node, p, func(t *table) bool { return t.gone })
}

// heard sets the owner if the epoch is news, or if it is the known one and matters.
func (r *Router) heard(node string, p feedengine.Place, matters func(*table) bool) {
	t := r.table(p.Shard)
	if t == nil || node == "" || p.Epoch == 0 {
		return
	}
	t.lock()
	defer t.unlock()
	known := p.Epoch == t.epoch && (t.owner == node || t.owner == "")
	if p.Epoch > t.epoch || known && matters(t) {
		t.setOwner(node, p.Epoch, r.now())
	}
}

// setOwner takes node for the owner, who has yet to hear of the sessions: they come
// first, then what was asked.
func (t *table) setOwner(node string, epoch uint64, now int64) {
	t.router.metrics.owners.Inc()
	t.owner, t.epoch, t.gone = node, epoch, false
	t.named.Store(&node)
	t.doubtAll(now)
	t.pause, t.whole = 0, len(t.sessions) > 0
	t.rejoin(now)
	for _, id := range t.askIDs(func(a *ask) bool { return !t.waits(a) && !t.here(a) }) {
		if a := t.asks[id]; a != nil { // else ended with one before it
			a.wait, a.holds = t.router.firstWait(), 0
			t.send(a, now)
		}
	}
}

// doubtAll has all sessions confirmed anew.
func (t *table) doubtAll(now int64) {
	for _, s := range t.sessions {
		if s.state == lacking {
			s.tries = 0
		}
		t.lack(s, now)
	}
	if t.lacking > 0 {
		t.scheduleRejoin(now)
	}
}

// NodeGone says that a node is taken for dead: what it has not answered waits for
// the next owner of its shards, or for a sign of life.
func (r *Router) NodeGone(node string) {
	if node == r.opts.Self {
		return
	}
	for _, t := range r.tables {
		t.lock()
		if t.owner == node && !t.gone {
			t.gone = true
			t.named.Store(nil)
			for _, id := range t.askIDs(func(a *ask) bool { return !t.waits(a) && !t.here(a) }) {
				if a := t.asks[id]; a != nil {
					t.send(a, r.now()) // which holds it
				}
			}
		}
		t.unlock()
	}
}

// Lost says that messages of a node did not arrive: any of the sessions in its
// shards may miss something, and answers may be among them.
func (r *Router) Lost(from link.Peer) {
	r.metrics.losses.Inc()
	r.lossAt.Store(r.now())
	r.answers.Store(0)
	for _, t := range r.tables {
		t.lock()
		if t.owner == from.Node {
			now := r.now()
			if t.lacking < len(t.sessions) { // losses come in rows
				for _, s := range t.sessions {
					t.lack(s, now) // one that is lacking already is being asked for
				}
			}
			for _, a := range t.asks {
				if a.next != never && !a.held && now-a.sent >= onceMore {
					a.next = now
					t.wakeAt(now)
				}
			}
		}
		t.unlock()
	}
}
