package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Names of operations that the code itself needs to know.
const (
	opConnect    = "connect"
	opDisconnect = "disconnect"
	opUnknown    = "unknown"
)

// call is one request, however it came.
type call struct {
	user    string   // who acts
	session *session // nil over HTTP
	req     *wire.Request
	began   time.Time
}

// operation is one row of the table of what can be asked. Exactly one of
// action, read and local says how it is carried out.
type operation struct {
	name       string
	socketless bool    // not to be had over WebSocket
	routes     []route // its ways in over HTTP

	// action makes what a shard is asked, and ok shows the shard's answer; over
	// HTTP answers with counters name their stream.
	action func(*call) (feedengine.Action, *feedengine.Error)
	ok     func(res *feedengine.Result, http bool) wire.Object

	// read makes a question to storage.
	read func(*call) (query, *feedengine.Error)

	// local is carried out by the session itself, which must answer by done or
	// failed. Only over WebSocket.
	local func(*session, *operation, *call)

	outcomes
}

// query is a question to storage. bytes is about the size of the answer.
type query func(ctx context.Context, from Reads) (ok wire.Object, bytes int, err error)

// route is one way to an operation over HTTP.
type route struct {
	method string
	path   string // a pattern of http.ServeMux without a method
	status int    // of success
	body   int64  // the greatest body in bytes, 0: the body is not read
	// fields takes what path, query and headers say; nil when that is nothing.
	fields func(*http.Request, *wire.Request) *feedengine.Error
}

// operations is the table. Likes, comments, messages, notifications, blocks and
// mutes will be rows of it.
func operations() []*operation {
	empty := func(*feedengine.Result, bool) wire.Object { return wire.Empty{} }
	return []*operation{
		{name: opConnect, local: (*session).connectAgain},
		{
			name: "publish", action: publish,
			ok: func(r *feedengine.Result, _ bool) wire.Object { return &wire.Posted{Post: wirePost(r.Post)} },
			routes: []route{
				{http.MethodPost, "/v1/posts", http.StatusCreated, wire.MaxFrame, idempotencyKey},
			},
		},
		{
			name: "delete", action: deletePost, ok: empty,
			routes: []route{{http.MethodDelete, "/v1/posts/{post}", http.StatusOK, 0, pathPost}},
		},
		{
			name: "post", read: readPost, socketless: true,
			routes: []route{{http.MethodGet, "/v1/posts/{post}", http.StatusOK, 0, pathPost}},
		},
		{
			name: "follow", action: follow,
			ok: func(r *feedengine.Result, _ bool) wire.Object { return wire.Followed{Since: int64(r.Since)} },
			routes: []route{
				{http.MethodPut, "/v1/following/{user}", http.StatusOK, 0, pathUser},
				{http.MethodPost, "/v1/following", http.StatusOK, maxBulkBody, nil},
			},
		},
		{
			name: "unfollow", action: unfollow, ok: empty,
			routes: []route{{http.MethodDelete, "/v1/following/{user}", http.StatusOK, 0, pathUser}},
		},
		{
			name: "following", read: listFollowing, socketless: true,
			routes: []route{{http.MethodGet, "/v1/following", http.StatusOK, 0, paging}},
		},
		{
			name: "followers", read: listFollowers, socketless: true,
			routes: []route{{http.MethodGet, "/v1/followers", http.StatusOK, 0, paging}},
		},
		{
			name: "feed", read: readFeed,
			routes: []route{{http.MethodGet, "/v1/feed", http.StatusOK, 0, paging}},
		},
		{
			name: "unread", ok: shownCounters,
			action: func(*call) (feedengine.Action, *feedengine.Error) { return feedengine.Unread{}, nil },
			routes: []route{{http.MethodGet, "/v1/unread", http.StatusOK, 0, nil}},
		},
		{
			name: "read", action: markRead, ok: shownMark,
			routes: []route{{http.MethodPost, "/v1/read", http.StatusOK, wire.MaxFrame, nil}},
		},
		{name: "sync", local: (*session).sync},
		{name: "state", local: (*session).setState},
		{name: "refresh", local: (*session).refresh},
		{name: "ping", local: (*session).ping},
	}
}

func shownCounters(r *feedengine.Result, http bool) wire.Object {
	o := &wire.Counters{Counts: wire.Counts(r.Counts)}
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
