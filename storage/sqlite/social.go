package sqlite

import (
	"context"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// PostFor returns a post that the viewer may see: see storage.Social.
func (s *Store) PostFor(ctx context.Context, viewer string, id feedengine.ID) (p *feedengine.Post, err error) {
	err = s.ask(ctx, s.ops.postFor, func(c *conn) (err error) {
		if p, err = postSeen(ctx, c, viewer, id); err == nil && p == nil {
			err = feedengine.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Comments returns a page of the comments on a post: see storage.Social.
func (s *Store) Comments(ctx context.Context, viewer string, post, before feedengine.ID, limit int) (*feedengine.CommentPage, error) {
	page := &feedengine.CommentPage{}
	err := s.ask(ctx, s.ops.comments, func(c *conn) error {
		p, err := postSeen(ctx, c, viewer, post)
		if err != nil {
			return err
		}
		if p == nil {
			return feedengine.ErrNotFound
		}
		return c.each(ctx, commentsOf, func(row []value) error {
			page.Comments = append(page.Comments, &feedengine.Comment{
				ID: feedengine.ID(row[0].(int64)), Post: post, Owner: p.Author, Author: row[1].(string), Text: row[2].(string),
			})
			return nil
		}, int64(post), viewer, below(before), int64(more(limit)))
	})
	if err != nil {
		return nil, err
	}
	page.Comments, page.Next = cut(page.Comments, limit, func(c *feedengine.Comment) feedengine.ID { return c.ID })
	return page, nil
}

// Notes returns a page of the user's notifications: see storage.Social.
func (s *Store) Notes(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.NotePage, error) {
	page := &feedengine.NotePage{}
	err := s.ask(ctx, s.ops.notes, func(c *conn) error {
		return c.each(ctx, notesOf, func(row []value) error {
			n := &feedengine.Note{
				ID: feedengine.ID(row[0].(int64)), Kind: feedengine.NoteKind(row[1].(string)), Actor: row[2].(string),
				Post: feedengine.ID(row[3].(int64)), Comment: feedengine.ID(row[4].(int64)), Count: int(row[5].(int64)),
			}
			n.Name, _ = row[7].(string)
			page.Notes = append(page.Notes, n)
			if err := readJSON(row[6], &n.Others); err != nil || len(n.Others) == 0 {
				return err
			}
			n.Actor = n.Others[0]
			return nil
		}, user, below(before), int64(more(limit)))
	})
	if err != nil {
		return nil, err
	}
	page.Notes, page.Next = cut(page.Notes, limit, func(n *feedengine.Note) feedengine.ID { return n.ID })
	return page, nil
}

// Conversations returns a page of the user's conversations: see storage.Social.
func (s *Store) Conversations(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.ConversationPage, error) {
	page := &feedengine.ConversationPage{}
	err := s.ask(ctx, s.ops.conversations, func(c *conn) error {
		return c.each(ctx, conversationsOf, func(row []value) error {
			of := &feedengine.Conversation{
				ID: feedengine.ID(row[0].(int64)), Read: feedengine.ID(row[1].(int64)), Unread: uint32(row[3].(int64)),
			}
			page.Conversations = append(page.Conversations, of)
			if err := readJSON(row[2], &of.Members); err != nil {
				return err
			}
			var err error
			of.Last, err = messageOf(of.ID, row[4:])
			return err
		}, user, below(before), int64(more(limit)), int64(feedengine.MaxUnread))
	})
	if err != nil {
		return nil, err
	}
	page.Conversations, page.Next = cut(page.Conversations, limit, func(of *feedengine.Conversation) feedengine.ID { return of.Last.ID })
	return page, nil
}

// Messages returns a page of a conversation: see storage.Social.
func (s *Store) Messages(ctx context.Context, user string, conversation, before feedengine.ID, limit int) (*feedengine.MessagePage, error) {
	page := &feedengine.MessagePage{}
	err := s.ask(ctx, s.ops.messages, func(c *conn) error {
		if err := isMember(ctx, c, user, conversation); err != nil {
			return err
		}
		if err := c.each(ctx, messagesOf, func(row []value) error {
			m, err := messageOf(conversation, row)
			page.Messages = append(page.Messages, m)
			return err
		}, int64(conversation), user, below(before), int64(more(limit))); err != nil {
			return err
		}
		return c.each(ctx, membersSeen, func(row []value) error {
			page.Seen = append(page.Seen, feedengine.MemberSeen{
				User: row[0].(string), Got: feedengine.ID(row[1].(int64)), Read: feedengine.ID(row[2].(int64)),
			})
			return nil
		}, int64(conversation), user)
	})
	if err != nil {
		return nil, err
	}
	page.Messages, page.Next = cut(page.Messages, limit, func(m *feedengine.Message) feedengine.ID { return m.ID })
	return page, nil
}

// messageOf makes a message of id, author, text, reply, media.
func messageOf(conversation feedengine.ID, row []value) (*feedengine.Message, error) {
	m := &feedengine.Message{
		ID: feedengine.ID(row[0].(int64)), Conversation: conversation, From: row[1].(string), Text: row[2].(string),
		Reply: feedengine.ID(row[3].(int64)),
	}
	return m, readJSON(row[4], &m.Media)
}

// isMember is ErrNotFound unless the user is one of the conversation.
func isMember(ctx context.Context, c *conn, user string, conversation feedengine.ID) error {
	is, err := c.any(ctx, member, user, int64(conversation))
	if err == nil && !is {
		err = fmt.Errorf("%w: conversation %d", feedengine.ErrNotFound, conversation)
	}
	return err
}

// Hidden lists whom the user blocks or mutes: see storage.Social.
func (s *Store) Hidden(ctx context.Context, user string, kind feedengine.HideKind, after string, limit int) ([]string, error) {
	return s.list(ctx, s.ops.hidden, hidden, user, int64(kind), after, int64(max(limit, 0)))
}

// Acquainted returns those of the others whom the user knows: see storage.Social.
func (s *Store) Acquainted(ctx context.Context, user string, others []string) ([]string, error) {
	return s.list(ctx, s.ops.acquainted, acquainted, user, array(others))
}

// Members are the others of a conversation: see storage.Social.
func (s *Store) Members(ctx context.Context, user string, conversation feedengine.ID) (others []string, err error) {
	err = s.ask(ctx, s.ops.members, func(c *conn) (err error) {
		if err := isMember(ctx, c, user, conversation); err != nil {
			return err
		}
		others, err = c.texts(ctx, membersFor, int64(conversation), user)
		return err
	})
	if err != nil {
		return nil, err
	}
	return others, nil
}

// more is a row more than a page has: it says whether there is another one.
func more(limit int) int { return max(limit, 0) + 1 }
