package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// frozenAfter is how long an owner's lock may keep a claimer waiting before the
// claimer ends the owner's backends.
const frozenAfter = time.Second

// Claim raises the epoch of the shards that have the expected one. See
// storage.Log. node is the store's Node: an owner whose connections have another
// name could not be ended.
func (s *Store) Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error) {
	if len(expect) == 0 {
		return nil, nil
	}
	start := time.Now()
	shards := column(expect, func(f feedengine.Fence) int16 { return int16(f.Shard) })
	epochs := column(expect, func(f feedengine.Fence) int64 { return int64(f.Epoch) })
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := s.writers.Acquire(bound)
	if err != nil {
		return nil, failed(ctx, "claim", err)
	}
	defer conn.Release()

	// The lock is a statement of its own: what an append committed while it was
	// waited for is in the snapshot of the next statement, not in its own.
	claimed := make([]feedengine.Claimed, 0, len(expect))
	var b pgx.Batch
	b.Queue(q.Patience)
	b.Queue(q.LockShards, shards)
	b.Queue(q.Claim, shards, epochs, node).Query(func(rows pgx.Rows) (err error) {
		claimed, err = scanClaimed(rows, claimed)
		return err
	})
	defer s.ops.claim.done(start, b.Len())

	watch, stop := context.WithCancel(bound)
	var wg sync.WaitGroup
	wg.Go(func() { s.endFrozen(watch, conn.Conn().PgConn().PID(), shards, epochs) })
	err = conn.SendBatch(bound, &b).Close()
	stop()
	wg.Wait()
	if err != nil {
		return nil, commitFailed(ctx, "claim", err, len(claimed) == len(expect))
	}
	return claimed, nil
}

func scanClaimed(rows pgx.Rows, into []feedengine.Claimed) ([]feedengine.Claimed, error) {
	for rows.Next() {
		var c feedengine.Claimed
		if err := rows.Scan(&c.Shard, &c.Won, &c.Head.Epoch, &c.Head.First, &c.Head.Seq, &c.Head.ID); err != nil {
			return into, err
		}
		into = append(into, c)
	}
	return into, rows.Err()
}

// Owners says who claimed each shard last. See storage.Log.
func (s *Store) Owners(ctx context.Context) ([]feedengine.Owner, error) {
	owners := make([]feedengine.Owner, 0, s.shards)
	var b pgx.Batch
	b.Queue(q.Owners).Query(func(rows pgx.Rows) (err error) {
		owners, err = scanOwners(rows, owners)
		return err
	})
	if err := s.read(ctx, s.ops.owners, &b); err != nil {
		return nil, err
	}
	return owners, nil
}

func scanOwners(rows pgx.Rows, into []feedengine.Owner) ([]feedengine.Owner, error) {
	for rows.Next() {
		var o feedengine.Owner
		if err := rows.Scan(&o.Shard, &o.Node, &o.Epoch); err != nil {
			return into, err
		}
		into = append(into, o)
	}
	return into, rows.Err()
}

// endFrozen ends, every frozenAfter until ctx ends, those backends that the
// backend pid waits for, of the owners of such shards as still have their epoch:
// an owner that is alive holds its locks for milliseconds, and the owner of a
// shard that was claimed meanwhile stands in nobody's way. That it could not is
// no error: the claim then fails by its lock timeout.
func (s *Store) endFrozen(ctx context.Context, pid uint32, shards []int16, epochs []int64) {
	tick := time.NewTicker(s.frozen)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// The error is the claim's to tell, if it matters there.
		_, _ = s.readers.Exec(ctx, q.EndOwners, int32(pid), shards, epochs)
		s.ops.claim.queries.Inc()
	}
}
