package gateway

import (
	"context"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// defaultPage is how many posts or users a page has when no limit is given.
const defaultPage = 20

func publish(c *call) (feedengine.Action, *feedengine.Error) {
	text, err := checkText(c.req.Text)
	if err != nil {
		return nil, err
	}
	if err := checkKey(c.req); err != nil {
		return nil, err
	}
	if c.req.Has&wire.HasKind != 0 && c.req.Kind != "post" {
		return nil, badRequest(`"kind" must be "post"`)
	}
	return feedengine.Publish{Text: text, Kind: "post", Key: c.req.Key}, nil
}

func deletePost(c *call) (feedengine.Action, *feedengine.Error) {
	id, err := checkID("post", c.req.Post)
	if err != nil {
		return nil, err
	}
	return feedengine.Delete{Post: id}, nil
}

func readPost(c *call) (query, *feedengine.Error) {
	id, err := checkID("post", c.req.Post)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		post, err := from.Post(ctx, id)
		if err != nil {
			return nil, 0, err
		}
		return &wire.Posted{Post: wirePost(post)}, replyBytes + len(post.Text), nil
	}, nil
}

func readFeed(c *call) (query, *feedengine.Error) {
	limit, err := checkLimit(c.req)
	if err != nil {
		return nil, err
	}
	var before feedengine.ID
	if c.req.Has&wire.HasBefore != 0 {
		if before, err = checkID("before", c.req.Before); err != nil {
			return nil, err
		}
	}
	user := c.user
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Feed(ctx, user, before, limit)
		if err != nil {
			return nil, 0, err
		}
		return wirePage(page), pageBytes(page), nil
	}, nil
}

func markRead(c *call) (feedengine.Action, *feedengine.Error) {
	var list feedengine.List
	switch c.req.Of {
	case "feed":
		list = feedengine.ListFeed
	case "notifications":
		list = feedengine.ListNotifications
	case "messages":
		list = feedengine.ListMessages
	default:
		return nil, badRequest(`"of" must be "feed", "notifications" or "messages"`)
	}
	if c.req.Upto == "0" { // marks nothing: asks where the mark stands
		return feedengine.Read{Of: list}, nil
	}
	upto, err := checkMark(c.req.Upto)
	if err != nil {
		return nil, err
	}
	return feedengine.Read{Of: list, Upto: upto}, nil
}

// checkMark reads a read mark. One above every id there can be is a mark from
// the future like any other: the shard takes it as its clock's value.
func checkMark(s string) (feedengine.ID, *feedengine.Error) {
	if len(s) >= len(feedengine.MaxID.String()) && len(s) <= wire.MaxKey && s[0] != '0' && strings.Trim(s, "0123456789") == "" {
		if id, err := feedengine.ParseID(s); err == nil {
			return id, nil
		}
		return feedengine.MaxID, nil
	}
	return checkID("upto", s)
}
