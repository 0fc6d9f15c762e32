package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// frozenAfter is how long an owner's lock may keep a claimer waiting before the
// claimer ends the owner's backends.
const frozenAfter = time.Second

// Claim raises the epoch of the shards and returns their heads. See storage.Log.
//
// ErrUnknownOutcome: the epochs may have been raised; claim again.
func (s *Store) Claim(ctx context.Context, node string, shards []feedengine.ShardID) ([]feedengine.Head, error) {
	if len(shards) == 0 {
		return nil, nil
	}
	start := time.Now()
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := s.writers.Acquire(bound)
	if err != nil {
		return nil, failed(ctx, "claim", err)
	}
	defer conn.Release()

	ids := column(shards, func(id feedengine.ShardID) int16 { return int16(id) })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	heads := make(map[feedengine.ShardID]feedengine.Head, len(ids))

	// The lock is a statement of its own: what an append committed while it was
	// waited for is in the snapshot of the next statement, not in its own.
	var b pgx.Batch
	b.Queue(q.Patience)
	b.Queue(q.LockShards, ids)
	b.Queue(q.Claim, ids, node).Query(func(rows pgx.Rows) error { return scanClaims(rows, heads) })
	defer s.ops.claim.done(start, b.Len())

	watch, stop := context.WithCancel(bound)
	var wg sync.WaitGroup
	wg.Go(func() { s.endFrozen(watch, conn.Conn().PgConn().PID(), ids) })
	err = conn.SendBatch(bound, &b).Close()
	stop()
	wg.Wait()
	if err != nil {
		return nil, commitFailed(ctx, "claim", err, len(heads) == len(ids))
	}
	out := make([]feedengine.Head, len(shards))
	for i, id := range shards {
		out[i] = heads[id]
	}
	return out, nil
}

func scanClaims(rows pgx.Rows, heads map[feedengine.ShardID]feedengine.Head) error {
	for rows.Next() {
		var shard, epoch, first, id int64
		if err := rows.Scan(&shard, &epoch, &first, &id); err != nil {
			return err
		}
		heads[feedengine.ShardID(shard)] = feedengine.Head{
			Epoch: uint64(epoch), First: uint64(first), Seq: uint64(first - 1), ID: feedengine.ID(id),
		}
	}
	return rows.Err()
}

// endFrozen ends, every frozenAfter until ctx ends, those backends of the
// shards' owners that the backend pid waits for: an owner that is alive holds
// its locks for milliseconds. That it could not is no error: the claim then
// fails by its lock timeout.
func (s *Store) endFrozen(ctx context.Context, pid uint32, shards []int16) {
	tick := time.NewTicker(s.frozen)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// The error is the claim's to tell, if it matters there.
		_, _ = s.readers.Exec(ctx, q.EndOwners, int32(pid), shards)
		s.ops.claim.queries.Inc()
	}
}
