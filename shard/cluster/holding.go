package cluster

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// phase is what a node does with a shard.
type phase uint8

const (
	absent   phase = iota // it is another's, or nobody's
	claiming              // being claimed or opened here
	serving               // served here
	leaving               // being handed to another node
)

// holding is a shard as this node has it.
type holding struct {
	phase phase
	lost  bool // while claiming: the host said that it is another's already
	// known is the highest epoch that this node has heard of, since knownAt. A roll
	// with a lower one is older than that, or comes from a store that lost commits.
	known   uint64
	knownAt time.Time
	knownOf string // the node that had it, "" when that is not known
	// While leaving.
	to    string
	since time.Time
	taken chan taken // 1: the move takes the first answer, further ones are dropped
	notTo string     // refused it, or did not answer, when it was to have it last
}

// taken is what became of a shard that was handed over.
type taken struct {
	ok    bool
	epoch uint64
	why   string
}

// hear takes note of an epoch and of whose it is.
func (h *holding) hear(epoch uint64, node string, now time.Time) {
	if epoch > h.known {
		h.known, h.knownAt, h.knownOf = epoch, now, node
	} else if epoch == h.known && h.knownOf == "" {
		h.knownOf = node
	}
}

// stale reports whether what a roll says of the shard is older than what this
// node knows. It stays true only as long as an old roll can be on its way.
func (h *holding) stale(o feedengine.Owner, now time.Time) bool {
	return o.Epoch < h.known && now.Sub(h.knownAt) < deadAfter
}

// count is how many shards are in a phase.
func count(shards []holding, p phase) (n int) {
	for i := range shards {
		if shards[i].phase == p {
			n++
		}
	}
	return n
}
