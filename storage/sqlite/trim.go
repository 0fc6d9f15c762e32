package sqlite

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// trimRows bounds what one Trim deletes of the log, and of the keys: some
// milliseconds of the writer's time.
const trimRows = 1000

// Trim deletes a piece of what is older than before: see storage.Log.
func (s *Store) Trim(ctx context.Context, before time.Time) (int, error) {
	defer s.ops.trim.done(time.Now(), 1)
	var rows int64
	err := s.write(ctx, "trim", func(ctx context.Context, c *conn) (err error) {
		below := int64(feedengine.TickAt(before).ID(0))
		old := min(below, int64(youngKeys())) // keys keep their age, however short the log's is
		if rows, err = c.exec(ctx, trimKeys, old, int64(trimRows)); err != nil {
			return err
		}
		ends := make([]int64, len(s.heads.of))
		for i, head := range s.heads.of {
			ends[i] = int64(head.ID)
		}
		keep := array(ends)
		var last, posts value
		if err := c.each(ctx, trimTo, func(row []value) error { last = row[0]; return nil }, below, int64(trimRows), keep); err != nil || last == nil {
			return err
		}
		// Posts stay: their events are gone when the mark has passed them.
		if err := c.each(ctx, trimmedPosts, func(row []value) error { posts = row[0]; return nil }, last, keep); err != nil {
			return err
		}
		for _, q := range []query{trimPostWaypoints, trimLogWaypoints, trimTexts, setTrimmed} {
			if _, err := c.exec(ctx, q, last); err != nil {
				return err
			}
		}
		n, err := c.exec(ctx, trimLog, last, keep)
		rows += posts.(int64) + n
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(rows), nil
}
