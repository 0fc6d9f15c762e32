package gateway

import (
	"context"
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// defaultPage is how many posts, users … a page has when no limit is given.
const defaultPage = 20

func postOperations() []*operation {
	return []*operation{
		{
			name: "publish", action: publish, ok: shownPost,
			routes: []route{{http.MethodPost, "/v1/posts", http.StatusCreated, wire.MaxFrame, idempotencyKey}},
		},
		{
			name: "edit", action: edit, ok: shownPost,
			routes: []route{{http.MethodPatch, "/v1/posts/{post}", http.StatusOK, wire.MaxFrame, pathPost}},
		},
		{
			name: "delete", action: deletePost, ok: shownNothing,
			routes: []route{{http.MethodDelete, "/v1/posts/{post}", http.StatusOK, 0, pathPost}},
		},
		{
			name: "post", read: readPost,
			routes: []route{{http.MethodGet, "/v1/posts/{post}", http.StatusOK, 0, all(pathPost, paging)}},
		},
		{
			name: "feed", read: readFeed,
			routes: []route{{http.MethodGet, "/v1/feed", http.StatusOK, 0, paging}},
		},
	}
}

func shownPost(r *feedengine.Result, _ bool) wire.Object { return &wire.Posted{Post: wirePost(r.Post)} }

func publish(c *call) (feedengine.Action, *feedengine.Error) {
	r := c.req
	text, err := checkText(r.Text)
	if err != nil {
		return nil, err
	}
	if err := checkKey(r); err != nil {
		return nil, err
	}
	kind := feedengine.KindOfPost
	if r.Has&wire.HasKind != 0 {
		kind = r.Kind
	}
	switch kind {
	case feedengine.KindOfPost:
		if r.Job != nil {
			return nil, badRequest(`"job" belongs to a post of the kind "job"`)
		}
	case feedengine.KindOfJob:
		if r.Job == nil {
			return nil, badRequest(`a post of the kind "job" must have a "job"`)
		}
	default:
		return nil, badRequest(`"kind" must be "post" or "job"`)
	}
	var more feedengine.More
	if more.Followers, err = checkVisibility(r); err != nil {
		return nil, err
	}
	if more.Media, err = checkMedia(r); err != nil {
		return nil, err
	}
	if more.Job, err = checkJob(r); err != nil {
		return nil, err
	}
	do := feedengine.Publish{Text: text, Kind: kind, Key: r.Key}
	if more.Followers || len(more.Media) > 0 || more.Job != nil {
		do.More = &more
	}
	return do, nil
}

func edit(c *call) (feedengine.Action, *feedengine.Error) {
	r := c.req
	id, err := checkID("post", r.Post)
	if err != nil {
		return nil, err
	}
	if r.Has&(wire.HasText|wire.HasMedia|wire.HasVisibility|wire.HasJob) == 0 {
		return nil, badRequest(`one of "text", "media", "visibility" and "job" must be given`)
	}
	do := feedengine.Edit{Post: id}
	if r.Has&wire.HasText != 0 {
		text, err := checkText(r.Text)
		if err != nil {
			return nil, err
		}
		do.Text = &text
	}
	if r.Has&wire.HasMedia != 0 {
		media, err := checkMedia(r)
		if err != nil {
			return nil, err
		}
		do.Media = &media
	}
	if r.Has&wire.HasVisibility != 0 {
		followers, err := checkVisibility(r)
		if err != nil {
			return nil, err
		}
		do.Followers = &followers
	}
	if do.Job, err = checkJob(r); err != nil {
		return nil, err
	}
	return do, nil
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
	viewer, expand := c.viewer, c.req.Expand
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		post, err := from.PostFor(ctx, viewer, id)
		if err != nil {
			return nil, 0, err
		}
		one := []wire.Post{wirePost(post)}
		if err := namePosts(ctx, from, expand, one); err != nil {
			return nil, 0, err
		}
		return &wire.Posted{Post: one[0]}, postBytes(post), nil
	}, nil
}

func readFeed(c *call) (query, *feedengine.Error) {
	before, limit, err := checkPage(c.req)
	if err != nil {
		return nil, err
	}
	user, expand := c.user, c.req.Expand
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Feed(ctx, user, before, limit)
		if err != nil {
			return nil, 0, err
		}
		out := wirePage(page)
		return out, pageBytes(page), namePosts(ctx, from, expand, out.Posts)
	}, nil
}

// postBytes is about what a post takes in an outbox.
func postBytes(p *feedengine.Post) int {
	n := len(p.Text) + 2*replyBytes
	if p.More != nil {
		n += replyBytes + mediaBytes(p.More.Media)
	}
	return n
}

func mediaBytes(list []feedengine.Media) int {
	n := 0
	for _, m := range list {
		n += len(m.URL) + len(m.Type) + replyBytes
	}
	return n
}

// pageBytes is about what a page takes in an outbox.
func pageBytes(p *feedengine.Page) int {
	n := replyBytes
	if p != nil {
		for _, post := range p.Posts {
			n += postBytes(post)
		}
	}
	return n
}
