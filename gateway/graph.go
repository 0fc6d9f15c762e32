package gateway

import (
	"context"
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

func graphOperations() []*operation {
	return []*operation{
		{
			name: "follow", action: follow,
			ok: func(r *feedengine.Result, _ bool) wire.Object { return wire.Followed{Since: int64(r.Since)} },
			routes: []route{
				{http.MethodPut, "/v1/following/{user}", http.StatusOK, 0, pathUser},
				{http.MethodPost, "/v1/following", http.StatusOK, maxBulkBody, nil},
			},
		},
		{
			name: "unfollow", action: unfollow, ok: shownNothing,
			routes: []route{{http.MethodDelete, "/v1/following/{user}", http.StatusOK, 0, pathUser}},
		},
		{
			name: "following", read: func(c *call) (query, *feedengine.Error) { return listUsers(c, Reads.Following) },
			routes: []route{{http.MethodGet, "/v1/following", http.StatusOK, 0, paging}},
		},
		{
			name: "followers", read: func(c *call) (query, *feedengine.Error) { return listUsers(c, Reads.Followers) },
			routes: []route{{http.MethodGet, "/v1/followers", http.StatusOK, 0, paging}},
		},
	}
}

// follow tells the followed when they are named one by one.
func follow(c *call) (feedengine.Action, *feedengine.Error) {
	users, err := checkUsers(c)
	if err != nil {
		return nil, err
	}
	return feedengine.Follow{Users: users, Notify: c.req.Has&wire.HasUser != 0}, nil
}

func unfollow(c *call) (feedengine.Action, *feedengine.Error) {
	users, err := checkUsers(c)
	if err != nil {
		return nil, err
	}
	return feedengine.Unfollow{Users: users}, nil
}

// checkUsers is whom a follow or unfollow names: "user", or "users" without
// repetitions, never oneself.
func checkUsers(c *call) ([]string, *feedengine.Error) {
	r := c.req
	users := r.Users
	switch one, many := r.Has&wire.HasUser != 0, r.Has&wire.HasUsers != 0; {
	case one == many:
		return nil, badRequest(`either "user" or "users" must be given`)
	case one:
		users = []string{r.User}
	case len(users) == 0 || len(users) > wire.MaxUsers:
		return nil, badRequest(`"users" must name 1 to 1000 users`)
	}
	seen := make(map[string]struct{}, len(users))
	list := make([]string, 0, len(users))
	for _, u := range users {
		if err := checkUser(u); err != nil {
			return nil, err
		}
		if u == c.user {
			return nil, badRequest("nobody can follow themselves")
		}
		if _, twice := seen[u]; !twice {
			seen[u] = struct{}{}
			list = append(list, u)
		}
	}
	return list, nil
}

// listUsers makes a page of a list of users; "before" is the last page's next.
func listUsers(c *call, list func(Reads, context.Context, string, string, int) ([]string, error)) (query, *feedengine.Error) {
	limit, err := checkLimit(c.req)
	if err != nil {
		return nil, err
	}
	after := c.req.Before
	if c.req.Has&wire.HasBefore != 0 && !feedengine.ValidUser(after) {
		return nil, badRequest(`"before" must be the "next" of another page`)
	}
	user := c.user
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		users, err := list(from, ctx, user, after, limit+1) // one more tells whether there is a next page
		if err != nil {
			return nil, 0, err
		}
		page := &wire.Users{Users: users}
		if len(users) > limit {
			page.Users, page.Next = users[:limit], users[limit-1]
		}
		return page, len(page.Users) * feedengine.MaxUserBytes, nil
	}, nil
}
