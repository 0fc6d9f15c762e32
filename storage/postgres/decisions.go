package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// queueList queues a query of one column; the list is there once the batch was read.
func queueList[V any](b *pgx.Batch, text string, args ...any) *[]V {
	list := new([]V)
	b.Queue(text, args...).Query(func(rows pgx.Rows) (err error) {
		*list, err = pgx.AppendRows(*list, rows, pgx.RowTo[V])
		return err
	})
	return list
}

// queueRow queues a query of at most one row, scanned to the fields when it is there.
func queueRow(b *pgx.Batch, text string, fields []any, args ...any) *bool {
	there := new(bool)
	b.Queue(text, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(fields...); err != nil {
				return err
			}
			*there = true
		}
		return rows.Err()
	})
	return there
}

// Standing tells how the user stands to a post. See storage.Decisions.
func (s *Store) Standing(ctx context.Context, user string, post feedengine.ID, told bool) (feedengine.Standing, error) {
	st := feedengine.Standing{}
	var name string
	p := &feedengine.Post{}
	var b pgx.Batch
	queueRow(&b, q.Name, []any{&name}, user)
	there := queueRow(&b, q.PostFor, postFields(p), user, int64(post))
	liked := queueRow(&b, q.Liked, []any{&st.LikedAs}, user, int64(post))
	queueRow(&b, q.LikesNote, []any{&st.Newest}, int64(post))
	queueRow(&b, q.LikesOf, []any{&st.Count, &st.Others}, user, int64(post))
	if told {
		b.Queue(q.Told, int64(post)).Query(func(rows pgx.Rows) (err error) {
			st.Told, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	}
	if err := s.read(ctx, s.ops.standing, &b); err != nil {
		return feedengine.Standing{}, err
	}
	if !*there || user == "" {
		return feedengine.Standing{Name: name}, nil
	}
	st.Post, st.Name, st.Liked = p, name, *liked
	return st, nil
}

// Talk tells how the user stands to a conversation. See storage.Decisions.
func (s *Store) Talk(ctx context.Context, ask feedengine.TalkAsk) (feedengine.Talk, error) {
	talk := feedengine.Talk{}
	err := s.snapshot(ctx, s.ops.talk, func(read func(*pgx.Batch) error) error {
		var b pgx.Batch
		queueRow(&b, q.Name, []any{&talk.Name}, ask.User)
		fields := []any{&talk.ID, &talk.Got, &talk.Read, &talk.Members}
		if ask.ID != 0 {
			queueRow(&b, q.Conversation, fields, ask.User, int64(ask.ID))
		} else {
			queueRow(&b, q.ByKey, fields, ask.User, conversationKey(ask.Members))
		}
		if err := read(&b); err != nil {
			return err
		}
		others := talk.Members
		if talk.ID == 0 {
			others = ask.Members
		}
		b = pgx.Batch{}
		blocked := queueList[string](&b, q.Blocked, ask.User, others)
		if talk.ID != 0 && ask.Reply != 0 {
			queueRow(&b, q.Replied, []any{&talk.Replied}, int64(ask.Reply), int64(talk.ID), ask.User)
		}
		senders := func(above feedengine.ID) *[]string {
			if talk.ID == 0 || ask.Upto <= above {
				return new([]string)
			}
			return queueList[string](&b, q.Senders, ask.User, int64(talk.ID), int64(above), int64(ask.Upto), feedengine.MaxMembers)
		}
		unread, ungot := senders(talk.Read), senders(talk.Got)
		if err := read(&b); err != nil {
			return err
		}
		talk.Blocked, talk.Unread, talk.Ungot = *blocked, *unread, *ungot
		return nil
	})
	if err != nil {
		return feedengine.Talk{}, err
	}
	return talk, nil
}

// Ties tells how the user stands to the others. See storage.Decisions.
func (s *Store) Ties(ctx context.Context, user string, others []string) (t feedengine.Ties, err error) {
	var b pgx.Batch
	queueFollowed(&b, &t, user, others)
	blocked := queueList[string](&b, q.Blocked, user, others)
	if err := s.read(ctx, s.ops.ties, &b); err != nil {
		return feedengine.Ties{}, err
	}
	t.Blocked = *blocked
	return t, nil
}

// Blocked returns those of the others with a block either way. See storage.Decisions.
func (s *Store) Blocked(ctx context.Context, user string, others []string) ([]string, error) {
	var b pgx.Batch
	list := queueList[string](&b, q.Blocked, user, others)
	if err := s.read(ctx, s.ops.blocked, &b); err != nil {
		return nil, err
	}
	return *list, nil
}

// Hides reports whether such a hide stands. See storage.Decisions.
func (s *Store) Hides(ctx context.Context, user, other string, kind feedengine.HideKind) (bool, error) {
	var stands bool
	var b pgx.Batch
	queueRow(&b, q.Hides, []any{&stands}, user, other, int16(kind))
	return stands, s.read(ctx, s.ops.hides, &b)
}

// Name is the user's display name. See storage.Decisions.
func (s *Store) Name(ctx context.Context, user string) (string, error) {
	var name string
	var b pgx.Batch
	queueRow(&b, q.Name, []any{&name}, user)
	return name, s.read(ctx, s.ops.name, &b)
}

// Taken names the field of the profile that is another's. See storage.Decisions.
func (s *Store) Taken(ctx context.Context, p feedengine.Profile) (string, error) {
	var handle, email, phone, subject bool
	var b pgx.Batch
	queueRow(&b, q.Taken, []any{&handle, &email, &phone, &subject}, p.User, p.Handle, p.Email, p.Phone, p.Subject)
	if err := s.read(ctx, s.ops.taken, &b); err != nil {
		return "", err
	}
	switch {
	case handle:
		return "handle", nil
	case email:
		return "email", nil
	case phone:
		return "phone", nil
	case subject:
		return "subject", nil
	}
	return "", nil
}
