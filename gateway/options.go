package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/socket"
)

// Shards carries requests to the shards that own their users.
type Shards interface {
	// Submit never waits. It calls Done exactly once, maybe on a shard's
	// goroutine, maybe before it returns.
	Submit(feedengine.Request)
}

// Feeds answers what no view holds of a feed and of the graph. Its errors wrap
// feedengine's store errors, as do those of all that follow.
type Feeds interface {
	Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error)
	Graph
}

// Graph lists the follow graph: users in ascending order after the one named.
type Graph interface {
	Following(ctx context.Context, user, after string, limit int) ([]string, error)
	Followers(ctx context.Context, user, after string, limit int) ([]string, error)
}

// Social is what apps read beside the feed; viewer is who asks, "" for a service.
// What a viewer may not see is not there.
type Social interface {
	Posts
	Talks
	Board
	People
}

// Posts reads single posts, what was said of them, and what that brought.
type Posts interface {
	PostFor(ctx context.Context, viewer string, id feedengine.ID) (*feedengine.Post, error)
	Comments(ctx context.Context, viewer string, post, before feedengine.ID, limit int) (*feedengine.CommentPage, error)
	Notes(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.NotePage, error)
}

// Talks reads a user's conversations.
type Talks interface {
	Conversations(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.ConversationPage, error)
	Messages(ctx context.Context, user string, conversation, before feedengine.ID, limit int) (*feedengine.MessagePage, error)
}

// Board is the jobs board, and who searches it.
type Board interface {
	Jobs(ctx context.Context, viewer string, query feedengine.JobQuery) (*feedengine.JobPage, error)
	Searches(ctx context.Context, user string) ([]feedengine.Search, error)
	SaveSearch(ctx context.Context, user string, s feedengine.Search) error
	DropSearch(ctx context.Context, user string, id feedengine.ID) error
}

// People tells of users: whom one hides, and the public parts of profiles, in order
// of User.
type People interface {
	Hidden(ctx context.Context, user string, kind feedengine.HideKind, after string, limit int) ([]string, error)
	Profiles(ctx context.Context, users []string) ([]feedengine.Profile, error)
}

// Reads is all that queries ask.
type Reads interface {
	Feeds
	Social
	Accounts
	Circle
}

// Verifier says who a token's bearer is. See gateway/auth.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Claims, error)
}

// Health tells the state of what the node stands on, for /readyz. nil is good;
// the errors are logged, not shown.
type Health interface {
	Storage(ctx context.Context) error
	Bus(ctx context.Context) error
}

// Memory tells how the process stands with its memory. gateway/memory has one.
type Memory interface {
	// Over says that the process is over its budget: nobody new is let in.
	Over() bool
	// Grown is by how many bytes heap and stacks have grown since the start.
	Grown() int64
}

// Options is everything that a Gateway needs. What is not said to be optional
// is required.
type Options struct {
	Shards   Shards
	Reads    Feeds
	Social   Social
	Accounts Accounts
	Circle   Circle
	Health   Health
	Verifier Verifier
	Metrics  *metrics.Set
	Log      *slog.Logger

	// Origins are the browser origins that may use this node besides its own:
	// patterns of path.Match for a host, or for scheme://host where a pattern
	// has "://". Empty: same origin only.
	Origins []string

	Socket socket.Options // Metrics, Log, MaxFrame, Deflate and OriginPatterns are filled in

	// CompressAbove is the bytes above which an event or another frame is
	// compressed, for clients that agree to permessage-deflate. 0: none ever is,
	// and it is not agreed to.
	CompressAbove int

	// Takers is how many other nodes take new clients now, each about as many as
	// this one; Drain goes by it. Optional.
	Takers func() int

	// Node is this node's name, and Broadcast what brings messages to the other nodes'
	// Receive. Without them there are no others.
	Node      string
	Broadcast Broadcast

	// Passing is for several processes behind one address. Optional.
	Passing *Passing

	// Login has passwords checked, for tokens. Optional.
	Login Login

	Limits Limits // zero fields take their default
	Memory Memory // optional: without it memory has no bound

	Demo     http.Handler                                             // optional: the demo page, served at /
	DevToken func(user string) (token string, err error)              // optional: dev mode's POST /dev/token
	Check    func(ctx context.Context) error                          // optional: the invariants, for /debug/check
	Revoke   func(ctx context.Context, user string) *feedengine.Error // optional: also disconnects the user elsewhere
}

// Limits bound what clients may cost.
type Limits struct {
	Rate           float64       // requests per second and user; default 50
	Burst          int           // requests at once per user; default 200
	SocketsPerUser int           // default 32
	OutboxBytes    int           // of queued events per socket; default 256 KiB
	Reads          int           // storage reads at a time; default 32
	ReadsWaiting   int           // storage reads that may wait for one of those; default 1,024
	Handshakes     float64       // per second; default 1,500 for each core
	Turns          *Turns        // of the processes that share Handshakes; default: this one's alone
	TakingTurns    int           // how many those are; default 1
	Request        time.Duration // after which a request is refused; default 10 s
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Rate, 50)
	setDefault(&l.Burst, 200)
	setDefault(&l.SocketsPerUser, 32)
	setDefault(&l.OutboxBytes, 256<<10)
	setDefault(&l.Reads, 32)
	setDefault(&l.ReadsWaiting, 1024)
	setDefault(&l.Request, 10*time.Second)
	setDefault(&l.TakingTurns, 1)
	if l.Turns == nil {
		l.Turns = new(Turns)
	}
	return l
}

func setDefault[T int | float64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (o *Options) validate() error {
	switch {
	case o.Accounts == nil, o.Circle == nil:
		return errors.New("gateway: Accounts and Circle are required")
	case o.Shards == nil, o.Reads == nil, o.Social == nil, o.Health == nil, o.Verifier == nil, o.Metrics == nil, o.Log == nil:
		return errors.New("gateway: Shards, Reads, Social, Health, Verifier, Metrics and Log are required")
	case o.Limits.Rate < 0, o.Limits.Burst < 0, o.Limits.SocketsPerUser < 0, o.Limits.OutboxBytes < 0,
		o.Limits.Reads < 0, o.Limits.ReadsWaiting < 0, o.Limits.Handshakes < 0, o.Limits.Request < 0, o.Limits.TakingTurns < 0,
		o.CompressAbove < 0:
		return errors.New("gateway: limits must not be negative")
	}
	return nil
}
