package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

const (
	maxIntakes  = 256       // handovers that are arriving at once; further ones are refused
	maxArriving = 512 << 20 // bytes of them
	// intakePatience is how long the pieces of a handover may take to arrive: after
	// that the old owner has taken the shard back.
	intakePatience = takePatience
)

// intake is a handover whose pieces are arriving.
type intake struct {
	began  time.Time
	move   uint64
	shard  feedengine.ShardID
	epoch  uint64
	pieces [][]byte
	left   int // pieces that have not come
	size   int
}

// intakes are those of a node, by old owner and its number of the move. They
// belong to the goroutine on which links hand over messages.
type intakes struct {
	all  map[intakeKey]*intake
	size int
}

type intakeKey struct {
	from link.Peer
	move uint64
}

// add takes a piece. It returns the whole intake with the last one, or why the
// piece is of no use.
func (i *intakes) add(from link.Peer, m link.Hand, now time.Time) (whole *intake, why error) {
	i.expire(now)
	key := intakeKey{from, m.Move}
	in := i.all[key]
	switch {
	case m.Parts < 1 || m.Parts > maxPieces || m.Part < 0 || m.Part >= m.Parts:
		return nil, errPiece
	case in != nil && (in.shard != m.Shard || in.epoch != m.Epoch || len(in.pieces) != m.Parts):
		return nil, errPiece
	case in == nil && (len(i.all) >= maxIntakes || i.size+len(m.Data) > maxArriving):
		return nil, errIntakesFull
	case in == nil:
		in = &intake{began: now, move: m.Move, shard: m.Shard, epoch: m.Epoch, pieces: make([][]byte, m.Parts), left: m.Parts}
		i.all[key] = in
	}
	if in.pieces[m.Part] != nil {
		return nil, nil // it came twice
	}
	in.pieces[m.Part] = append([]byte{}, m.Data...)
	in.size += len(m.Data)
	i.size += len(m.Data)
	if in.left--; in.left > 0 {
		return nil, nil
	}
	i.drop(key)
	return in, nil
}

var (
	errPiece       = errors.New("a piece that fits nothing")
	errIntakesFull = errors.New("too many shards are arriving")
)

// expire drops what will not become whole any more.
func (i *intakes) expire(now time.Time) {
	for key, in := range i.all {
		if now.Sub(in.began) > intakePatience {
			i.drop(key)
		}
	}
}

func (i *intakes) drop(key intakeKey) {
	i.size -= i.all[key].size
	delete(i.all, key)
}

// handed takes a piece of a handover; with the last one begins the taking over.
func (n *Node) handed(from link.Peer, m link.Hand) {
	if n.host == nil || int(m.Shard) >= len(n.shards) {
		n.answer(from, m.Move, m.Shard, 0, errNoShards)
		return
	}
	whole, why := n.intakes.add(from, m, time.Now())
	if why != nil {
		n.metrics.movesDropped.Inc()
		n.answer(from, m.Move, m.Shard, 0, why)
		return
	}
	if whole == nil {
		return
	}
	// At most as many as others may hand over at once (movesPerPeer each).
	why = n.accept(m.Shard, func() {
		epoch, why := n.takeOver(whole)
		n.answer(from, whole.move, whole.shard, epoch, why)
		if why != nil && n.ctx.Err() == nil {
			n.log.Warn("a shard that was handed over could not be taken", "shard", whole.shard, "from", from.Node, "error", why)
		}
	})
	if why != nil {
		n.answer(from, m.Move, m.Shard, 0, why)
	}
}

var (
	errNoShards  = errors.New("this node serves no shards")
	errNotNow    = errors.New("this node takes no shards now")
	errHasIt     = errors.New("this node has the shard in hand already")
	errLateClaim = errors.New("the shard has been claimed meanwhile")
	errNotOpened = errors.New("the shard was claimed and could not be opened")
)

// accept marks a shard as being claimed here and has take run, unless the node
// cannot take it.
func (n *Node) accept(s feedengine.ShardID, take func()) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &n.shards[s]
	switch {
	case n.state != feedengine.MemberServing || n.skewed || n.stopping:
		return errNotNow
	case h.phase != absent:
		return errHasIt
	}
	h.phase, h.lost = claiming, false
	n.spawn(take)
	return nil
}

// takeOver claims a shard, whose phase is claiming, on condition that nobody has
// since the old owner stopped, and serves it from the state that came.
func (n *Node) takeOver(in *intake) (epoch uint64, err error) {
	began := time.Now()
	state, err := feedengine.DecodeHandover(bytes.Join(in.pieces, nil))
	n.metrics.stages["decode"].UpdateDuration(began)
	if err == nil && state.Shard != in.shard {
		err = errPiece
	}
	if err != nil {
		n.release(in.shard)
		return 0, fmt.Errorf("read the state: %w", err)
	}
	ctx, cancel := context.WithTimeout(n.ctx, takePatience)
	defer cancel()
	began = time.Now()
	won, err := n.raise(ctx, []feedengine.Fence{{Shard: in.shard, Epoch: in.epoch}})
	switch {
	case err != nil:
		// Perhaps it is this node's: then the roll says so, and plan claims it again.
		n.release(in.shard)
		return 0, fmt.Errorf("claim: %w", err)
	case len(won) == 0:
		n.release(in.shard)
		return 0, errLateClaim
	}
	n.metrics.stages["claim"].UpdateDuration(began)
	began = time.Now()
	head := won[0].Head
	if !n.open(in.shard, head, state) {
		return 0, errNotOpened
	}
	n.metrics.stages["open"].UpdateDuration(began)
	n.metrics.movedIn.Inc()
	n.tell([]feedengine.Place{{Shard: in.shard, Epoch: head.Epoch}})
	return head.Epoch, nil
}

// release gives up a shard that was being claimed.
func (n *Node) release(s feedengine.ShardID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shards[s].phase = absent
}

// answer tells the old owner what became of a handover.
func (n *Node) answer(to link.Peer, move uint64, s feedengine.ShardID, epoch uint64, why error) {
	m := link.Taken{Move: move, Shard: s, OK: why == nil, Epoch: epoch}
	if why != nil {
		m.Why = why.Error()
	}
	n.links.Send(to.Node, m) // when it is lost, the old owner finds out by a claim
}
