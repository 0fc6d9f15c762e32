package sqlite

import (
	"context"
	"math"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Feed returns a page of a user's feed: see storage.Reads.
func (s *Store) Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error) {
	page := &feedengine.Page{}
	if limit <= 0 {
		return page, nil
	}
	err := s.ask(ctx, s.ops.feed, func(c *conn) error {
		hides, err := c.any(ctx, anyHides, user)
		if err != nil {
			return err
		}
		return readPages(ctx, c, []pageAsk{{0, user, before, limit}}, hides, func(int) *feedengine.Page { return page })
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Following lists whom the user follows: see storage.Reads.
func (s *Store) Following(ctx context.Context, user, after string, limit int) ([]string, error) {
	return s.list(ctx, s.ops.following, following, user, after, int64(max(limit, 0)))
}

// Followers lists who follows the user: see storage.Reads.
func (s *Store) Followers(ctx context.Context, user, after string, limit int) ([]string, error) {
	return s.list(ctx, s.ops.followers, followers, user, after, int64(max(limit, 0)))
}

// list asks a query that answers with texts.
func (s *Store) list(ctx context.Context, op op, q query, args ...value) (texts []string, err error) {
	err = s.ask(ctx, op, func(c *conn) (err error) {
		texts, err = c.texts(ctx, q, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return texts, nil
}

// ask is read for an op, whose statements it counts.
func (s *Store) ask(ctx context.Context, op op, do func(*conn) error) error {
	start, statements := time.Now(), 0
	defer func() { op.done(start, statements) }()
	return s.read(ctx, op.name, func(c *conn) error {
		defer func() { statements = c.ran }()
		return do(c)
	})
}

// any reports whether the answer to q has a row.
func (c *conn) any(ctx context.Context, q query, args ...value) (found bool, err error) {
	err = c.each(ctx, q, func([]value) error {
		found = true
		return nil
	}, args...)
	return found, err
}

// texts are the first column of the answer to q.
func (c *conn) texts(ctx context.Context, q query, args ...value) (texts []string, err error) {
	err = c.each(ctx, q, func(row []value) error {
		texts = append(texts, row[0].(string))
		return nil
	}, args...)
	return texts, err
}

// number is the first column of the answer's last row, 0 without any.
func (c *conn) number(ctx context.Context, q query, args ...value) (n int64, err error) {
	err = c.each(ctx, q, func(row []value) error {
		n = row[0].(int64)
		return nil
	}, args...)
	return n, err
}

// below is the id that a page is below: before, when it is one.
func below(before feedengine.ID) int64 {
	if before <= 0 {
		return math.MaxInt64
	}
	return int64(before)
}

// cut cuts what is more than limit off a page and says what goes on from there.
func cut[T any](rows []T, limit int, id func(T) feedengine.ID) ([]T, feedengine.ID) {
	if limit <= 0 {
		return nil, 0
	}
	if len(rows) <= limit {
		return rows, 0
	}
	return rows[:limit], id(rows[limit-1])
}
