package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Saved searches. No view is made of them, so they are written beside the logs.

func searchOperations() []*operation {
	return []*operation{
		{
			name: "searches", read: readSearches,
			routes: []route{{http.MethodGet, "/v1/searches", http.StatusOK, 0, nil}},
		},
		{
			name: "save_search", read: saveSearch,
			routes: []route{{http.MethodPost, "/v1/searches", http.StatusCreated, wire.MaxFrame, nil}},
		},
		{
			name: "delete_search", read: deleteSearch,
			routes: []route{{http.MethodDelete, "/v1/searches/{search}", http.StatusOK, 0, pathSearch}},
		},
	}
}

func readSearches(c *call) (query, *feedengine.Error) {
	user := c.user
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		list, err := from.Searches(ctx, user)
		if err != nil {
			return nil, 0, err
		}
		out := &wire.Searches{Searches: make([]wire.Search, len(list))}
		bytes := replyBytes
		for i := range list {
			out.Searches[i] = wireSearch(&list[i])
			bytes += 4*replyBytes + len(list[i].Query.Text)
		}
		return out, bytes, nil
	}, nil
}

func saveSearch(c *call) (query, *feedengine.Error) {
	r := c.req
	if r.Query == nil {
		return nil, badRequest(`"query" must be given`)
	}
	ask, err := checkQuery(r.Query)
	if err != nil {
		return nil, err
	}
	name, err := checkShort("name", r.Name, 0, maxName)
	if err != nil {
		return nil, err
	}
	search := feedengine.Search{ID: newSearchID(time.Now()), Name: name, Query: ask}
	user := c.user
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		err := from.SaveSearch(ctx, user, search)
		if errors.Is(err, feedengine.ErrRefused) {
			return nil, 0, feedengine.Refuse(feedengine.Conflict, fmt.Sprintf("a user has at most %d saved searches", feedengine.MaxSearches))
		}
		return &wire.Saved{Search: wireSearch(&search)}, 4*replyBytes + len(ask.Text), err
	}, nil
}

// newSearchID names a search. It stands in no log, so what an ID has below its
// milliseconds is free to tell it from those of other nodes.
func newSearchID(now time.Time) feedengine.ID {
	tick := feedengine.TickAt(now)
	return (tick + feedengine.Tick(rand.N(1<<12))).ID(feedengine.ShardID(rand.N(feedengine.MaxShards)))
}

func deleteSearch(c *call) (query, *feedengine.Error) {
	id, err := checkID("search", c.req.Search)
	if err != nil {
		return nil, err
	}
	user := c.user
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		return wire.Empty{}, replyBytes, from.DropSearch(ctx, user, id)
	}, nil
}
