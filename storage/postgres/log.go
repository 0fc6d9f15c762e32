package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// A piece of trimming: so many rows at most of one shard's log, and of each
// table, so that it holds nobody up for longer than some milliseconds.
const (
	trimPerShard = 64
	trimRows     = 4096
)

// ReadLog returns at most limit events with a Seq above after. See storage.Log.
func (s *Store) ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error) {
	return s.ReadLogs(ctx, []feedengine.Position{{Shard: shard, Seq: after}}, limit)
}

// ReadLogs reads several logs at once. See storage.Log.
func (s *Store) ReadLogs(ctx context.Context, after []feedengine.Position, limit int) ([]*feedengine.Event, error) {
	if limit <= 0 || len(after) == 0 {
		return nil, nil
	}
	var events []*feedengine.Event
	var b pgx.Batch
	b.Queue(q.ReadLogs,
		column(after, func(p feedengine.Position) int16 { return int16(p.Shard) }),
		column(after, func(p feedengine.Position) int64 { return int64(min(p.Seq, math.MaxInt64)) }),
		limit,
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			e := &feedengine.Event{}
			var text []byte
			if err := rows.Scan(&e.Shard, &e.Seq, &e.Epoch, &e.ID, &e.Kind, &e.Actor, &text); err != nil {
				return err
			}
			if err := decode(e, text); err != nil {
				return err
			}
			events = append(events, e)
		}
		return rows.Err()
	})
	if err := s.read(ctx, s.ops.readLog, &b); err != nil {
		return nil, err
	}
	return events, nil
}

// Keys looks up idempotency keys. See storage.Log.
func (s *Store) Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error) {
	found := make([]*feedengine.Key, len(ask))
	if len(ask) == 0 {
		return found, nil
	}
	var b pgx.Batch
	b.Queue(q.Keys,
		column(ask, func(k feedengine.Key) string { return k.User }),
		column(ask, func(k feedengine.Key) string { return k.Op }),
		column(ask, func(k feedengine.Key) string { return k.Key }),
		int64(oldestKey(time.Now())),
	).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var ord int
			var hash []byte
			var id feedengine.ID
			if err := rows.Scan(&ord, &hash, &id); err != nil {
				return err
			}
			k := ask[ord-1]
			k.ID = id
			if copy(k.Hash[:], hash) != len(k.Hash) {
				return fmt.Errorf("hash of %d bytes", len(hash))
			}
			found[ord-1] = &k
		}
		return rows.Err()
	})
	if err := s.read(ctx, s.ops.keys, &b); err != nil {
		return nil, err
	}
	return found, nil
}

// Trim deletes a piece of what is older than before. Keys live for their 24
// hours whatever before says. See storage.Log.
func (s *Store) Trim(ctx context.Context, before time.Time) (int, error) {
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	below := feedengine.TickAt(before).ID(0)
	var b pgx.Batch
	b.Queue(q.TrimLog, int64(below), trimPerShard, trimRows)
	b.Queue(q.TrimKeys, int64(min(below, oldestKey(time.Now()))), trimRows)
	defer s.ops.trim.done(time.Now(), b.Len())

	results := s.writers.SendBatch(bound, &b)
	deleted := 0
	for range b.Len() {
		tag, err := results.Exec()
		if err != nil {
			break // Close says it again
		}
		deleted += int(tag.RowsAffected())
	}
	if err := results.Close(); err != nil {
		return 0, failed(ctx, "trim", err)
	}
	return deleted, nil
}
