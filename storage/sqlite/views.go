package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Load reads what views are built from: see storage.Views.
func (s *Store) Load(ctx context.Context, users []feedengine.LoadUser, keep int) (*feedengine.Snapshot, error) {
	start, statements := time.Now(), 0
	defer func() { s.ops.load.done(start, statements) }()
	snap := &feedengine.Snapshot{Heads: make([]feedengine.Head, s.shards), Users: make([]feedengine.LoadedUser, len(users))}
	names := make([]string, len(users))
	var asks []pageAsk
	for i, u := range users {
		names[i] = u.User
		snap.Users[i].User = u.User
		if u.Page > 0 {
			snap.Users[i].Page = &feedengine.Page{}
			asks = append(asks, pageAsk{i, u.User, 0, u.Page})
		}
	}
	err := s.read(ctx, "load", func(c *conn) error {
		defer func() { statements = c.ran }()
		if err := c.heads.read(ctx, c, snap.Heads); err != nil || len(users) == 0 {
			return err
		}
		which := array(names)
		if err := loadFollows(ctx, c, which, snap.Users); err != nil {
			return err
		}
		hides, err := loadSocial(ctx, c, which, keep, snap.Users)
		if err != nil {
			return err
		}
		if err := loadUnread(ctx, c, which, keep, hides, snap.Users); err != nil {
			return err
		}
		return readPages(ctx, c, asks, hides, func(i int) *feedengine.Page { return snap.Users[i].Page })
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

func loadFollows(ctx context.Context, c *conn, which string, users []feedengine.LoadedUser) error {
	return c.each(ctx, follows, func(row []value) (err error) {
		if list, ok := row[1].(string); ok {
			users[row[0].(int64)].Follows, err = edgesOf(list)
		}
		return err
	}, which)
}

// edgesOf reads author-since,author-since of at least one. A user id may have
// dashes: the last one counts.
func edgesOf(list string) ([]feedengine.Edge, error) {
	edges := make([]feedengine.Edge, 0, strings.Count(list, ",")+1)
	for edge := range strings.SplitSeq(list, ",") {
		dash := strings.LastIndexByte(edge, '-')
		since, err := strconv.ParseInt(edge[dash+1:], 10, 64)
		if dash < 0 || err != nil {
			return nil, fmt.Errorf("%w: whom a user follows: %q", feedengine.ErrUnavailable, edge)
		}
		edges = append(edges, feedengine.Edge{Author: edge[:dash], Since: feedengine.ID(since)})
	}
	slices.SortFunc(edges, byAuthor) // as they come, but nobody promises it
	return edges, nil
}

func byAuthor(a, b feedengine.Edge) int { return cmp.Compare(a.Author, b.Author) }

// loadUnread counts the unread posts; hides: of all but those who are hidden.
func loadUnread(ctx context.Context, c *conn, which string, keep int, hides bool, users []feedengine.LoadedUser) error {
	q := unread
	if hides {
		q = unreadHiding
	}
	return c.each(ctx, q, func(row []value) error {
		feed := &users[row[0].(int64)].Feed
		feed.Mark = feedengine.ID(row[1].(int64))
		feed.Total = int(row[2].(int64))
		if ids, ok := row[3].(string); ok {
			var err error
			if feed.Unread, err = unreadOf(ids); err != nil {
				return err
			}
		}
		return nil
	}, which, int64(max(keep, 0)), int64(feedengine.MaxUnread))
}

// unreadOf reads [[id, author], …].
func unreadOf(ids string) ([]feedengine.UnreadID, error) {
	var list []unreadRow
	if err := json.Unmarshal([]byte(ids), &list); err != nil {
		return nil, fmt.Errorf("%w: unread ids: %w", feedengine.ErrUnavailable, err)
	}
	unread := make([]feedengine.UnreadID, len(list))
	for i, row := range list {
		unread[i] = feedengine.UnreadID(row)
	}
	slices.SortFunc(unread, func(a, b feedengine.UnreadID) int { return cmp.Compare(a.ID, b.ID) })
	return unread, nil
}

// unreadRow reads [id, author].
type unreadRow feedengine.UnreadID

func (r *unreadRow) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[2]any{&r.ID, &r.Author})
}

// Followed returns those of the authors that the user follows: see storage.Views.
func (s *Store) Followed(ctx context.Context, user string, authors []string) (edges []feedengine.Edge, total int, err error) {
	defer s.ops.followed.done(time.Now(), 2)
	var t feedengine.Ties
	if err := s.read(ctx, "followed", func(c *conn) error { return c.followed(ctx, &t, user, authors) }); err != nil {
		return nil, 0, err
	}
	return t.Follows, t.Following, nil
}

func (c *conn) followed(ctx context.Context, t *feedengine.Ties, user string, authors []string) error {
	if err := c.each(ctx, followed, func(row []value) error {
		t.Follows = append(t.Follows, feedengine.Edge{Author: row[0].(string), Since: feedengine.ID(row[1].(int64))})
		return nil
	}, user, array(authors)); err != nil {
		return err
	}
	return c.each(ctx, degree, func(row []value) error {
		t.Following = int(row[0].(int64))
		return nil
	}, user)
}

// Post returns a post: see storage.Views.
func (s *Store) Post(ctx context.Context, id feedengine.ID) (p *feedengine.Post, err error) {
	defer s.ops.post.done(time.Now(), 1)
	err = s.read(ctx, "post", func(c *conn) error {
		err := c.each(ctx, post, func(row []value) (err error) {
			p, err = postOf(row)
			return err
		}, int64(id))
		if err == nil && p == nil {
			err = feedengine.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// postOf makes a post of id, author, kind, text, likes, comments, more.
func postOf(row []value) (*feedengine.Post, error) {
	p := &feedengine.Post{
		ID: feedengine.ID(row[0].(int64)), Author: row[1].(string), Kind: row[2].(string), Text: row[3].(string),
		Likes: int(row[4].(int64)), Comments: int(row[5].(int64)),
	}
	return p, readMore(p, row[6])
}

// pageAsk asks for a user's page: how many posts below an id (0: the newest).
type pageAsk struct {
	at     int // position of the answer
	user   string
	before feedengine.ID
	limit  int
}

// readPages reads all the pages in one statement, each as long as the longest
// (a LIMIT in SQLite cannot differ from row to row). One post more than asked
// for says whether there is a next page. hides: nothing of those who are hidden.
func readPages(ctx context.Context, c *conn, asks []pageAsk, hides bool, page func(at int) *feedengine.Page) error {
	if len(asks) == 0 {
		return nil
	}
	rows := make([][3]any, len(asks))
	most := 0
	for i, a := range asks {
		if a.before <= 0 {
			a.before = math.MaxInt64
		}
		rows[i] = [3]any{a.at, a.user, a.before}
		most = max(most, a.limit)
	}
	q := pages
	if hides {
		q = pagesHiding
	}
	if err := c.each(ctx, q, func(row []value) error {
		p := page(int(row[0].(int64)))
		post, err := postOf(row[1:])
		p.Posts = append(p.Posts, post)
		return err
	}, array(rows), int64(most+1)); err != nil {
		return err
	}
	for _, a := range asks {
		p := page(a.at)
		slices.SortFunc(p.Posts, func(a, b *feedengine.Post) int { return cmp.Compare(b.ID, a.ID) })
		if len(p.Posts) > a.limit {
			p.Posts = p.Posts[:a.limit]
			p.Next = p.Posts[a.limit-1].ID
		}
	}
	return nil
}
