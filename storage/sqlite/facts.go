package sqlite

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// putFacts writes what an event means for the tables that are read.
func putFacts(ctx context.Context, c *conn, e *feedengine.Event) (err error) {
	switch e.Kind {
	case feedengine.KindPost:
		return putPost(ctx, c, e)
	case feedengine.KindPostEdited:
		return editedPost(ctx, c, e.Post)
	case feedengine.KindPostDeleted:
		return deletedPost(ctx, c, e.Target)
	case feedengine.KindFollow:
		return putFollow(ctx, c, e)
	case feedengine.KindUnfollow:
		return putUnfollow(ctx, c, e)
	case feedengine.KindLike:
		return putLike(ctx, c, e, e.Fact.(*feedengine.Like))
	case feedengine.KindUnlike:
		return putUnlike(ctx, c, e, e.Fact.(*feedengine.Like))
	case feedengine.KindComment:
		return putComment(ctx, c, e, e.Fact.(*feedengine.Comment))
	case feedengine.KindMessage:
		return putMessage(ctx, c, e, e.Fact.(*feedengine.Message))
	case feedengine.KindSeen:
		f, read := e.Fact.(*feedengine.Seen), int64(0)
		if f.Read {
			read = 1
		}
		_, err = c.exec(ctx, seeConversation, e.Actor, int64(f.Conversation), int64(f.Upto), read)
	case feedengine.KindBlock:
		return putHides(ctx, c, hide, e.Actor, e.Users[0], true)
	case feedengine.KindUnblock:
		return putHides(ctx, c, unhide, e.Actor, e.Users[0], true)
	case feedengine.KindMute:
		return putHides(ctx, c, hide, e.Actor, e.Users[0], false)
	case feedengine.KindUnmute:
		return putHides(ctx, c, unhide, e.Actor, e.Users[0], false)
	case feedengine.KindProfile:
		return putOwnProfile(ctx, c, e.Actor, e.Fact.(*feedengine.Profile))
	}
	return err
}

// putPost writes what a post means beside its row.
func putPost(ctx context.Context, c *conn, e *feedengine.Event) error {
	if err := putJob(ctx, c, e.Post); err != nil {
		return err
	}
	if err := putNotes(ctx, c, feedengine.NoteMention, e, e.ID, 0, e.Users...); err != nil || e.Post.More == nil {
		return err
	}
	return putNotes(ctx, c, feedengine.NoteJob, e, e.ID, 0, e.Post.More.Alerts...)
}

func editedPost(ctx context.Context, c *conn, p *feedengine.Post) error {
	n, err := c.exec(ctx, editPost, int64(p.ID), p.Text, moreColumn(p))
	if err != nil || n == 0 {
		return err
	}
	if p.Kind == feedengine.KindOfJob {
		if err := dropJobOf(ctx, c, p.ID); err != nil {
			return err
		}
	}
	return putJob(ctx, c, p)
}

func deletedPost(ctx context.Context, c *conn, id feedengine.ID) error {
	if n, err := c.exec(ctx, deletePost, int64(id)); err != nil || n == 0 {
		return err
	}
	if err := dropJobOf(ctx, c, id); err != nil {
		return err
	}
	_, err := c.exec(ctx, dropPostNotes, int64(id))
	return err
}

// followingOf is what more a follow or an unfollow tells.
func followingOf(e *feedengine.Event) feedengine.Following {
	if f, ok := e.Fact.(*feedengine.Following); ok && f != nil {
		return *f
	}
	return feedengine.Following{}
}

func putFollow(ctx context.Context, c *conn, e *feedengine.Event) error {
	if _, err := c.exec(ctx, follow, e.Actor, array(e.Users), int64(e.ID)); err != nil {
		return err
	}
	if !followingOf(e).Notify {
		return nil
	}
	return putNotes(ctx, c, feedengine.NoteFollow, e, 0, 0, e.Users...)
}

func putUnfollow(ctx context.Context, c *conn, e *feedengine.Event) error {
	if _, err := c.exec(ctx, unfollow, e.Actor, array(e.Users)); err != nil {
		return err
	}
	since := followingOf(e).Since
	if len(since) == 0 {
		return nil
	}
	notes := make([][2]any, len(since))
	for i, id := range since {
		notes[i] = [2]any{e.Users[i], id}
	}
	_, err := c.exec(ctx, dropNotes, array(notes))
	return err
}

