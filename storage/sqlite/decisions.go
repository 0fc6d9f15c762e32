package sqlite

import (
	"context"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// Standing tells how the user stands to a post: see storage.Decisions.
func (s *Store) Standing(ctx context.Context, user string, post feedengine.ID, told bool) (st feedengine.Standing, err error) {
	err = s.ask(ctx, s.ops.standing, func(c *conn) (err error) {
		if st.Name, err = nameFor(ctx, c, user); err != nil {
			return err
		}
		if user == "" {
			return nil // sees all, but stands to nothing
		}
		if st.Post, err = postSeen(ctx, c, user, post); err != nil || st.Post == nil {
			return err
		}
		if err := likesStanding(ctx, c, user, post, &st); err != nil || !told {
			return err
		}
		st.Told, err = c.texts(ctx, toldOf, int64(post), st.Post.Author)
		return err
	})
	if err != nil {
		return feedengine.Standing{}, err
	}
	return st, nil
}

// likesStanding completes what the likes of the post say.
func likesStanding(ctx context.Context, c *conn, user string, post feedengine.ID, st *feedengine.Standing) error {
	if err := c.each(ctx, likedAs, func(row []value) error {
		st.Liked, st.LikedAs = true, feedengine.ID(row[0].(int64))
		return nil
	}, int64(post), user); err != nil {
		return err
	}
	newest, err := c.number(ctx, newestLikes, int64(post))
	if err != nil {
		return err
	}
	st.Newest = feedengine.ID(newest)
	note := newest
	if st.Liked {
		note = int64(st.LikedAs)
	}
	if note == 0 {
		return nil
	}
	n, err := c.number(ctx, countLikes, note)
	if err != nil {
		return err
	}
	st.Count = int(n)
	st.Others, err = c.texts(ctx, newestLikers, note, user)
	return err
}

// postSeen is the post when the viewer may see it, else nil.
func postSeen(ctx context.Context, c *conn, viewer string, id feedengine.ID) (p *feedengine.Post, err error) {
	err = c.each(ctx, postFor, func(row []value) (err error) {
		p, err = postOf(row)
		return err
	}, int64(id), viewer)
	return p, err
}

// nameFor is the user's display name, "" for none.
func nameFor(ctx context.Context, c *conn, user string) (string, error) {
	names, err := c.texts(ctx, nameOf, user)
	return strings.Join(names, ""), err
}

// Talk tells how the user stands to a conversation: see storage.Decisions.
func (s *Store) Talk(ctx context.Context, ask feedengine.TalkAsk) (t feedengine.Talk, err error) {
	err = s.ask(ctx, s.ops.talk, func(c *conn) (err error) {
		if t.Name, err = nameFor(ctx, c, ask.User); err != nil {
			return err
		}
		q, which := member, value(int64(ask.ID))
		if ask.ID == 0 {
			q, which = memberByKey, keyOf(ask.Members)
		}
		if err := c.each(ctx, q, func(row []value) error {
			t.ID, t.Got, t.Read = feedengine.ID(row[0].(int64)), feedengine.ID(row[1].(int64)), feedengine.ID(row[2].(int64))
			return nil
		}, ask.User, which); err != nil {
			return err
		}
		members := ask.Members
		if t.ID != 0 {
			if err := talkOf(ctx, c, ask, &t); err != nil {
				return err
			}
			members = t.Members
		}
		t.Blocked, err = c.texts(ctx, blockedOf, ask.User, array(members))
		return err
	})
	if err != nil {
		return feedengine.Talk{}, err
	}
	return t, nil
}

// talkOf completes what a conversation that the user is in says.
func talkOf(ctx context.Context, c *conn, ask feedengine.TalkAsk, t *feedengine.Talk) (err error) {
	id := int64(t.ID)
	if t.Members, err = c.texts(ctx, membersOf, id); err != nil {
		return err
	}
	if ask.Reply != 0 {
		if t.Replied, err = c.any(ctx, messageIn, int64(ask.Reply), id, ask.User); err != nil {
			return err
		}
	}
	if ask.Upto == 0 {
		return nil
	}
	if t.Unread, err = c.texts(ctx, senders, id, int64(t.Read), int64(ask.Upto), ask.User); err != nil {
		return err
	}
	t.Ungot, err = c.texts(ctx, senders, id, int64(t.Got), int64(ask.Upto), ask.User)
	return err
}

// Ties tells how the user stands to the others: see storage.Decisions.
func (s *Store) Ties(ctx context.Context, user string, others []string) (t feedengine.Ties, err error) {
	err = s.ask(ctx, s.ops.ties, func(c *conn) (err error) {
		if err := c.followed(ctx, &t, user, others); err != nil {
			return err
		}
		t.Blocked, err = c.texts(ctx, blockedOf, user, array(others))
		return err
	})
	if err != nil {
		return feedengine.Ties{}, err
	}
	return t, nil
}

// Blocked returns whom of the others a block hides: see storage.Decisions.
func (s *Store) Blocked(ctx context.Context, user string, others []string) ([]string, error) {
	return s.list(ctx, s.ops.blocked, blockedOf, user, array(others))
}

// Hides reports whether such a hide stands: see storage.Decisions.
func (s *Store) Hides(ctx context.Context, user, other string, kind feedengine.HideKind) (stands bool, err error) {
	err = s.ask(ctx, s.ops.hides, func(c *conn) (err error) {
		stands, err = c.any(ctx, hidesOf, user, other, int64(kind))
		return err
	})
	return stands && err == nil, err
}

// Name is the user's display name: see storage.Decisions.
func (s *Store) Name(ctx context.Context, user string) (name string, err error) {
	err = s.ask(ctx, s.ops.name, func(c *conn) (err error) {
		name, err = nameFor(ctx, c, user)
		return err
	})
	return name, err
}

// Taken names the field that is another user's: see storage.Decisions.
func (s *Store) Taken(ctx context.Context, p feedengine.Profile) (field string, err error) {
	err = s.ask(ctx, s.ops.taken, func(c *conn) error {
		return c.each(ctx, taken, func(row []value) error {
			field, _ = row[0].(string)
			return nil
		}, p.User, strings.ToLower(p.Handle), strings.ToLower(p.Email), p.Phone, p.Subject)
	})
	return field, err
}
