package gateway

import (
	"context"
	"net/http"
	"slices"
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
	viewer  string   // as whom they see: user, or "" for a service that acts for nobody else and sees all
	service bool     // the token's bearer is a service
	session *session // nil over HTTP
	req     *wire.Request
	began   time.Time
}

// operation is one row of the table of what can be asked. Exactly one of
// action, read, task and local says how it is carried out.
type operation struct {
	name       string
	socketless bool    // not to be had over WebSocket
	routes     []route // its ways in over HTTP

	// action makes what a shard is asked, and ok shows the shard's answer; over
	// HTTP answers with counters name their stream.
	action func(*call) (feedengine.Action, *feedengine.Error)
	ok     func(res *feedengine.Result, http bool) wire.Object

	// read makes a question to storage, or what is written there beside the logs.
	read func(*call) (query, *feedengine.Error)

	// task is what takes several steps: done is called once, unless it is refused.
	task func(g *Gateway, c *call, done func(answer)) *feedengine.Error

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

// operations is the table, in groups by noun that stand beside what carries them out.
func operations() []*operation {
	return slices.Concat(
		sessionOperations(), postOperations(), markOperations(), graphOperations(), hideOperations(),
		socialOperations(), messageOperations(), jobOperations(), searchOperations(),
		accountOperations(), presenceOperations(),
	)
}

// shownNothing is the answer where there is nothing to tell.
func shownNothing(*feedengine.Result, bool) wire.Object { return wire.Empty{} }
