package sqlite

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Feed returns a page of a user's feed: see storage.Reads.
func (s *Store) Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error) {
	defer s.ops.feed.done(time.Now(), 1)
	page := &feedengine.Page{}
	if limit <= 0 {
		return page, nil
	}
	err := s.read(ctx, "feed", func(c *conn) error {
		return readPages(ctx, c, []pageAsk{{0, user, before, limit}}, func(int) *feedengine.Page { return page })
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Following lists whom the user follows: see storage.Reads.
func (s *Store) Following(ctx context.Context, user, after string, limit int) ([]string, error) {
	return s.list(ctx, s.ops.following, following, user, after, limit)
}

// Followers lists who follows the user: see storage.Reads.
func (s *Store) Followers(ctx context.Context, user, after string, limit int) ([]string, error) {
	return s.list(ctx, s.ops.followers, followers, user, after, limit)
}

func (s *Store) list(ctx context.Context, op op, q query, user, after string, limit int) ([]string, error) {
	defer op.done(time.Now(), 1)
	var users []string
	err := s.read(ctx, op.name, func(c *conn) error {
		return c.each(ctx, q, func(row []value) error {
			users = append(users, row[0].(string))
			return nil
		}, user, after, int64(max(limit, 0)))
	})
	if err != nil {
		return nil, err
	}
	return users, nil
}
