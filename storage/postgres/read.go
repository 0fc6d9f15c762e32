package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// read sends the batch, whose queries have their callbacks, to a reader: one
// round trip, one snapshot.
func (s *Store) read(ctx context.Context, o op, b *pgx.Batch) error {
	return s.readWithin(ctx, callTimeout, o, b)
}

func (s *Store) readWithin(ctx context.Context, timeout time.Duration, o op, b *pgx.Batch) error {
	defer o.done(time.Now(), b.Len())
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.readers.SendBatch(bound, b).Close(); err != nil {
		return failed(ctx, o.name, err)
	}
	return nil
}

// snapshot lets use read more than once, in one snapshot.
func (s *Store) snapshot(ctx context.Context, o op, use func(read func(*pgx.Batch) error) error) error {
	start, statements := time.Now(), 0
	defer func() { o.done(start, statements) }()
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := pgx.BeginFunc(bound, s.readers, func(tx pgx.Tx) error {
		return use(func(b *pgx.Batch) error {
			statements += b.Len()
			return tx.SendBatch(bound, b).Close()
		})
	})
	if err != nil {
		return failed(ctx, o.name, err)
	}
	return nil
}

// Post returns a post that has not been deleted, or ErrNotFound.
func (s *Store) Post(ctx context.Context, id feedengine.ID) (*feedengine.Post, error) {
	var post *feedengine.Post
	var b pgx.Batch
	b.Queue(q.Post, int64(id)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			post = &feedengine.Post{}
			if err := rows.Scan(postFields(post)...); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err := s.read(ctx, s.ops.post, &b); err != nil {
		return nil, err
	}
	if post == nil {
		return nil, fmt.Errorf("postgres: post %d: %w", id, feedengine.ErrNotFound)
	}
	return post, nil
}

// Feed returns a page of the user's feed. See storage.Reads.
func (s *Store) Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error) {
	if limit <= 0 {
		return &feedengine.Page{}, nil
	}
	if before <= 0 {
		before = feedengine.MaxID
	}
	var posts []*feedengine.Post
	var b pgx.Batch
	b.Queue(q.Feed, user, int64(before), limit+1).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			p := &feedengine.Post{}
			if err := rows.Scan(postFields(p)...); err != nil {
				return err
			}
			posts = append(posts, p)
		}
		return rows.Err()
	})
	if err := s.read(ctx, s.ops.feed, &b); err != nil {
		return nil, err
	}
	return newPage(posts, limit), nil
}

// newPage makes the page of limit posts from one post more, if there is one.
func newPage(posts []*feedengine.Post, limit int) *feedengine.Page {
	page := &feedengine.Page{Posts: posts}
	if len(posts) > limit {
		page.Posts = posts[:limit]
		page.Next = posts[limit-1].ID
	}
	return page
}

// postFields are where the columns of a post are scanned to.
func postFields(p *feedengine.Post) []any {
	return []any{&p.ID, &p.Author, &p.Kind, &p.Text, &p.Likes, &p.Comments, (*moreColumn)(p)}
}
