package cluster

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// hearing is when something was last heard of a node, and how often messages
// of it were lost.
type hearing struct {
	at   time.Time
	lost uint64
}

// receiver hands what links bring to the part that it is for.
type receiver struct{ n *Node }

// Receive takes a message.
func (r receiver) Receive(from link.Peer, m link.Message) {
	n := r.n
	<-n.ready // only while New is at work
	n.hear(from, 0)
	switch m := m.(type) {
	case link.Ask, link.Rejoin:
		if n.server != nil {
			n.server.Receive(from, m)
		}
	case link.Answer, link.Deliver, link.Reset:
		if n.router != nil {
			n.router.Receive(from, m)
		}
	case link.Announce:
		if n.host != nil && int(m.Shard) < len(n.shards) {
			n.host.Learn(m.Shard, m.Epoch, m.First, m.Events)
		}
	case link.Heads:
		n.learnHeads(from.Node, m)
		if n.server != nil {
			n.server.Receive(from, m) // from who was taken for dead, perhaps
		}
		if n.router != nil {
			n.router.Receive(from, m)
		}
	case link.Serving:
		n.learnPlaces(from.Node, m.Places)
		if n.router != nil {
			n.router.Receive(from, m)
		}
	case link.Hand:
		n.handed(from, m)
	case link.Taken:
		n.answered(m)
	case link.Kick:
		if n.opts.Kicked != nil {
			n.opts.Kicked(m.User)
		}
	case link.Query:
		n.asked(from, m)
	case link.Told:
		n.told(m)
	}
}

// Lost says that messages of a peer did not arrive.
func (r receiver) Lost(from link.Peer) {
	n := r.n
	<-n.ready
	n.hear(from, 1)
	if n.router != nil {
		n.router.Lost(from)
	}
	// An owner repairs nothing: the gateway's router asks again.
}

func (n *Node) hear(from link.Peer, lost uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.heard[from.Node]
	h.at = time.Now()
	h.lost += lost
	n.heard[from.Node] = h
}

// learnHeads has the host catch up with what another node has committed.
func (n *Node) learnHeads(from string, m link.Heads) {
	now := time.Now()
	n.mu.Lock()
	for _, o := range m.Owned {
		if int(o.Shard) < len(n.shards) {
			n.shards[o.Shard].hear(o.Head.Epoch, from, now)
		}
	}
	n.mu.Unlock()
	if n.host == nil {
		return
	}
	for _, o := range m.Owned {
		if int(o.Shard) < len(n.shards) {
			n.host.LearnHead(o.Shard, o.Head)
		}
	}
}

func (n *Node) learnPlaces(from string, places []feedengine.Place) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range places {
		if int(p.Shard) < len(n.shards) {
			n.shards[p.Shard].hear(p.Epoch, from, now)
		}
	}
}

// announce tells other nodes of what this one has committed. Called on the
// writer's goroutine.
func (n *Node) announce(s feedengine.ShardID, epoch, first uint64, events []*feedengine.Event) {
	n.epochs[s].Store(epoch) // the writer raises it, after a commit of unknown outcome
	n.links.Broadcast(link.Announce{Shard: s, Epoch: epoch, First: first, Events: events})
}

// heads are the shards that this node serves, for its heartbeats.
func (n *Node) heads() []link.OwnedHead {
	served := n.host.Served()
	heads := make([]link.OwnedHead, len(served))
	for i, s := range served {
		heads[i] = link.OwnedHead{Shard: s.Shard, Head: s.Head}
	}
	return heads
}

// places are the same for the server.
func (n *Node) places() []feedengine.Place {
	served := n.host.Served()
	places := make([]feedengine.Place, len(served))
	for i, s := range served {
		places[i] = s.Place()
	}
	return places
}

// serves tells this node's router who serves shards.
func (n *Node) serves(node string, places []feedengine.Place) {
	if n.router == nil {
		return
	}
	for _, place := range places {
		n.router.Serving(node, place)
	}
}

// hint tells this node's router whom the store's roll names.
func (n *Node) hint(owners []feedengine.Owner) {
	if n.router == nil {
		return
	}
	for _, o := range owners {
		if o.Node != "" {
			n.router.Owns(o.Node, feedengine.Place{Shard: o.Shard, Epoch: o.Epoch})
		}
	}
}

// part has this node's parts forget those that are gone. One whose beats are
// missing and whose messages still come has its sessions kept: the store may be
// out of its reach, its sockets are not.
func (n *Node) part(gone []link.Peer) {
	n.mu.Lock()
	now := time.Now()
	for _, p := range gone {
		n.silent[p.Node] = p
	}
	var over, replaced []link.Peer
	for node, p := range n.silent {
		s := n.watch.seen[node]
		switch {
		case s == nil || s.Incarnation != p.Incarnation:
			replaced = append(replaced, p)
		case !s.dead: // it is back
			delete(n.silent, node)
			continue
		case now.Sub(n.heard[node].at) < deadAfter:
			continue
		}
		over = append(over, p)
		delete(n.silent, node)
	}
	for _, p := range replaced {
		delete(n.heard, p.Node)
	}
	n.mu.Unlock()

	for _, p := range gone {
		if n.router != nil {
			n.router.NodeGone(p.Node)
		}
	}
	for _, p := range over {
		n.metrics.gone.Inc()
		n.log.Warn("a node is gone", "node", p.Node)
		if n.server != nil {
			n.server.GatewayGone(p)
		}
	}
	for _, p := range replaced {
		n.links.Forget(p)
	}
}
