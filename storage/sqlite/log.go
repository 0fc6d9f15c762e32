package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Claim raises the epochs of the shards that have the expected ones: see
// storage.Log.
func (s *Store) Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error) {
	defer s.ops.claim.done(time.Now(), 2)
	claimed := make([]feedengine.Claimed, len(expect))
	err := s.write(ctx, "claim", func(ctx context.Context, c *conn) error {
		if !clean(node) {
			return refused("text that is not UTF-8 without U+0000")
		}
		named := map[feedengine.ShardID]bool{}
		for i, f := range expect {
			if int(f.Shard) >= s.shards {
				return refused("no shard %d among %d", f.Shard, s.shards)
			}
			if named[f.Shard] {
				return refused("shard %d is named twice", f.Shard)
			}
			named[f.Shard] = true
			won := s.heads.of[f.Shard].Epoch == f.Epoch
			if won {
				if err := s.raise(ctx, c, f.Shard, 0, node); err != nil {
					return err
				}
			}
			claimed[i] = feedengine.Claimed{Shard: f.Shard, Won: won, Head: s.heads.of[f.Shard]}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Owners says who claimed each shard last: see storage.Log.
func (s *Store) Owners(ctx context.Context) ([]feedengine.Owner, error) {
	defer s.ops.owners.done(time.Now(), 1)
	all := make([]feedengine.Owner, 0, s.shards)
	err := s.read(ctx, "owners", func(c *conn) error {
		return c.each(ctx, owners, func(row []value) error {
			all = append(all, feedengine.Owner{
				Shard: feedengine.ShardID(row[0].(int64)), Node: row[1].(string), Epoch: uint64(row[2].(int64)),
			})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Heads says where all logs stand: see storage.Log.
func (s *Store) Heads(ctx context.Context) ([]feedengine.Head, error) {
	defer s.ops.heads.done(time.Now(), 1)
	heads := make([]feedengine.Head, s.shards)
	if err := s.read(ctx, "heads", func(c *conn) error { return c.heads.read(ctx, c, heads) }); err != nil {
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
	return s.ReadLogs(ctx, []feedengine.Position{{Shard: shard, Seq: after}}, limit)
}

// ReadLogs returns events of several logs: see storage.Log.
func (s *Store) ReadLogs(ctx context.Context, after []feedengine.Position, limit int) ([]*feedengine.Event, error) {
	if limit <= 0 || len(after) == 0 {
		return nil, nil
	}
	start, statements := time.Now(), 0
	defer func() { s.ops.readLog.done(start, statements) }()
	var events []*feedengine.Event
	err := s.read(ctx, "read log", func(c *conn) (err error) {
		defer func() { statements = c.ran }()
		for _, p := range after {
			if events, err = readOne(ctx, c, events, p, limit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// readOne adds at most limit events of one log.
func readOne(ctx context.Context, c *conn, events []*feedengine.Event, p feedengine.Position, limit int) ([]*feedengine.Event, error) {
	if p.Seq > math.MaxInt64-uint64(limit) {
		return events, nil
	}
	last, err := lastOf(ctx, c, p.Shard)
	if err != nil {
		return nil, err
	}
	full := len(events) + limit
	for {
		before := len(events)
		err := c.each(ctx, readLog, func(row []value) error {
			e, err := eventOf(p.Shard, row)
			events = append(events, e)
			return err
		}, int64(p.Shard), int64(p.Seq), int64(full-before), last)
		// A waypoint after trimmed events may have fewer than limit before it:
		// the rest is asked for until none come.
		if err != nil || len(events) == full || len(events) == before {
			return events, err
		}
		p.Seq = events[len(events)-1].Seq
	}
}

// eventOf makes an event of a row of readLog.
func eventOf(shard feedengine.ShardID, row []value) (*feedengine.Event, error) {
	e := &feedengine.Event{
		Shard: shard,
		ID:    feedengine.ID(row[0].(int64)),
		Seq:   uint64(row[1].(int64)),
		Epoch: uint64(row[2].(int64)),
	}
	var err error
	if author, ok := row[3].(string); ok {
		e.Kind, e.Actor = feedengine.KindPost, author
		e.Post = &feedengine.Post{ID: e.ID, Author: author, Kind: row[4].(string), Text: row[5].(string)}
		err = readPostColumns(e, row[6], row[7])
	} else {
		e.Kind, e.Actor = feedengine.EventKind(row[8].(int64)), row[9].(string)
		if target, ok := row[10].(int64); ok {
			e.Target = feedengine.ID(target)
		}
		if err = readJSON(row[11], &e.Users); err == nil {
			err = readBodyColumn(e, row[12])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("event %d of shard %d: %w", e.Seq, shard, err)
	}
	return e, nil
}