func putLike(ctx context.Context, c *conn, e *feedengine.Event, f *feedengine.Like) error {
	if _, err := c.exec(ctx, insertLike, int64(f.Post), e.Actor, int64(e.ID), int64(f.Note)); err != nil {
		return err
	}
	if _, err := c.exec(ctx, setLikes, int64(f.Likes), int64(f.Post)); err != nil || !f.Edge || f.Note == 0 {
		return err
	}
	_, err := c.exec(ctx, insertNotes, array([]string{f.Owner}), int64(f.Note), string(feedengine.NoteLike), e.Actor, int64(f.Post), int64(0))
	return err
}

func putUnlike(ctx context.Context, c *conn, e *feedengine.Event, f *feedengine.Like) error {
	if _, err := c.exec(ctx, dropLike, int64(f.Post), e.Actor); err != nil {
		return err
	}
	if _, err := c.exec(ctx, setLikes, int64(f.Likes), int64(f.Post)); err != nil || !f.Edge || f.Note == 0 {
		return err
	}
	_, err := c.exec(ctx, dropNote, f.Owner, int64(f.Note))
	return err
}

func putComment(ctx context.Context, c *conn, e *feedengine.Event, f *feedengine.Comment) error {
	if _, err := c.exec(ctx, insertComment, int64(e.ID), int64(f.Post), e.Actor, f.Text); err != nil {
		return err
	}
	if _, err := c.exec(ctx, countComment, int64(f.Post)); err != nil {
		return err
	}
	if f.Owner != e.Actor {
		if err := putNotes(ctx, c, feedengine.NoteComment, e, f.Post, e.ID, f.Owner); err != nil {
			return err
		}
	}
	others := slices.DeleteFunc(slices.Clone(e.Users), func(u string) bool { return u == f.Owner })
	return putNotes(ctx, c, feedengine.NoteMention, e, f.Post, e.ID, others...)
}

// putNotes notifies the users of the event, but for those who are already.
func putNotes(ctx context.Context, c *conn, kind feedengine.NoteKind, e *feedengine.Event, post, comment feedengine.ID, users ...string) error {
	if len(users) == 0 {
		return nil
	}
	_, err := c.exec(ctx, insertNotes, array(users), int64(e.ID), string(kind), e.Actor, int64(post), int64(comment))
	return err
}

func putMessage(ctx context.Context, c *conn, e *feedengine.Event, f *feedengine.Message) error {
	id, conversation := int64(e.ID), int64(f.Conversation)
	if f.Opens {
		members := feedengine.ConversationMembers(e.Actor, e.Users)
		if _, err := c.exec(ctx, insertConversation, conversation, keyOf(members), id); err != nil {
			return err
		}
		if _, err := c.exec(ctx, insertMembers, conversation, array(members)); err != nil {
			return err
		}
	} else if _, err := c.exec(ctx, setLast, id, conversation); err != nil {
		return err
	}
	var media value
	if len(f.Media) > 0 {
		media = object(f.Media)
	}
	_, err := c.exec(ctx, insertMessage, id, conversation, e.Actor, f.Text, int64(f.Reply), media)
	return err
}

// keyOf is what a conversation is found by: as long for 256 members as for two.
func keyOf(members []string) []byte {
	key := sha256.Sum256([]byte(feedengine.ConversationKey(members)))
	return key[:]
}

// putHides runs hide or unhide for both sides of a block, or for the one of a mute.
func putHides(ctx context.Context, c *conn, q query, actor, other string, block bool) error {
	if !block {
		_, err := c.exec(ctx, q, actor, other, int64(feedengine.HideMute))
		return err
	}
	if _, err := c.exec(ctx, q, actor, other, int64(feedengine.HideBlock)); err != nil {
		return err
	}
	_, err := c.exec(ctx, q, other, actor, int64(feedengine.HideBlockedBy))
	return err
}

// putOwnProfile replaces the user's profile. What is unique and another's is a
// constraint's violation, which is ErrRefused.
func putOwnProfile(ctx context.Context, c *conn, user string, p *feedengine.Profile) error {
	_, err := c.exec(ctx, putProfile, user, p.Handle, strings.ToLower(p.Handle), p.Name, p.Avatar,
		p.Email, strings.ToLower(p.Email), p.Phone, p.Subject)
	return err
}
