package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

const (
	movesPerPeer = 4 // at once from one node to another
	movesAtOnce  = 8 // at once from one node to all
	piece        = 256 << 10
	maxPieces    = 1 << 12 // 1 GiB
	stopPatience = 5 * time.Second
	takePatience = 3 * time.Second // for the answer of the new owner
	resumeEvery  = 200 * time.Millisecond
	resumeTries  = 50
	// A node that refused a shard, or did not answer, is asked again after
	// shyFor, then after twice that and so on up to shyAtMost: each try makes a
	// shard stand still for a while.
	shyFor    = 5 * time.Second
	shyAtMost = 80 * time.Second
	// heardWithin: only to a node that was heard on the bus just now is anything handed.
	heardWithin = 2 * time.Second
)

// target is where a shard that is served here belongs: "" where nobody could
// take it. Called with mu held.
func (n *Node) target(s feedengine.ShardID, takers []string) string {
	if pin, ok := n.pins[s]; ok && slices.Contains(takers, pin) {
		return pin
	}
	return place(takers, s)
}

// takers are the nodes among which served shards are placed. Called with mu held.
func (n *Node) takers() []string {
	takers := n.watch.takers()
	self := slices.Index(takers, n.opts.Node)
	switch serves := n.state == feedengine.MemberServing; {
	case serves && self < 0:
		takers = append(takers, n.opts.Node)
	case !serves && self >= 0:
		takers = slices.Delete(takers, self, self+1)
	}
	if n.state == feedengine.MemberDraining {
		// Rather to the second best than to one that cannot be reached.
		now := time.Now()
		takers = slices.DeleteFunc(takers, func(node string) bool { return !n.reachable(node, now) })
	}
	return takers
}

// startMoves begins as many moves as may be under way at once. Called with mu held.
func (n *Node) startMoves() {
	if n.host == nil || n.state == feedengine.MemberStarting || n.stopping {
		return
	}
	now := time.Now()
	takers := n.takers()
	n.forgetPins()
	under, all := map[string]int{}, 0
	for i := range n.shards {
		if h := &n.shards[i]; h.phase == leaving {
			under[h.to]++
			all++
		}
	}
	for i := range n.shards {
		h, s := &n.shards[i], feedengine.ShardID(i)
		if h.phase != serving {
			continue
		}
		to := n.target(s, takers)
		if to == "" || to == n.opts.Node || under[to] >= movesPerPeer || all >= movesAtOnce ||
			!n.reachable(to, now) || !n.worthIt(s, to, now) {
			continue
		}
		under[to]++
		all++
		n.begin(s, to)
	}
}

// worthIt reports whether a shard is to be moved now: not to or from a node that was
// late just now and has enough to do, unless somebody wants it to go. Called with mu held.
func (n *Node) worthIt(s feedengine.ShardID, to string, now time.Time) bool {
	return n.state == feedengine.MemberDraining || n.pins[s] == to ||
		n.watch.rolls.steady(now) && n.watch.inTime(to, now)
}

// shyness is how long nothing is handed to a node.
type shyness struct {
	until time.Time
	wait  time.Duration
}

// reachable reports whether shards may be handed to a node now. Called with mu held.
func (n *Node) reachable(node string, now time.Time) bool {
	return now.Sub(n.heard[node].at) < heardWithin && !now.Before(n.shy[node].until)
}

// failed notes that a move to a node failed. Moves that failed together count
// once. Called with mu held.
func (n *Node) failed(to string, now time.Time) {
	s := n.shy[to]
	if now.Before(s.until) {
		return
	}
	s.wait = min(max(2*s.wait, shyFor), shyAtMost)
	s.until = now.Add(s.wait)
	n.shy[to] = s
}

// begin starts a move. Called with mu held.
func (n *Node) begin(s feedengine.ShardID, to string) {
	h := &n.shards[s]
	h.phase, h.to, h.since, h.notTo = leaving, to, time.Now(), ""
	h.lost, h.taken = false, make(chan taken, 1)
	n.lastMove++
	number := n.lastMove
	n.movesBy[number] = s
	n.spawn(func() {
		err := n.move(s, to, number, h.taken)
		n.mu.Lock()
		delete(n.movesBy, number)
		if err == nil {
			delete(n.shy, to)
		} else {
			h.notTo = to
			n.failed(to, time.Now())
		}
		n.startMoves()
		n.mu.Unlock()
		if err != nil && n.ctx.Err() == nil {
			n.log.Warn("a shard could not be moved", "shard", s, "to", to, "error", err)
		}
	})
}

