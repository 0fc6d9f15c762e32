package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// Followed returns those of the authors that the user follows, and how many the
// user follows in all. See storage.Views.
func (s *Store) Followed(ctx context.Context, user string, authors []string) ([]feedengine.Edge, int, error) {
	var t feedengine.Ties
	var b pgx.Batch
	queueFollowed(&b, &t, user, authors)
	if err := s.read(ctx, s.ops.followed, &b); err != nil {
		return nil, 0, err
	}
	return t.Follows, t.Following, nil
}

func queueFollowed(b *pgx.Batch, t *feedengine.Ties, user string, authors []string) {
	b.Queue(q.Followed, user, authors).Query(func(rows pgx.Rows) (err error) {
		t.Follows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e feedengine.Edge, err error) {
			return e, row.Scan(&e.Author, &e.Since)
		})
		return err
	})
	b.Queue(q.Degree, user).QueryRow(func(row pgx.Row) error { return row.Scan(&t.Following) })
}

// Following lists whom the user follows. See storage.Reads.
func (s *Store) Following(ctx context.Context, user, after string, limit int) ([]string, error) {
	return s.users(ctx, s.ops.following, q.Following, user, after, limit)
}

// Followers lists who follows the user. See storage.Reads.
func (s *Store) Followers(ctx context.Context, user, after string, limit int) ([]string, error) {
	return s.users(ctx, s.ops.followers, q.Followers, user, after, limit)
}

func (s *Store) users(ctx context.Context, o op, text, user, after string, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	var users []string
	var b pgx.Batch
	b.Queue(text, user, after, limit).Query(func(rows pgx.Rows) error {
		var err error
		users, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := s.read(ctx, o, &b); err != nil {
		return nil, err
	}
	return users, nil
}
