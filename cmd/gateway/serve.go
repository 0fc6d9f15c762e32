package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/demo"
	"github.com/feedgate/feedgate/gateway/memory"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/storage"
)

// devTokenLife is how long the demo page's tokens are good for.
const devTokenLife = 24 * time.Hour

// serve runs a node until ctx ends, a listener fails, or another process has
// taken its shards; then it stops gracefully.
func serve(ctx context.Context, cfg *Config, p process) error {
	log := newLogger(cfg, p.Stderr)
	l, err := listen(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer l.close()
	var public, admin door
	failed := make(chan error, 2) // one per listener, which tells at most once
	go func() { failed <- l.serveAdmin(&admin) }()
	go func() { failed <- l.servePublic(&public) }() // both end with l.close, above

	n, err := build(ctx, cfg, p.Getenv, log)
	if ctx.Err() != nil && err != nil {
		log.Info("asked to stop while starting")
		return nil
	}
	if err != nil {
		return err
	}
	public.open(n.gateway.Handler())
	admin.open(n.gateway.Admin())
	n.gateway.Ready()
	n.announce(l.addrs(), p)

	var cause error
	select {
	case <-ctx.Done():
		log.Info("asked to stop")
	case cause = <-failed:
		cause = fmt.Errorf("listener: %w", cause)
	case cause = <-n.host.Lost():
	}
	return errors.Join(cause, n.stop(l))
}

// parts are a running node's, in the order in which they depend on each other.
type parts struct {
	cfg      *Config
	getenv   func(string) string
	log      *slog.Logger
	verifier *auth.Verifier
	forget   context.CancelFunc // ends the verifier's refreshing
	memory   *memory.Watch
	store    storage.Store
	host     *shard.Host
	gateway  *gateway.Gateway
}

// build makes the parts. When one fails, those before it are taken down again.
func build(ctx context.Context, cfg *Config, getenv func(string) string, log *slog.Logger) (*parts, error) {
	n := &parts{cfg: cfg, getenv: getenv, log: log}
	if err := n.make(ctx); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), cfg.StopTimeout)
		defer cancel()
		return nil, errors.Join(err, n.takeDown(ctx))
	}
	return n, nil
}

func (n *parts) make(ctx context.Context) error {
	set := metrics.NewSet()
	limitMemory(n.cfg.MemoryBudget, n.getenv, n.log)
	n.memory = memory.NewWatch(memory.Options{Budget: uint64(n.cfg.MemoryBudget), Metrics: set, Log: n.log})
	signer, err := n.authenticate(set)
	if err != nil {
		return err
	}
	db := n.cfg.database(set)
	n.log.Info("starting", "version", version(), "database", db.name, "dev", n.cfg.Dev)
	if n.store, err = openStore(ctx, db, n.log); err != nil {
		return err
	}
	// The host's outlet is the gateway, which is made after it. Nothing is
	// delivered before a session attaches, through the gateway.
	out := &outlet{}
	if n.host, err = shard.NewHost(ctx, n.hostOptions(set, out)); err != nil {
		return err
	}
	if n.gateway, err = gateway.New(n.gatewayOptions(set, signer)); err != nil {
		return err
	}
	out.Gateway = n.gateway
	n.memory.Baseline()
	return nil
}

// authenticate makes the verifier and, where the node has a secret, a signer.
func (n *parts) authenticate(set *metrics.Set) (*auth.Signer, error) {
	secret, err := n.cfg.secret()
	if err != nil {
		return nil, err
	}
	// Not the caller's context: keys are needed until the last socket is gone.
	ctx, cancel := context.WithCancel(context.Background())
	n.forget = cancel
	n.verifier, err = auth.New(ctx, auth.Config{
		Secret: secret, JWKS: n.cfg.JWTJWKS, Issuer: n.cfg.JWTIssuer, Audience: n.cfg.JWTAudience,
		Leeway: auth.DefaultLeeway, WeakSecret: n.cfg.Dev != devOff, Log: n.log, Metrics: set,
	})
	if err != nil || secret == "" {
		return nil, err
	}
	return auth.NewSigner(secret, n.cfg.JWTIssuer, n.cfg.JWTAudience)
}

func (n *parts) hostOptions(set *metrics.Set, out *outlet) shard.Options {
	return shard.Options{
		Node: n.cfg.NodeID, Store: n.store, Outlet: out, Metrics: set, Log: n.log,
		Residency: n.cfg.Residency, ViewBudget: int64(n.cfg.ViewBudget), OverBudget: n.memory.Over,
		Ring: n.cfg.RingEvents, Retention: n.cfg.LogRetention,
	}
}

func (n *parts) gatewayOptions(set *metrics.Set, signer *auth.Signer) gateway.Options {
	o := gateway.Options{
		Shards: n.host, Reads: n.store, Health: health{n.store}, Verifier: n.verifier,
		Metrics: set, Log: n.log, Origins: n.cfg.Origins,
		Socket: socket.Options{Poller: n.cfg.poller()},
		Limits: gateway.Limits{
			Rate: n.cfg.UserRate, Burst: n.cfg.UserBurst, SocketsPerUser: n.cfg.SocketsPerUser,
			Handshakes: n.cfg.HandshakeRate,
		},
		Memory:        n.memory,
		CompressAbove: int(n.cfg.CompressAbove),
		Cluster:       func(context.Context) any { return n.host.State() },
		Check:         func(context.Context) error { return n.host.Check() },
	}
	if n.cfg.Dev != devOff {
		o.Demo = demo.Handler()
		if signer != nil {
			o.DevToken = func(user string) (string, error) { return signer.Mint(user, false, devTokenLife) }
		}
	}
	return o
}

// announce says where the node is: to the log, and to a person before a terminal.
func (n *parts) announce(a Addrs, p process) {
	n.log.Info("ready", "addr", a.Public.String(), "admin", a.Admin.String(), "tls", a.TLS, "shards", n.store.Shards())
	if n.cfg.Dev != devOff {
		fmt.Fprintf(p.Stdout, "feedgate is ready: open %s\n", a.url())
	}
	if p.Ready != nil {
		p.Ready(a)
	}
}

// url is the public listener's for a browser on this machine.
func (a Addrs) url() string {
	scheme := "http"
	if a.TLS {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(a.Public.String())
	if err != nil {
		return scheme + "://" + a.Public.String() + "/"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// outlet hands what shards deliver to the node's one gateway.
type outlet struct{ *gateway.Gateway }

func (o outlet) Deliver(_ feedengine.Place, _ feedengine.GatewayID, d feedengine.Delivery) {
	o.Gateway.Deliver(d)
}

func (o outlet) Reset(_ feedengine.Place, _ feedengine.GatewayID, r feedengine.Reset) {
	o.Gateway.Reset(r)
}

// health asks the store; the bus of one node is the process itself.
type health struct{ store storage.Store }

func (h health) Storage(ctx context.Context) error { return h.store.Ping(ctx) }
func (h health) Bus(context.Context) error         { return nil }

var _ shard.Outlet = outlet{}
