package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

const (
	claimsAtOnce  = 64 // shards in one claim: the first are served before the last are claimed
	opensAtOnce   = 8
	claimPatience = 5 * time.Second
	openPatience  = 10 * time.Second
	// raises is how often a claim is repeated to get above an epoch that this
	// node has heard of, when the store has forgotten it.
	raises = 8
)

// plan looks for shards to claim, gives up those that are another's by now, and
// has others moved that belong elsewhere.
func (n *Node) plan() {
	if n.host == nil {
		return
	}
	now := time.Now()
	var overtaken []feedengine.ShardID
	served := map[feedengine.ShardID]uint64{}
	for _, s := range n.host.Served() {
		served[s.Shard] = s.Head.Epoch
	}
	n.mu.Lock()
	n.wanted = n.wanted[:0]
	heirs := n.watch.heirs()
	for _, o := range n.owners {
		h := &n.shards[o.Shard]
		if stale := h.stale(o, now); stale {
			continue
		}
		switch {
		case h.phase == absent && n.claimable(o, heirs):
			n.wanted = append(n.wanted, feedengine.Fence{Shard: o.Shard, Epoch: o.Epoch})
		case h.phase == serving && o.Node != n.opts.Node && served[o.Shard] > 0 && served[o.Shard] < o.Epoch:
			h.phase = absent
			overtaken = append(overtaken, o.Shard)
		}
	}
	if len(n.wanted) > 0 {
		select {
		case n.claimNow <- struct{}{}:
		default: // the claimer is called already and will see these too
		}
	}
	n.startMoves()
	n.mu.Unlock()

	for _, s := range overtaken {
		n.shut(s)
	}
	if len(overtaken) > 0 {
		n.metrics.shardsLost.Add(len(overtaken))
		n.log.Warn("other nodes own shards that were served here", "shards", len(overtaken), "first", overtaken[0])
	}
}

// claimable reports whether it is this node's part to claim the shard, which it
// does not have. Called with mu held.
func (n *Node) claimable(o feedengine.Owner, heirs []string) bool {
	switch {
	case n.state != feedengine.MemberServing || n.skewed:
		return false
	case o.Node == n.opts.Node: // from an earlier life, or lost in between
		return true
	}
	owner := n.watch.seen[o.Node]
	if o.Node != "" && owner != nil && !owner.dead && owner.Shard {
		return false
	}
	return place(heirs, o.Shard) == n.opts.Node
}

// claims claims what plan found, until the node stops.
func (n *Node) claims() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.claimNow:
		}
		for n.ctx.Err() == nil {
			batch := n.nextClaims()
			if len(batch) == 0 || !n.claim(batch) {
				break
			}
		}
	}
}

// nextClaims takes a batch of those wanted and marks them.
func (n *Node) nextClaims() (batch []feedengine.Fence) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.wanted) > 0 && len(batch) < claimsAtOnce {
		f := n.wanted[0]
		n.wanted = n.wanted[1:]
		if h := &n.shards[f.Shard]; h.phase == absent && n.state == feedengine.MemberServing {
			h.phase, h.lost = claiming, false
			batch = append(batch, f)
		}
	}
	return batch
}

// claim claims the shards, whose phase is claiming, and serves those that it
// won. It says false when the store did not answer: the next roll tells then
// what became of it, and has plan try again.
func (n *Node) claim(batch []feedengine.Fence) bool {
	won, err := n.raise(n.ctx, batch)
	if err != nil && n.ctx.Err() == nil {
		n.metrics.claimsFailed.Add(len(batch))
		n.log.Warn("shards could not be claimed", "shards", len(batch), "error", err)
	}
	ours := make(map[feedengine.ShardID]bool, len(won))
	for _, c := range won {
		ours[c.Shard] = true
	}
	n.mu.Lock()
	for _, f := range batch {
		if !ours[f.Shard] {
			n.shards[f.Shard].phase = absent
		}
	}
	n.mu.Unlock()

	var opening sync.WaitGroup
	slots := make(chan struct{}, opensAtOnce)
	served := make([]bool, len(won))
	for i, c := range won {
		slots <- struct{}{}
		opening.Go(func() {
			served[i] = n.open(c.Shard, c.Head, nil)
			<-slots
		})
	}
	opening.Wait()
	var places []feedengine.Place
	for i, c := range won {
		if served[i] {
			places = append(places, feedengine.Place{Shard: c.Shard, Epoch: c.Head.Epoch})
		}
	}
	n.tell(places)
	if len(won) > 0 {
		n.log.Info("claimed shards", "asked", len(batch), "won", len(won), "served", len(places))
	}
	return err == nil
}

