package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/cluster"
	"github.com/feedgate/feedgate/storage"
)

// gatherWait bounds how long /cluster and /debug/check wait for other nodes.
const gatherWait = 3 * time.Second

// shared is a store that the nodes of a cluster share.
type shared interface {
	storage.Full
	storage.Members
	Cluster() string // the mark of its nodes
}

// join makes the node one of a cluster: it beats from now on.
func (n *parts) join(ctx context.Context, set *metrics.Set, admin string) error {
	db, ok := n.store.(shared)
	if !ok {
		return errors.New("this database cannot be shared by several nodes")
	}
	b, err := bus.DialRedis(bus.RedisOptions{URL: n.cfg.RedisURL, Metrics: set, Log: n.log})
	if err != nil {
		return &usageError{fmt.Errorf("REDIS_URL: %w", err)}
	}
	n.bus = b
	prefix := "feedgate:" + db.Cluster()
	if n.cfg.has(roleGateway) {
		n.air = listenTo(b, prefix, n.cfg.NodeID, &n.sockets, set)
	}
	opts := cluster.Options{
		Node: n.cfg.NodeID, Version: version(), Admin: admin,
		Roles: cluster.Roles{Gateway: n.cfg.has(roleGateway), Shard: n.cfg.has(roleShard)},
		Store: db, Claims: db, Members: db,
		Bus: b, Prefix: prefix,
		Host: n.hostOptions(), Metrics: set, Log: n.log,
		Answer: answers(set),
	}
	if opts.Roles.Gateway {
		opts.Outlet, opts.Kicked, opts.Figures = &n.sockets, n.sockets.Kick, n.sockets.Figures
		opts.Sockets = n.sockets.Trails
	}
	until := time.Now().Add(serverPatience)
	for {
		n.node, err = cluster.New(ctx, opts)
		if err == nil || !errors.Is(err, feedengine.ErrUnavailable) || ctx.Err() != nil || time.Now().After(until) {
			return err
		}
		n.log.Warn("the cluster cannot be joined yet, trying again", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// sockets is the node's gateway, which is made after what delivers to it. Nothing
// is delivered before a session attaches, through the gateway.
type sockets struct {
	at atomic.Pointer[gateway.Gateway]
}

func (s *sockets) Deliver(d feedengine.Delivery) { s.at.Load().Deliver(d) }
func (s *sockets) Reset(r feedengine.Reset)      { s.at.Load().Reset(r) }

// Kick closes a user's sockets, as another node has asked.
func (s *sockets) Kick(user string) {
	if g := s.at.Load(); g != nil {
		g.Disconnect(user)
	}
}

// Receive takes what another node's gateway said.
func (s *sockets) Receive(node string, msg []byte) {
	if g := s.at.Load(); g != nil {
		g.Receive(node, msg)
	}
}

// Figures are what the node tells the others of its sockets.
func (s *sockets) Figures() cluster.Figures {
	g := s.at.Load()
	if g == nil {
		return cluster.Figures{}
	}
	f := g.Figures()
	return cluster.Figures{Connections: f.Connections, Deliveries: f.Deliveries, P50: f.P50, P99: f.P99}
}

// Trails tell how far a user's sockets have come.
func (s *sockets) Trails(user string) any {
	g := s.at.Load()
	if g == nil {
		return nil
	}
	return g.Trails(user)
}

// alone hands what the shards of the only node deliver to its gateway.
type alone struct{ *sockets }

func (a alone) Deliver(_ feedengine.Place, _ feedengine.GatewayID, d feedengine.Delivery) {
	a.sockets.Deliver(d)
}

func (a alone) Reset(_ feedengine.Place, _ feedengine.GatewayID, r feedengine.Reset) {
	a.sockets.Reset(r)
}

var (
	_ shard.Outlet   = alone{}
	_ cluster.Outlet = (*sockets)(nil)
)
