package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// keyAge is how long an idempotency key stands.
const keyAge = 24 * time.Hour

// waypointEvery is the distance, in seqs, of a log's waypoints.
const waypointEvery = 256 // trimPostWaypoints and trimLogWaypoints know it too

// youngKeys is the id from which on a key is younger than keyAge.
func youngKeys() feedengine.ID { return feedengine.TickAt(time.Now().Add(-keyAge)).ID(0) }

// Append commits the writes under the fences: see storage.Log.
func (s *Store) Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error {
	defer s.ops.append.done(time.Now(), 1)
	return s.write(ctx, "append", func(ctx context.Context, c *conn) error {
		for _, f := range fences {
			if int(f.Shard) >= s.shards || s.heads.of[f.Shard].Epoch != f.Epoch {
				return fmt.Errorf("%w: shard %d, epoch %d", feedengine.ErrFenced, f.Shard, f.Epoch)
			}
			s.heads.fenced[f.Shard] = true
		}
		older := youngKeys()
		for i := range writes {
			if err := s.put(ctx, c, &writes[i], older); err != nil {
				return fmt.Errorf("write %d: %w", i, err)
			}
		}
		return s.heads.save(ctx, c)
	})
}

// put writes one element of a commit.
func (s *Store) put(ctx context.Context, c *conn, w *feedengine.Write, older feedengine.ID) error {
	if int(w.Shard) >= s.shards || !s.heads.fenced[w.Shard] {
		return refused("shard %d is not fenced", w.Shard)
	}
	if m := w.Mark; m != nil {
		if !clean(m.User) {
			return refused("text that is not UTF-8 without U+0000")
		}
		_, err := c.exec(ctx, mergeMark, m.User, int64(m.List), int64(m.Upto))
		return err
	}
	if err := s.putEvent(ctx, c, w.Event); err != nil {
		return err
	}
	if w.Key != nil {
		if err := putKey(ctx, c, w.Key, older); err != nil {
			return err
		}
	}
	return putFacts(ctx, c, w.Event)
}

// putEvent adds an event to its shard's log.
func (s *Store) putEvent(ctx context.Context, c *conn, e *feedengine.Event) (err error) {
	if err := valid(e); err != nil {
		return err
	}
	head := &s.heads.of[e.Shard]
	if e.Seq > head.Seq+1 {
		return fmt.Errorf("%w: event %d is to be %d of shard %d, whose log stands at %d", feedengine.ErrFenced, e.ID, e.Seq, e.Shard, head.Seq)
	}
	if e.Seq <= head.Seq || e.Epoch != head.Epoch {
		return refused("event %d of epoch %d of shard %d, whose log stands at %d of epoch %d", e.Seq, e.Epoch, e.Shard, head.Seq, head.Epoch)
	}
	id, prev, seq, epoch := int64(e.ID), int64(head.ID), int64(e.Seq), int64(e.Epoch)
	if p := e.Post; e.Kind == feedengine.KindPost {
		more, event, full := postColumns(e)
		if full {
			_, err = c.exec(ctx, insertFullPost, id, p.Author, p.Kind, p.Text, int64(p.Likes), int64(p.Comments), prev, seq, epoch, more, event)
		} else {
			_, err = c.exec(ctx, insertPost, id, p.Author, p.Kind, p.Text, int64(p.Likes), int64(p.Comments), prev, seq, epoch)
		}
	} else {
		var target, users, body value
		if e.Target != 0 {
			target = int64(e.Target)
		}
		if len(e.Users) > 0 {
			users = array(e.Users)
		}
		if body, err = bodyColumn(e); err != nil {
			return err
		}
		_, err = c.exec(ctx, insertLog, id, prev, seq, epoch, int64(e.Kind), e.Actor, target, users, body)
	}
	if err != nil {
		return err
	}
	head.Seq, head.ID = e.Seq, e.ID
	s.heads.moved[e.Shard/blockShards] = true
	if e.Seq%waypointEvery == 0 {
		_, err = c.exec(ctx, insertWaypoint, int64(e.Shard), seq, id)
	}
	return err
}

// putKey settles an idempotency key, unless it stands for something already.
func putKey(ctx context.Context, c *conn, k *feedengine.Key, older feedengine.ID) error {
	if !clean(k.User, k.Op, k.Key) {
		return refused("text that is not UTF-8 without U+0000")
	}
	n, err := c.exec(ctx, insertKey, k.User, k.Op, k.Key, k.Hash[:], int64(k.ID), int64(older))
	if err == nil && n == 0 {
		return refused("idempotency key is taken")
	}
	return err
}
