package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// What a row of the query social is about.
const (
	socialHide = 1 + iota
	socialName
	socialNotes
	socialChat
	socialTop
)

// loadSocial reads what users have beside feeds. hides tells whether anybody is
// hidden from one of them.
func loadSocial(ctx context.Context, c *conn, which string, keep int, users []feedengine.LoadedUser) (hides bool, err error) {
	err = c.each(ctx, social, func(row []value) (err error) {
		u := &users[row[1].(int64)]
		switch row[0].(int64) {
		case socialHide:
			hides = true
			u.Hides = append(u.Hides, feedengine.Hide{Other: row[2].(string), Kind: feedengine.HideKind(row[3].(int64))})
		case socialName:
			u.Name = row[2].(string)
		case socialNotes:
			u.Notes, err = countOf(row[3:])
		case socialChat:
			chat := feedengine.LoadedChat{Conversation: feedengine.ID(row[2].(int64))}
			chat.LoadedCount, err = countOf(row[3:])
			u.Chats = append(u.Chats, chat)
		case socialTop:
			u.ChatTop = feedengine.ID(row[3].(int64))
		}
		return err
	}, which, int64(max(keep, 0)), int64(feedengine.MaxUnread))
	for i := range users { // they come in order, but nobody promises it
		slices.SortFunc(users[i].Hides, func(a, b feedengine.Hide) int {
			return cmp.Or(cmp.Compare(a.Other, b.Other), cmp.Compare(a.Kind, b.Kind))
		})
		slices.SortFunc(users[i].Chats, func(a, b feedengine.LoadedChat) int { return cmp.Compare(a.Conversation, b.Conversation) })
	}
	return hides, err
}

// countOf reads mark, total, "id,id".
func countOf(row []value) (feedengine.LoadedCount, error) {
	n := feedengine.LoadedCount{Mark: feedengine.ID(row[0].(int64)), Total: int(row[1].(int64))}
	list, _ := row[2].(string)
	if list == "" {
		return n, nil
	}
	n.Unread = make([]feedengine.UnreadID, 0, strings.Count(list, ",")+1)
	for text := range strings.SplitSeq(list, ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return n, fmt.Errorf("%w: unread ids: %q", feedengine.ErrUnavailable, list)
		}
		n.Unread = append(n.Unread, feedengine.UnreadID{ID: feedengine.ID(id)})
	}
	slices.SortFunc(n.Unread, func(a, b feedengine.UnreadID) int { return cmp.Compare(a.ID, b.ID) })
	return n, nil
}
