package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/presence"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Gateway serves the clients of one node. Its methods may be called from any
// goroutine.
type Gateway struct {
	// Set at construction.
	shards   Shards
	verifier Verifier
	health   Health
	set      *metrics.Set
	log      *slog.Logger
	limits   Limits
	origins  origins
	demo     http.Handler
	devToken func(user string) (string, error)
	check    func(ctx context.Context) error
	revoke   func(ctx context.Context, user string) *feedengine.Error

	ops     map[string]*operation
	unknown *operation // counts the requests for what there is not
	revokes *operation // counts the requests to disconnect a user
	metrics *gatewayMetrics
	start   time.Time

	takers        func() int // nil: not known
	passing       *Passing   // nil: alone at its address
	admission     *admission
	memory        Memory
	compressAbove int

	accounts  Accounts
	logins    *logins
	presence  *presence.Tracker
	typists   *typists
	broadcast Broadcast // nil: there are no other nodes

	sessions *table
	users    *users
	bodies   [len(wire.Codecs)]*bodies
	reads    *readPool
	sockets  *socket.Server

	figures figures

	phase atomic.Int32 // a phase; only goes forward

	ctx    context.Context // ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// sweepEvery is how often limiters that are full again are forgotten.
const sweepEvery = 15 * time.Second

// New makes a gateway. It serves from the start, and /readyz fails until Ready
// was called.
func New(o Options) (*Gateway, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	allowed, err := newOrigins(o.Origins)
	if err != nil {
		return nil, err
	}
	limits := o.Limits.withDefaults()
	us := newUsers(limits)
	g := &Gateway{
		shards: o.Shards, verifier: o.Verifier, health: o.Health, set: o.Metrics, log: o.Log,
		limits: limits, origins: allowed, demo: o.Demo, devToken: o.DevToken,
		check: o.Check, revoke: o.Revoke,
		metrics: newMetrics(o.Metrics, us), start: time.Now(),
		sessions: newTable(), users: us, memory: o.Memory, takers: o.Takers, passing: o.Passing,
		compressAbove: o.CompressAbove,
		accounts:      o.Accounts, logins: newLogins(o.Login, o.Metrics),
		typists: newTypists(), broadcast: o.Broadcast,
	}
	if g.memory == nil {
		g.memory = unwatched{}
	}
	g.admission = newAdmission(limits, o.Metrics, g.metrics.connections[connecting].Load, g.memory.Over)
	g.measureConnections()
	g.ops = map[string]*operation{}
	for _, op := range operations() {
		op.outcomes = newOutcomes(g.set, op.name)
		g.ops[op.name] = op
	}
	g.unknown = &operation{name: opUnknown, outcomes: newOutcomes(g.set, opUnknown)}
	g.revokes = &operation{name: opDisconnect, outcomes: newOutcomes(g.set, opDisconnect)}
	for i, c := range wire.Codecs {
		g.bodies[i] = newBodies(c.Codec)
	}
	if g.sockets, err = newSockets(o); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.reads = newReadPool(g.ctx, struct {
		Feeds
		Social
		Accounts
		Circle
	}{o.Reads, o.Social, o.Accounts, o.Circle}, limits, o.Log)
	g.presence = newTracker(g, &o)
	g.wg.Add(1)
	go g.sweep() // until Close, which waits for it
	return g, nil
}

// Ready says that the node can do its work: /readyz answers 200 from now on,
// until Drain.
func (g *Gateway) Ready() { g.phase.CompareAndSwap(int32(starting), int32(serving)) }

// Disconnect closes the user's sockets on this node with 4503 and says how many
// there were.
func (g *Gateway) Disconnect(user string) int {
	all := g.users.sessions(user)
	for _, s := range all {
		s.end(wire.ByeFor(wire.CloseRevoked))
	}
	return len(all)
}

// Sockets is how many there are.
func (g *Gateway) Sockets() int { return g.sessions.size() }

func (g *Gateway) sweep() {
	defer g.wg.Done()
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			g.users.sweep(now)
			g.logins.sweep(now)
			g.typists.sweep(now)
		case <-g.ctx.Done():
			return
		}
	}
}

// uptime is t in milliseconds since the gateway's start.
func (g *Gateway) uptime(t time.Time) int64 { return t.Sub(g.start).Milliseconds() }

func (g *Gateway) debugs() bool { return g.log.Enabled(g.ctx, slog.LevelDebug) }
