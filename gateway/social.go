package gateway

import (
	"context"
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// What others make of a post, and what users are notified of.

func socialOperations() []*operation {
	likes := func(r *feedengine.Result, _ bool) wire.Object { return wire.Liked{Likes: r.Likes} }
	return []*operation{
		{
			name: "like", ok: likes,
			action: func(c *call) (feedengine.Action, *feedengine.Error) { return likePost(c, false) },
			routes: []route{{http.MethodPut, "/v1/posts/{post}/like", http.StatusOK, 0, pathPost}},
		},
		{
			name: "unlike", ok: likes,
			action: func(c *call) (feedengine.Action, *feedengine.Error) { return likePost(c, true) },
			routes: []route{{http.MethodDelete, "/v1/posts/{post}/like", http.StatusOK, 0, pathPost}},
		},
		{
			name: "comment", action: comment,
			ok: func(r *feedengine.Result, _ bool) wire.Object {
				return &wire.Commented{Comment: wireComment(r.Comment)}
			},
			routes: []route{{http.MethodPost, "/v1/posts/{post}/comments", http.StatusCreated, wire.MaxFrame, all(pathPost, idempotencyKey)}},
		},
		{
			name: "comments", read: readComments,
			routes: []route{{http.MethodGet, "/v1/posts/{post}/comments", http.StatusOK, 0, all(pathPost, paging)}},
		},
		{
			name: "notifications", read: readNotifications,
			routes: []route{{http.MethodGet, "/v1/notifications", http.StatusOK, 0, paging}},
		},
	}
}

func likePost(c *call, off bool) (feedengine.Action, *feedengine.Error) {
	id, err := checkID("post", c.req.Post)
	if err != nil {
		return nil, err
	}
	return feedengine.LikePost{Post: id, Off: off}, nil
}

func comment(c *call) (feedengine.Action, *feedengine.Error) {
	id, err := checkID("post", c.req.Post)
	if err != nil {
		return nil, err
	}
	text, err := checkText(c.req.Text)
	if err != nil {
		return nil, err
	}
	return feedengine.AddComment{Post: id, Text: text, Key: c.req.Key}, checkKey(c.req)
}

func readComments(c *call) (query, *feedengine.Error) {
	post, err := checkID("post", c.req.Post)
	if err != nil {
		return nil, err
	}
	before, limit, err := checkPage(c.req)
	if err != nil {
		return nil, err
	}
	viewer, expand := c.viewer, c.req.Expand
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Comments(ctx, viewer, post, before, limit)
		if err != nil {
			return nil, 0, err
		}
		out := &wire.Comments{Comments: make([]wire.Comment, len(page.Comments)), Next: int64(page.Next)}
		bytes := replyBytes
		for i, one := range page.Comments {
			out.Comments[i] = wireComment(one)
			bytes += 2*replyBytes + len(one.Text)
		}
		n, err := namesOf(ctx, from, expand, out.Comments, func(c *wire.Comment) string { return c.Author })
		for i := range out.Comments {
			out.Comments[i].Name = n.of(out.Comments[i].Author)
		}
		return out, bytes, err
	}, nil
}

func readNotifications(c *call) (query, *feedengine.Error) {
	before, limit, err := checkPage(c.req)
	if err != nil {
		return nil, err
	}
	user, expand := c.user, c.req.Expand
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Notes(ctx, user, before, limit)
		if err != nil {
			return nil, 0, err
		}
		out := &wire.Notifications{Notifications: make([]wire.Notification, len(page.Notes)), Next: int64(page.Next)}
		for i, one := range page.Notes {
			out.Notifications[i] = wireNote(one)
		}
		n, err := namesOf(ctx, from, expand, out.Notifications, func(n *wire.Notification) string { return n.Actor })
		for i := range out.Notifications {
			out.Notifications[i].Name = n.of(out.Notifications[i].Actor)
		}
		return out, replyBytes + 4*replyBytes*len(page.Notes), err
	}, nil
}
