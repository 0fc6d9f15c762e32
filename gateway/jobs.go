package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

func jobOperations() []*operation {
	return []*operation{
		{
			name: "jobs", read: readJobs,
			routes: []route{{http.MethodGet, "/v1/jobs", http.StatusOK, 0, all(jobQuery, paging)}},
		},
	}
}

func readJobs(c *call) (query, *feedengine.Error) {
	r := c.req
	ask, err := checkQuery(&r.Find)
	if err != nil {
		return nil, err
	}
	if ask.Limit, err = checkLimit(r); err != nil {
		return nil, err
	}
	if len(r.Before) > maxCursor || hasBadBytes(r.Before) {
		return nil, badCursor
	}
	if r.ClosesBy != "" {
		var ok bool
		if ask.ClosesBy, ok = wire.ParseTime(r.ClosesBy); !ok {
			return nil, badRequest(`"closes_by" must be a time as in RFC 3339`)
		}
	}
	ask.Before, ask.Closing, ask.Now = r.Before, r.Closed, time.Now()
	viewer, expand := c.viewer, r.Expand
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		page, err := from.Jobs(ctx, viewer, ask)
		if errors.Is(err, feedengine.ErrRefused) {
			return nil, 0, badCursor
		}
		if err != nil {
			return nil, 0, err
		}
		out := &wire.Jobs{Posts: wirePosts(page.Jobs), Next: page.Next}
		bytes := replyBytes
		for _, p := range page.Jobs {
			bytes += postBytes(p)
		}
		return out, bytes, namePosts(ctx, from, expand, out.Posts)
	}, nil
}

// badCursor refuses a "before" that no page has given.
var badCursor = badRequest(`"before" must be the "next" of another page`)
