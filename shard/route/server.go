package route

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// ServerOptions say what a Server is made of.
type ServerOptions struct {
	Host   Host
	Router *Router // of the same node; nil when it has no gateway
	Links  Sender
	// Epoch is under which a shard is served on this node, 0 when it is not. It is
	// called on the shards' goroutines.
	Epoch func(feedengine.ShardID) uint64
	// Served are all shards that this node serves, for a gateway that was taken
	// for dead and is not.
	Served func() []feedengine.Place
	// Knows says whether a node hears announces, so that a recent event may
	// travel to it as a position; nil: none does. It must not wait.
	Knows   func(node string) bool
	Now     func() time.Time // the wall clock; time.Now
	Metrics *metrics.Set
	Log     *slog.Logger
}

// Server is the side of a node that owns shards (shard.Outlet). Its methods may be
// called from any goroutine, Receive from one at a time.
type Server struct {
	// Set at construction.
	opts    ServerOptions
	metrics serverMetrics

	byID atomic.Pointer[map[feedengine.GatewayID]*remote] // those that live; replaced, never changed

	mu     sync.Mutex
	nodes  map[string]*remote   // guarded by mu: the latest incarnation of each gateway, gone or not
	lastID feedengine.GatewayID // guarded by mu
}

// NewServer makes a Server.
func NewServer(o ServerOptions) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{opts: o, nodes: map[string]*remote{}}
	s.byID.Store(&map[feedengine.GatewayID]*remote{})
	s.metrics.register(o.Metrics)
	return s
}

// Receive takes a message of another node: Ask and Rejoin. Others are none of its
// business, but for the sign of life.
func (s *Server) Receive(from link.Peer, m link.Message) {
	switch m := m.(type) {
	case link.Ask:
		if g := s.gateway(from); g != nil {
			s.ask(g, m)
		}
	case link.Rejoin:
		if g := s.gateway(from); g != nil {
			s.rejoin(g, m)
		}
	default:
		s.revive(from)
	}
}

// Deliver brings what a shard sends to the node of the gateway.
func (s *Server) Deliver(at feedengine.Place, to feedengine.GatewayID, d feedengine.Delivery) {
	if to == 0 {
		if s.opts.Router != nil {
			s.opts.Router.Deliver(at, d)
		}
		return
	}
	g := (*s.byID.Load())[to]
	if g == nil {
		s.metrics.toGone.Add(len(d.To))
		return
	}
	bare := d.Event != nil && s.bare(g, d.Event)
	if !s.opts.Links.Send(g.peer.Node, link.Deliver{Place: at, Bare: bare, Delivery: d}) {
		s.metrics.unsent.Inc()
	}
}

// Reset is Deliver for a reset.
func (s *Server) Reset(at feedengine.Place, to feedengine.GatewayID, r feedengine.Reset) {
	if to == 0 {
		if s.opts.Router != nil {
			s.opts.Router.Reset(at, r)
		}
		return
	}
	g := (*s.byID.Load())[to]
	if g == nil {
		s.metrics.toGone.Inc()
		return
	}
	if !s.opts.Links.Send(g.peer.Node, link.Reset{Place: at, Reset: r}) {
		s.metrics.unsent.Inc()
	}
}

// bareFor is for how long an event travels as a position: those who heard its
// announce have it. Older ones may have left their rings.
const bareFor = time.Second

// bare says whether the event is in the memory of the gateway's node.
func (s *Server) bare(g *remote, ev *feedengine.Event) bool {
	if s.opts.Knows == nil || ev.Seq == 0 || ev.Kind != feedengine.KindPost && ev.Kind != feedengine.KindPostDeleted {
		return false
	}
	now := s.opts.Now()
	age := now.Sub(ev.ID.Time())
	return age < bareFor && age > -bareFor && now.UnixNano() >= g.plain.Load() && s.opts.Knows(g.peer.Node)
}
