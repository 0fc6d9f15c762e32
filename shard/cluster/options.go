package cluster

import (
	"context"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/link"
)

// Roles are what a node does; at least one.
type Roles struct {
	Gateway bool // holds sockets
	Shard   bool // owns shards
}

// Members is the table of nodes in the store.
type Members interface {
	// Beat writes the node's own row and reads everybody's. feedengine.ErrFenced:
	// another incarnation has taken this node's name.
	Beat(ctx context.Context, m feedengine.Member) (feedengine.Roll, error)
	// Leave deletes the node's own row.
	Leave(ctx context.Context, node string, incarnation uint64) error
}

// Claims is the store's table of who owns what.
type Claims interface {
	Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error)
	Owners(ctx context.Context) ([]feedengine.Owner, error)
}

// Bus carries messages between nodes (see shard/bus).
type Bus interface {
	Publish(topic string, msg []byte) bool
	Subscribe(topic string, h func(msg []byte)) (cancel func())
	Ping(ctx context.Context) error
	Close() error
}

// Outlet takes what this node's own sessions are to be sent: the gateway. Its
// methods are called on goroutines that must not be held up.
type Outlet interface {
	Deliver(feedengine.Delivery)
	Reset(feedengine.Reset)
}

// Options are what a node is made of. A zero value means the default that a
// comment gives.
type Options struct {
	Node    string // unique in the cluster, 1 to 48 bytes
	Version string // of the program
	Admin   string // address of the node's admin listener, for people and feedctl
	Roles   Roles

	Store   shard.Store
	Claims  Claims  // the same store
	Members Members // the same store
	Bus     Bus     // New does not take it over: its maker closes it after Stop
	Prefix  string  // of topics; "feedgate"
	Outlet  Outlet  // nil without the role gateway

	// Host is what the node's host is made with. Node, Store, Outlet, Metrics, Log
	// and what belongs to a cluster are filled in.
	Host shard.Options

	// Kicked is told of a user whose sockets are to be closed; nil without the
	// role gateway. It must not wait.
	Kicked func(user string)
	// Figures are the gateway's, for State; nil without the role gateway.
	Figures func() Figures
	// Sockets tells how far a user's sockets here have come, with what can be made
	// JSON (see Trail); nil without the role gateway.
	Sockets func(user string) any
	// Answer answers questions of operators that the node itself does not know
	// (see Gather), with what can be made JSON; nil: there are none.
	Answer func(ctx context.Context, what string, args []byte) (any, error)

	Incarnation uint64           // link.NewIncarnation
	Now         func() time.Time // the wall clock; time.Now
	Metrics     *metrics.Set
	Log         *slog.Logger
}

// Figures are what a gateway says of itself in a State.
type Figures struct {
	Connections int           `json:"connections"`
	Deliveries  float64       `json:"deliveries"` // per second
	P50         time.Duration `json:"p50"`        // from commit to the socket's write, ns
	P99         time.Duration `json:"p99"`
}

func (o *Options) setDefaults() {
	if o.Prefix == "" {
		o.Prefix = "feedgate"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Incarnation == 0 {
		o.Incarnation = link.NewIncarnation(o.Now())
	}
}
