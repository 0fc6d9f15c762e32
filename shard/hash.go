package shard

import (
	"github.com/cespare/xxhash/v2"

	"github.com/feedgate/feedgate/feedengine"
)

// Of is the shard, of shards in all, that a user belongs to. It never changes:
// the database is laid out by it.
func Of(user string, shards int) feedengine.ShardID {
	return feedengine.ShardID(xxhash.Sum64String(user) % uint64(shards))
}
