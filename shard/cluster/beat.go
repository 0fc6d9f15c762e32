package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	// settleEvery is between the beats of a node that is starting, and settle is
	// how long it starts at least: others that start beside it are heard of by then,
	// and it is seen to beat. It takes no shards before.
	settleEvery = 400 * time.Millisecond
	settle      = 1200 * time.Millisecond
	leastBeat   = 20 * time.Millisecond // so that no fault makes it a storm
	// A beat that takes longer is given up, and its connection with it: to make
	// another is no less work for a store that is late.
	beatPatience = 5 * time.Second
	// A confirmation that takes longer is given up: it holds up the next beat.
	confirmPatience = 2 * time.Second
	// maxSkew is how far the node's clock may be off the store's for it to take shards.
	maxSkew = time.Second
)

// errNameTaken: see Lost.
var errNameTaken = errors.New("another process runs under this node's name")

// beats beats until the node stops.
func (n *Node) beats() {
	for {
		began := time.Now()
		err := n.beat()
		n.mu.Lock()
		every := beatEvery
		if n.state == feedengine.MemberStarting {
			every = settleEvery
		}
		// Who is dead is found out by a roll: have one when somebody may be.
		now := time.Now()
		wait := every - min(every, now.Sub(began))
		if err == nil {
			wait = n.watch.due(now, wait)
		}
		n.mu.Unlock()
		select {
		case <-n.ctx.Done():
			return
		case <-n.beatNow:
		case <-time.After(max(wait, leastBeat)):
		}
	}
}

// hurry has the next beat come at once.
func (n *Node) hurry() {
	select {
	case n.beatNow <- struct{}{}:
	default: // one is asked for already
	}
}

// beat beats once and acts on what it learns.
func (n *Node) beat() error {
	ctx, cancel := context.WithTimeout(n.ctx, beatPatience)
	defer cancel()
	n.mu.Lock()
	m := n.member()
	n.mu.Unlock()
	began, wall := time.Now(), n.opts.Now()
	roll, err := n.opts.Members.Beat(ctx, m)
	took := time.Since(began)
	n.metrics.beatSeconds.Update(took.Seconds())
	switch {
	case errors.Is(err, feedengine.ErrFenced):
		n.lose(fmt.Errorf("%w: %q", errNameTaken, n.opts.Node))
		return err
	case err != nil:
		if n.ctx.Err() == nil {
			n.metrics.beatsFailed.Inc()
			n.log.Warn("a beat did not get through", "after", took, "error", err)
			if n.host != nil {
				n.host.Doubt() // the store may come back without its last commits
			}
		}
		return err
	}
	n.metrics.beats.Inc()
	if n.host != nil && !n.host.Renew(began) && !n.unconfirmed {
		n.metrics.lapses.Inc()
		n.unconfirmed = true
	}
	n.look(roll, roll.Now.Sub(wall.Add(took/2)), took/2)
	if n.unconfirmed {
		n.confirm()
	}
	return nil
}

// confirm has the host find out which shards are still its own, after a lapse of
// the lease. Until it succeeds nothing is served, and each beat tries again.
func (n *Node) confirm() {
	ctx, cancel := context.WithTimeout(n.ctx, confirmPatience)
	defer cancel()
	if err := n.host.Confirm(ctx); err != nil {
		n.log.Warn("the shards could not be confirmed after the lease had ended", "error", err)
		return
	}
	n.unconfirmed = false
}

// member is the node's own row. Called with mu held.
func (n *Node) member() feedengine.Member {
	return feedengine.Member{
		Node: n.opts.Node, Incarnation: n.opts.Incarnation, State: n.state,
		Gateway: n.opts.Roles.Gateway, Shard: n.opts.Roles.Shard,
		Admin: n.opts.Admin, Version: n.opts.Version, Started: n.started,
	}
}

// look takes in a roll. skew is how far the store's clock is ahead of this node's,
// give or take doubt.
func (n *Node) look(roll feedengine.Roll, skew, doubt time.Duration) {
	now := time.Now()
	n.mu.Lock()
	suspects := n.watch.suspects(now, roll.Members)
	n.mu.Unlock()
	deserted := n.deserted(suspects)

	n.mu.Lock()
	gone := n.watch.look(now, roll.Members, deserted)
	n.owners = roll.Owners
	for _, o := range roll.Owners {
		n.shards[o.Shard].hear(o.Epoch, o.Node, now)
	}
	n.judgeSkew(skew, doubt)
	own := n.watch.seen[n.opts.Node]
	if n.state == feedengine.MemberStarting && now.Sub(n.began) >= settle && own != nil && own.beating {
		n.state = feedengine.MemberServing
		n.hurry() // so that the others hear of it
	}
	n.mu.Unlock()

	n.hint(roll.Owners)
	// Whoever took this node for dead meanwhile tells it so, when it hears of it
	// again (route.Server): nothing is rejoined only because the roll was late.
	n.part(gone)
	n.plan()
}

// askListeners bounds the question who is on the bus.
const askListeners = 500 * time.Millisecond

// deserted are those of the nodes that are known to hear nothing on the bus any more.
func (n *Node) deserted(nodes []string) map[string]bool {
	if len(nodes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(n.ctx, askListeners)
	defer cancel()
	listening, err := n.links.Listening(ctx, nodes)
	if err != nil {
		return nil // the bus is late as well, or away: who knows
	}
	deserted := map[string]bool{}
	for i, node := range nodes {
		deserted[node] = !listening[i]
	}
	return deserted
}

// judgeSkew decides whether the node's clock is good enough to take shards: ids
// of its making would be too far from those of others. Called with mu held.
func (n *Node) judgeSkew(skew, doubt time.Duration) {
	n.skew = skew
	off := max(skew, -skew)-doubt > maxSkew
	if off != n.skewed {
		n.skewed = off
		if off {
			n.log.Error("this node's clock is too far off the store's: it takes no shards", "skew", skew, "doubt", doubt)
		} else {
			n.log.Info("this node's clock is close enough to the store's again", "skew", skew)
		}
	}
}

// lose ends the node's ownership of anything, once and for all.
func (n *Node) lose(err error) {
	select {
	case n.lost <- err:
		n.log.Error("this node must stop", "error", err)
	default: // told already
	}
}
