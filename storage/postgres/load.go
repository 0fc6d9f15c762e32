package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// Load reads what the users' views are built from. See storage.Views.
//
// It costs one round trip with three statements, and a fourth when somebody
// asked for a page, all in one implicit transaction: a reader's, which is one
// REPEATABLE READ snapshot.
func (s *Store) Load(ctx context.Context, users []feedengine.LoadUser, keep int) (*feedengine.Snapshot, error) {
	snap := &feedengine.Snapshot{
		Heads: make([]feedengine.Head, s.shards),
		Users: make([]feedengine.LoadedUser, len(users)),
	}
	for i, u := range users {
		snap.Users[i].User = u.User
	}
	names := column(users, func(u feedengine.LoadUser) string { return u.User })

	var b pgx.Batch
	b.Queue(q.Heads).Query(func(rows pgx.Rows) error { return scanHeads(rows, snap.Heads) })
	b.Queue(q.Follows, names).Query(func(rows pgx.Rows) error { return scanFollows(rows, snap.Users) })
	b.Queue(q.Unread, names, max(keep, 1), feedengine.MaxUnread).Query(func(rows pgx.Rows) error {
		return scanUnread(rows, keep, snap.Users)
	})
	queuePages(&b, users, snap.Users)
	if err := s.readWithin(ctx, loadTimeout, s.ops.load, &b); err != nil {
		return nil, err
	}
	return snap, nil
}

// Heads says where all logs stand. See storage.Log.
func (s *Store) Heads(ctx context.Context) ([]feedengine.Head, error) {
	heads := make([]feedengine.Head, s.shards)
	var b pgx.Batch
	b.Queue(q.Heads).Query(func(rows pgx.Rows) error { return scanHeads(rows, heads) })
	if err := s.read(ctx, s.ops.heads, &b); err != nil {
		return nil, err
	}
	return heads, nil
}

func scanHeads(rows pgx.Rows, heads []feedengine.Head) error {
	for rows.Next() {
		var shard int
		var h feedengine.Head
		if err := rows.Scan(&shard, &h.Epoch, &h.First, &h.Seq, &h.ID); err != nil {
			return err
		}
		heads[shard] = h
	}
	return rows.Err()
}

func scanFollows(rows pgx.Rows, users []feedengine.LoadedUser) error {
	var authors, others []string
	var since []int64
	var kinds []int16
	for rows.Next() {
		var ord int
		var name string
		if err := rows.Scan(&ord, &name, &authors, &since, &others, &kinds); err != nil {
			return err
		}
		u := &users[ord-1]
		u.Name = name
		for i := range others {
			u.Hides = append(u.Hides, feedengine.Hide{Other: others[i], Kind: feedengine.HideKind(kinds[i])})
		}
		edges := make([]feedengine.Edge, len(authors))
		for i := range authors {
			edges[i] = feedengine.Edge{Author: authors[i], Since: feedengine.ID(since[i])}
		}
		u.Follows = edges
	}
	return rows.Err()
}

// scanUnread reads a row for each user, and one for each conversation in which the
// user has unread messages.
func scanUnread(rows pgx.Rows, keep int, users []feedengine.LoadedUser) error {
	var ids, notes []int64
	var authors []string
	for rows.Next() {
		var ord int
		var of, top feedengine.ID
		var c, n feedengine.LoadedCount
		if err := rows.Scan(&ord, &of, &c.Mark, &c.Total, &ids, &authors, &n.Mark, &n.Total, &notes, &top); err != nil {
			return err
		}
		c.Unread = unread(ids, authors, keep)
		u := &users[ord-1]
		if of != 0 {
			u.Chats = append(u.Chats, feedengine.LoadedChat{Conversation: of, LoadedCount: c})
			continue
		}
		n.Unread = unread(notes, nil, keep)
		u.Feed, u.Notes, u.ChatTop = c, n, top
	}
	for i := range users {
		slices.SortFunc(users[i].Chats, func(a, b feedengine.LoadedChat) int { return cmp.Compare(a.Conversation, b.Conversation) })
	}
	return rows.Err()
}

// unread are the ids, with their authors if these are known, ascending; none when
// none are kept.
func unread(ids []int64, authors []string, keep int) []feedengine.UnreadID {
	if len(ids) == 0 || keep <= 0 {
		return nil
	}
	list := make([]feedengine.UnreadID, len(ids))
	for i := range ids {
		list[i].ID = feedengine.ID(ids[i])
		if authors != nil {
			list[i].Author = authors[i]
		}
	}
	slices.SortFunc(list, func(a, b feedengine.UnreadID) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// queuePages queues the query for the pages, when any was asked for.
func queuePages(b *pgx.Batch, users []feedengine.LoadUser, loaded []feedengine.LoadedUser) {
	var names []string
	var limits []int32
	var at []int // index in users
	for i, u := range users {
		if u.Page > 0 {
			names = append(names, u.User)
			limits = append(limits, int32(u.Page)+1)
			at = append(at, i)
		}
	}
	if len(names) == 0 {
		return
	}
	b.Queue(q.Pages, names, limits).Query(func(rows pgx.Rows) error {
		posts := make([][]*feedengine.Post, len(names))
		for rows.Next() {
			var ord int
			p := &feedengine.Post{}
			if err := rows.Scan(append([]any{&ord}, postFields(p)...)...); err != nil {
				return err
			}
			posts[ord-1] = append(posts[ord-1], p)
		}
		for i, of := range posts {
			loaded[at[i]].Page = newPage(of, users[at[i]].Page)
		}
		return rows.Err()
	})
}
