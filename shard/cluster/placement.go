package cluster

import (
	"github.com/cespare/xxhash/v2"

	"github.com/feedgate/feedgate/feedengine"
)

// place is the node that a shard belongs to, of those given: the one with the
// highest hash of both (rendezvous hashing, Thaler and Ravishankar 1998). It does
// not depend on the order of nodes; a node that comes or goes changes the place
// of its own shards and of no others. Without nodes it is "".
func place(nodes []string, s feedengine.ShardID) string {
	var best string
	var most uint64
	var key [80]byte // names have at most 64 bytes
	for _, node := range nodes {
		b := append(key[:0], node...)
		b = append(b, 0, byte(s>>8), byte(s))
		if h := xxhash.Sum64(b); best == "" || h > most || h == most && node > best {
			best, most = node, h
		}
	}
	return best
}
