package gateway

import (
	"context"
	"net/http"

	"github.com/feedgate/feedgate/feedengine"
)

func hideOperations() []*operation {
	hide := func(name, path string, kind feedengine.HideKind, off bool) *operation {
		method := http.MethodPut
		if off {
			method = http.MethodDelete
		}
		return &operation{
			name: name, ok: shownNothing,
			action: func(c *call) (feedengine.Action, *feedengine.Error) { return hideUser(c, kind, off) },
			routes: []route{{method, path, http.StatusOK, 0, pathUser}},
		}
	}
	list := func(name, path string, kind feedengine.HideKind) *operation {
		return &operation{
			name: name, read: func(c *call) (query, *feedengine.Error) { return listHidden(c, kind) },
			routes: []route{{http.MethodGet, path, http.StatusOK, 0, paging}},
		}
	}
	return []*operation{
		hide("block", "/v1/blocks/{user}", feedengine.HideBlock, false),
		hide("unblock", "/v1/blocks/{user}", feedengine.HideBlock, true),
		hide("mute", "/v1/mutes/{user}", feedengine.HideMute, false),
		hide("unmute", "/v1/mutes/{user}", feedengine.HideMute, true),
		list("blocks", "/v1/blocks", feedengine.HideBlock),
		list("mutes", "/v1/mutes", feedengine.HideMute),
	}
}

func hideUser(c *call, kind feedengine.HideKind, off bool) (feedengine.Action, *feedengine.Error) {
	if err := checkUser(c.req.User); err != nil {
		return nil, err
	}
	if c.req.User == c.user {
		return nil, badRequest("nobody can hide themselves")
	}
	return feedengine.HideUser{User: c.req.User, Kind: kind, Off: off}, nil
}

func listHidden(c *call, kind feedengine.HideKind) (query, *feedengine.Error) {
	return listUsers(c, func(from Reads, ctx context.Context, user, after string, limit int) ([]string, error) {
		return from.Hidden(ctx, user, kind, after, limit)
	})
}