// move hands a shard, whose phase is leaving, to another node, and sets its phase
// when that is done or has failed.
func (n *Node) move(s feedengine.ShardID, to string, number uint64, answer <-chan taken) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(n.ctx, stopPatience)
	state, place, err := n.host.HandOver(ctx, s)
	cancel()
	if err != nil { // it is served as before, or lost
		n.settlePhase(s, serving)
		return fmt.Errorf("stop work: %w", err)
	}
	n.metrics.stages["stop"].UpdateDuration(began)
	err = n.send(to, number, place, state)
	if err == nil {
		err = n.await(s, to, place, answer)
	}
	if err == nil {
		n.shut(s)
		n.settlePhase(s, absent)
		n.metrics.movedOut.Inc()
		n.metrics.pause.UpdateDuration(began)
		n.log.Debug("moved a shard", "shard", s, "to", to, "pause", time.Since(began), "views", len(state.Views))
		return nil
	}
	n.takeBack(place)
	return err
}

// settlePhase ends the leaving of a shard, unless it was lost meanwhile.
func (n *Node) settlePhase(s feedengine.ShardID, p phase) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &n.shards[s]
	if h.phase != leaving {
		return
	}
	if h.lost {
		p = absent
	}
	h.phase, h.lost = p, false
}

var (
	errLinkFull = errors.New("too much is on the way to that node")
	errTooLarge = errors.New("the shard's state is too large to travel")
	errNoAnswer = errors.New("the new owner does not answer")
)

// send sends a shard's state in pieces.
func (n *Node) send(to string, number uint64, place feedengine.Place, state *feedengine.Handover) error {
	began := time.Now()
	data := feedengine.EncodeHandover(state)
	n.metrics.stages["encode"].UpdateDuration(began)
	parts := max(1, (len(data)+piece-1)/piece)
	if parts > maxPieces {
		return errTooLarge
	}
	for part := range parts {
		ok := n.links.Send(to, link.Hand{
			Move: number, Shard: place.Shard, Epoch: place.Epoch, Part: part, Parts: parts,
			Data: data[part*piece : min(len(data), (part+1)*piece)],
		})
		if !ok {
			return errLinkFull
		}
	}
	return nil
}

// await waits for what becomes of a shard that was handed over.
func (n *Node) await(s feedengine.ShardID, to string, place feedengine.Place, answer <-chan taken) error {
	patience := time.NewTimer(takePatience)
	defer patience.Stop()
	select {
	case <-n.ctx.Done():
		return n.ctx.Err()
	case <-patience.C:
		n.metrics.movesTimedOut.Inc()
		return errNoAnswer
	case a := <-answer:
		if !a.ok {
			n.metrics.movesRefused.Inc()
			return fmt.Errorf("refused: %s", a.why)
		}
		n.mu.Lock()
		n.shards[s].hear(a.epoch, to, time.Now())
		n.mu.Unlock()
		n.serves(to, []feedengine.Place{{Shard: s, Epoch: a.epoch}})
		return nil
	}
}

// takeBack serves a shard again that was handed over and not taken, under an
// epoch of its own; or finds that it has been taken after all.
func (n *Node) takeBack(place feedengine.Place) {
	s := place.Shard
	for range resumeTries {
		won, err := n.raise(n.ctx, []feedengine.Fence{{Shard: s, Epoch: place.Epoch}})
		switch {
		case err == nil && len(won) == 0: // the new owner was first
			n.shut(s)
			n.settlePhase(s, absent)
			return
		case err == nil:
			if err = n.host.Resume(s, won[0].Head); err != nil {
				n.log.Warn("a shard could not be resumed", "shard", s, "error", err)
				break
			}
			n.epochs[s].Store(won[0].Head.Epoch)
			n.settlePhase(s, serving)
			n.tell([]feedengine.Place{{Shard: s, Epoch: won[0].Head.Epoch}})
			return
		}
		select {
		case <-n.ctx.Done():
			return
		case <-time.After(resumeEvery):
		}
	}
	// The store is away: the next roll tells whose it is.
	n.shut(s)
	n.settlePhase(s, absent)
}

// answered takes the new owner's word.
func (n *Node) answered(m link.Taken) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, ok := n.movesBy[m.Move]
	if !ok || s != m.Shard {
		return // it was given up
	}
	select {
	case n.shards[s].taken <- taken{m.OK, m.Epoch, m.Why}:
	default: // said before
	}
}
