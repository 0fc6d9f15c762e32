package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// from is the id that a page is below.
func from(before feedengine.ID) int64 {
	if before <= 0 {
		before = feedengine.MaxID
	}
	return int64(before)
}

// cut makes the page of limit rows from one more, if there is one, and says what to
// ask for next.
func cut[R any](rows []R, limit int, id func(R) feedengine.ID) ([]R, feedengine.ID) {
	if len(rows) <= limit {
		return rows, 0
	}
	return rows[:limit], id(rows[limit-1])
}

// PostFor is Post for a viewer. See storage.Social.
func (s *Store) PostFor(ctx context.Context, viewer string, id feedengine.ID) (*feedengine.Post, error) {
	p := &feedengine.Post{}
	var b pgx.Batch
	there := queueRow(&b, q.PostFor, postFields(p), viewer, int64(id))
	if err := s.read(ctx, s.ops.post, &b); err != nil {
		return nil, err
	}
	if !*there {
		return nil, fmt.Errorf("postgres: post %d: %w", id, feedengine.ErrNotFound)
	}
	return p, nil
}

// Comments returns a page of the comments on a post. See storage.Social.
func (s *Store) Comments(ctx context.Context, viewer string, post, before feedengine.ID, limit int) (*feedengine.CommentPage, error) {
	var rows []*feedengine.Comment
	p := &feedengine.Post{}
	var b pgx.Batch
	there := queueRow(&b, q.PostFor, postFields(p), viewer, int64(post))
	b.Queue(q.Comments, viewer, int64(post), from(before), max(limit, 0)+1).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, func(row pgx.CollectableRow) (*feedengine.Comment, error) {
			c := &feedengine.Comment{}
			return c, row.Scan(&c.ID, &c.Post, &c.Author, &c.Text)
		})
		return err
	})
	if err := s.read(ctx, s.ops.comments, &b); err != nil {
		return nil, err
	}
	if !*there {
		return nil, fmt.Errorf("postgres: comments of post %d: %w", post, feedengine.ErrNotFound)
	}
	page := &feedengine.CommentPage{}
	if limit > 0 {
		for _, c := range rows {
			c.Owner = p.Author
		}
		page.Comments, page.Next = cut(rows, limit, func(c *feedengine.Comment) feedengine.ID { return c.ID })
	}
	return page, nil
}

// Notes returns a page of the user's notifications. See storage.Social.
func (s *Store) Notes(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.NotePage, error) {
	page := &feedengine.NotePage{}
	if limit <= 0 {
		return page, nil
	}
	var rows []*feedengine.Note
	var b pgx.Batch
	b.Queue(q.Notes, user, from(before), limit+1).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, func(row pgx.CollectableRow) (*feedengine.Note, error) {
			n := &feedengine.Note{}
			return n, row.Scan(&n.ID, &n.Kind, &n.Actor, &n.Post, &n.Comment, &n.Count, &n.Others, &n.Name)
		})
		return err
	})
	if err := s.read(ctx, s.ops.notes, &b); err != nil {
		return nil, err
	}
	page.Notes, page.Next = cut(rows, limit, func(n *feedengine.Note) feedengine.ID { return n.ID })
	return page, nil
}

// Conversations returns a page of the user's conversations. See storage.Social. One
// of which everything is hidden from the user is not there.
func (s *Store) Conversations(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.ConversationPage, error) {
	page := &feedengine.ConversationPage{}
	if limit <= 0 {
		return page, nil
	}
	var rows []*feedengine.Conversation
	var b pgx.Batch
	b.Queue(q.Conversations, user, from(before), limit+1, feedengine.MaxUnread).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, func(row pgx.CollectableRow) (*feedengine.Conversation, error) {
			c := &feedengine.Conversation{Last: &feedengine.Message{}}
			return c, row.Scan(append([]any{&c.ID, &c.Members, &c.Read, &c.Unread}, messageFields(c.Last)...)...)
		})
		return err
	})
	if err := s.read(ctx, s.ops.conversations, &b); err != nil {
		return nil, err
	}
	page.Conversations, page.Next = cut(rows, limit, func(c *feedengine.Conversation) feedengine.ID { return c.Last.ID })
	return page, nil
}

// Messages returns a page of a conversation. See storage.Social.
func (s *Store) Messages(ctx context.Context, user string, conversation, before feedengine.ID, limit int) (*feedengine.MessagePage, error) {
	page := &feedengine.MessagePage{}
	var rows []*feedengine.Message
	var b pgx.Batch
	member := queueMember(&b, user, conversation)
	b.Queue(q.Messages, user, int64(conversation), from(before), max(limit, 0)+1).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, func(row pgx.CollectableRow) (*feedengine.Message, error) {
			m := &feedengine.Message{}
			return m, row.Scan(messageFields(m)...)
		})
		return err
	})
	b.Queue(q.Seen, user, int64(conversation)).Query(func(r pgx.Rows) (err error) {
		page.Seen, err = pgx.CollectRows(r, func(row pgx.CollectableRow) (m feedengine.MemberSeen, err error) {
			return m, row.Scan(&m.User, &m.Got, &m.Read)
		})
		return err
	})
	if err := s.read(ctx, s.ops.messages, &b); err != nil {
		return nil, err
	}
	if !*member {
		return nil, notIn(conversation)
	}
	if limit > 0 {
		page.Messages, page.Next = cut(rows, limit, func(m *feedengine.Message) feedengine.ID { return m.ID })
	}
	return page, nil
}

// Members are those whom the user talks to in a conversation. See storage.Social.
func (s *Store) Members(ctx context.Context, user string, conversation feedengine.ID) ([]string, error) {
	var b pgx.Batch
	member := queueMember(&b, user, conversation)
	list := queueList[string](&b, q.MembersOf, user, int64(conversation))
	if err := s.read(ctx, s.ops.members, &b); err != nil {
		return nil, err
	}
	if !*member {
		return nil, notIn(conversation)
	}
	return *list, nil
}

// queueMember asks whether the user is a member of the conversation.
func queueMember(b *pgx.Batch, user string, conversation feedengine.ID) *bool {
	var of feedengine.Talk // thrown away
	return queueRow(b, q.Conversation, []any{&of.ID, &of.Got, &of.Read, &of.Members}, user, int64(conversation))
}

// notIn is the answer to who is not a member, and of what is not there.
func notIn(conversation feedengine.ID) error {
	return fmt.Errorf("postgres: conversation %d: %w", conversation, feedengine.ErrNotFound)
}

// Hidden lists whom the user blocks or mutes. See storage.Social.
func (s *Store) Hidden(ctx context.Context, user string, kind feedengine.HideKind, after string, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	var b pgx.Batch
	list := queueList[string](&b, q.Hidden, user, int16(kind), after, limit)
	if err := s.read(ctx, s.ops.hidden, &b); err != nil {
		return nil, err
	}
	return *list, nil
}

// Acquainted returns those of the others whom the user may watch. See storage.Social.
func (s *Store) Acquainted(ctx context.Context, user string, others []string) ([]string, error) {
	var b pgx.Batch
	list := queueList[string](&b, q.Acquainted, user, others)
	if err := s.read(ctx, s.ops.acquainted, &b); err != nil {
		return nil, err
	}
	return *list, nil
}

// messageFields are where the columns of a message are scanned to.
func messageFields(m *feedengine.Message) []any {
	return []any{&m.ID, &m.Conversation, &m.From, &m.Text, &m.Reply, (*attachedColumn)(m)}
}
