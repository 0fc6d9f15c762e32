package gateway

import (
	"net/http"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Counters, and the marks that move them.

func markOperations() []*operation {
	return []*operation{
		{
			name: "unread", ok: shownCounters,
			action: func(*call) (feedengine.Action, *feedengine.Error) { return feedengine.Unread{}, nil },
			routes: []route{{http.MethodGet, "/v1/unread", http.StatusOK, 0, nil}},
		},
		{
			name: "read", action: markRead, ok: shownMark,
			routes: []route{{http.MethodPost, "/v1/read", http.StatusOK, wire.MaxFrame, nil}},
		},
		{
			name: "received", action: markReceived,
			ok:     func(r *feedengine.Result, _ bool) wire.Object { return wire.Got{Upto: int64(r.Upto)} },
			routes: []route{{http.MethodPost, "/v1/received", http.StatusOK, wire.MaxFrame, nil}},
		},
	}
}

func shownCounters(r *feedengine.Result, http bool) wire.Object {
	o := &wire.Counters{Counts: wire.Counts(r.Counts)}
	for _, c := range r.Chats {
		o.Chats = append(o.Chats, wire.ChatCount{Conversation: int64(c.Conversation), Unread: c.Unread})
	}
	if http {
		o.Stream = r.Stream.String()
	}
	return o
}

func shownMark(r *feedengine.Result, http bool) wire.Object {
	o := &wire.Marked{Counts: wire.Counts(r.Counts), Upto: int64(r.Upto)}
	if http {
		o.Stream = r.Stream.String()
	}
	return o
}

func markRead(c *call) (feedengine.Action, *feedengine.Error) {
	var do feedengine.Read
	switch c.req.Of {
	case "feed":
		do.Of = feedengine.ListFeed
	case "notifications":
		do.Of = feedengine.ListNotifications
	case "messages":
		do.Of = feedengine.ListMessages
		var err *feedengine.Error
		if do.Conversation, err = checkID("conversation", c.req.Conversation); err != nil {
			return nil, err
		}
	default:
		return nil, badRequest(`"of" must be "feed", "notifications" or "messages"`)
	}
	if c.req.Upto == "0" { // marks nothing: asks where the mark stands
		return do, nil
	}
	upto, err := checkMark(c.req.Upto)
	if err != nil {
		return nil, err
	}
	do.Upto = upto
	return do, nil
}

func markReceived(c *call) (feedengine.Action, *feedengine.Error) {
	conversation, err := checkID("conversation", c.req.Conversation)
	if err != nil {
		return nil, err
	}
	upto, err := checkMark(c.req.Upto)
	if err != nil {
		return nil, err
	}
	return feedengine.Received{Conversation: conversation, Upto: upto}, nil
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