// raise claims shards on condition of their epochs, and again until the epoch is
// above all that this node has heard of. It returns those that were won.
func (n *Node) raise(ctx context.Context, batch []feedengine.Fence) (won []feedengine.Claimed, err error) {
	for range raises {
		bound, cancel := context.WithTimeout(ctx, claimPatience)
		claimed, err := n.opts.Claims.Claim(bound, n.opts.Node, batch)
		if errors.Is(err, feedengine.ErrUnknownOutcome) {
			batch, err = n.expectOwn(bound, batch)
		}
		cancel()
		if err != nil {
			return won, err
		}
		if claimed == nil {
			continue
		}
		if batch = n.sort(claimed, &won); len(batch) == 0 {
			break
		}
	}
	return won, nil
}

// sort adds those that were won for good to won, and returns those that were
// won and have to be claimed again.
func (n *Node) sort(claimed []feedengine.Claimed, won *[]feedengine.Claimed) (again []feedengine.Fence) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range claimed {
		h := &n.shards[c.Shard]
		switch {
		case c.Won && c.Head.Epoch <= h.known:
			again = append(again, feedengine.Fence{Shard: c.Shard, Epoch: c.Head.Epoch})
		case c.Won:
			*won = append(*won, c)
			n.metrics.claimed.Inc()
		default:
			n.metrics.claimsLost.Inc()
		}
		owner := "" // somebody else
		if c.Won {
			owner = n.opts.Node
		}
		h.hear(c.Head.Epoch, owner, now)
	}
	return again
}

// expectOwn is what to expect of shards after a claim of them whose outcome is
// unknown. Where it happened, the shard is this node's under the next epoch.
func (n *Node) expectOwn(ctx context.Context, batch []feedengine.Fence) ([]feedengine.Fence, error) {
	owners, err := n.opts.Claims.Owners(ctx)
	if err != nil {
		return batch, err
	}
	batch = slices.Clone(batch)
	for i := range batch {
		f := &batch[i]
		if o := owners[f.Shard]; o.Node == n.opts.Node && o.Epoch == f.Epoch+1 {
			f.Epoch = o.Epoch
		}
	}
	return batch, nil
}

// open serves a shard, whose phase is claiming, from the head that its claim
// returned; with the state of the old owner when there is one. It says false
// when that failed: then the next roll has it claimed once more.
func (n *Node) open(s feedengine.ShardID, head feedengine.Head, state *feedengine.Handover) bool {
	ctx, cancel := context.WithTimeout(n.ctx, openPatience)
	defer cancel()
	err := n.host.Open(ctx, s, head, state)
	n.mu.Lock()
	h := &n.shards[s]
	lost := h.lost
	if err == nil && !lost {
		h.phase, h.notTo = serving, ""
		n.epochs[s].Store(head.Epoch)
	} else {
		h.phase = absent
	}
	n.mu.Unlock()
	switch {
	case err != nil:
		n.metrics.opensFailed.Inc()
		if n.ctx.Err() == nil {
			n.log.Warn("a shard was claimed and could not be opened", "shard", s, "error", err)
		}
	case lost:
		n.shut(s)
	}
	return err == nil && !lost
}

// tell says that this node serves these shards from now on: to its own router, and to all.
func (n *Node) tell(places []feedengine.Place) {
	if len(places) == 0 {
		return
	}
	n.serves(n.opts.Node, places)
	n.links.Broadcast(link.Serving{Places: places})
}

// shut ends a shard here.
func (n *Node) shut(s feedengine.ShardID) {
	n.epochs[s].Store(0)
	n.host.Shut(s)
}

// onLost is the host's word that shards are another's.
func (n *Node) onLost(shards []feedengine.ShardID, err error) {
	n.metrics.shardsLost.Add(len(shards))
	n.log.Warn("shards were claimed by another node", "shards", len(shards), "first", shards[0], "error", err)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range shards {
		switch h := &n.shards[s]; h.phase {
		case serving:
			h.phase = absent
			n.epochs[s].Store(0)
		case claiming, leaving:
			h.lost = true
		}
	}
}
