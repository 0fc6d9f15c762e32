package route

import (
	"log/slog"
	"sync"
	"sync/atomic"

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
	Served  func() []feedengine.Place
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
	s := &Server{opts: o, nodes: map[string]*remote{}}
	s.byID.Store(&map[feedengine.GatewayID]*remote{})
	s.metrics.register(o.Metrics)
	return s
}

// Receive takes a message of another node: Ask and Rejoin, and Heads as a sign of
// life. Others are none of its business.
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
	case link.Heads:
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
	if !s.opts.Links.Send(g.peer.Node, link.Deliver{Place: at, Delivery: d}) {
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
