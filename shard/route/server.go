package route

import (
	"log/slog"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// ServerOptions say what a Server is made of.
type ServerOptions struct {
	Host   Host
	Router *Router // of the same node; nil when it has no gateway
	Links  Sender
	// Epoch is under which a shard is served on this node, 0 when it is not.
	Epoch func(feedengine.ShardID) uint64
	// Served are all shards that this node serves, for a gateway that was taken
	// for dead and is not.
	Served func() []feedengine.Place
	// Knows says whether a node hears announces, so that a recent event may
	// travel to it as a position.
	Knows   func(node string) bool
	Metrics *metrics.Set
	Log     *slog.Logger
}

// Server is the side of a node that owns shards (shard.Outlet). Its methods may be
// called from any goroutine, Receive from one at a time.
type Server struct{}

// NewServer makes a Server.
func NewServer(o ServerOptions) *Server { panic("not yet") }

// Receive takes a message of another node: Ask and Rejoin. Others are none of its
// business.
func (s *Server) Receive(from link.Peer, m link.Message) { panic("not yet") }

// Deliver brings what a shard sends to the node of the gateway.
func (s *Server) Deliver(at feedengine.Place, to feedengine.GatewayID, d feedengine.Delivery) {
	panic("not yet")
}

// Reset is Deliver for a reset.
func (s *Server) Reset(at feedengine.Place, to feedengine.GatewayID, r feedengine.Reset) {
	panic("not yet")
}

// GatewayGone says that a node is taken for dead, or has left: its sessions are
// detached. Should the same incarnation be heard of again, it is told to rejoin.
func (s *Server) GatewayGone(p link.Peer) { panic("not yet") }
