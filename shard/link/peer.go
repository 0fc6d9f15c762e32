package link

import (
	"math/rand/v2"
	"time"
)

// Peer is one life of a node. Of two incarnations of a node the greater is the
// later one, so they must ascend: see NewIncarnation.
type Peer struct {
	Node        string // 1 to 64 bytes
	Incarnation uint64 // not 0
}

// NewIncarnation makes the incarnation of a node that starts at now: its
// microseconds, and below them ten random bits. So it is greater than those of
// earlier starts, unless the wall clock went back between them.
func NewIncarnation(now time.Time) uint64 {
	return max(1, uint64(max(0, now.UnixMicro()))<<10|rand.Uint64N(1<<10))
}
