package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Claim raises the epochs of the shards: see storage.Log.
func (s *Store) Claim(ctx context.Context, node string, shards []feedengine.ShardID) ([]feedengine.Head, error) {
	defer s.ops.claim.done(time.Now(), 2)
	heads := make([]feedengine.Head, len(shards))
	err := s.write(ctx, "claim", func(ctx context.Context, c *conn) error {
		if !clean(node) {
			return refused("text that is not UTF-8 without U+0000")
		}
		raised := map[feedengine.ShardID]bool{}
		for _, shard := range shards {
			if int(shard) >= s.shards {
				return refused("no shard %d among %d", shard, s.shards)
			}
			if !raised[shard] {
				raised[shard] = true
				if err := s.raise(ctx, c, shard, 0, node); err != nil {
					return err
				}
			}
		}
		for i, shard := range shards {
			heads[i] = s.heads.of[shard]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return heads, nil
}

// raise gives a shard an epoch above its own and above another. The owner stays
// as it was when it is nil.
func (s *Store) raise(ctx context.Context, c *conn, shard feedengine.ShardID, above uint64, owner value) error {
	head := &s.heads.of[shard]
	head.Epoch = max(head.Epoch, above) + 1
	head.First = head.Seq + 1
	_, err := c.exec(ctx, claim, owner, int64(head.Epoch), int64(head.First), int64(shard))
	return err
}

// Keys looks idempotency keys up: see storage.Log.
func (s *Store) Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error) {
	defer s.ops.keys.done(time.Now(), 1)
	found := make([]*feedengine.Key, len(ask))
	if len(ask) == 0 {
		return found, nil
	}
	names := make([][3]string, len(ask))
	for i, k := range ask {
		names[i] = [3]string{k.User, k.Op, k.Key}
	}
	err := s.read(ctx, "keys", func(c *conn) error {
		return c.each(ctx, findKeys, func(row []value) error {
			k := ask[row[0].(int64)]
			copy(k.Hash[:], row[1].([]byte))
			k.ID = feedengine.ID(row[2].(int64))
			found[row[0].(int64)] = &k
			return nil
		}, array(names), int64(youngKeys()))
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// ReadLog returns events of one shard's log: see storage.Log.
func (s *Store) ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error) {
	if limit <= 0 || after > math.MaxInt64-uint64(limit) {
		return nil, nil
	}
	start, statements := time.Now(), 0
	defer func() { s.ops.readLog.done(start, statements) }()
	var events []*feedengine.Event
	err := s.read(ctx, "read log", func(c *conn) error {
		defer func() { statements = c.ran }()
		last, err := lastOf(ctx, c, shard)
		if err != nil {
			return err
		}
		for {
			before := len(events)
			err := c.each(ctx, readLog, func(row []value) error {
				e, err := eventOf(shard, row)
				events = append(events, e)
				return err
			}, int64(shard), int64(after), int64(limit-before), last)
			// A waypoint after trimmed events may have fewer than limit before it:
			// the rest is asked for until none come.
			if err != nil || len(events) == limit || len(events) == before {
				return err
			}
			after = events[len(events)-1].Seq
		}
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// eventOf makes an event of a row of readLog.
func eventOf(shard feedengine.ShardID, row []value) (*feedengine.Event, error) {
	e := &feedengine.Event{
		Shard: shard,
		ID:    feedengine.ID(row[0].(int64)),
		Seq:   uint64(row[1].(int64)),
		Epoch: uint64(row[2].(int64)),
	}
	if author, ok := row[3].(string); ok {
		e.Kind, e.Actor = feedengine.KindPost, author
		e.Post = &feedengine.Post{ID: e.ID, Author: author, Kind: row[4].(string), Text: row[5].(string)}
		return e, nil
	}
	e.Kind, e.Actor = feedengine.EventKind(row[6].(int64)), row[7].(string)
	if target, ok := row[8].(int64); ok {
		e.Target = feedengine.ID(target)
	}
	if users, ok := row[9].(string); ok {
		if err := json.Unmarshal([]byte(users), &e.Users); err != nil {
			return nil, fmt.Errorf("%w: event %d of shard %d: %w", feedengine.ErrUnavailable, e.Seq, shard, err)
		}
	}
	return e, nil
}
