package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway"
	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/gateway/demo"
	"github.com/feedgate/feedgate/gateway/memory"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/cluster"
	"github.com/feedgate/feedgate/storage"
)

// devTokenLife is how long the demo page's tokens are good for.
const devTokenLife = 24 * time.Hour

// serve runs a node until ctx ends, a listener fails, or another process has
// taken its shards; then it stops gracefully.
func serve(ctx context.Context, cfg *Config, p process) error {
	w := workerOf(p.Getenv)
	if w != nil {
		cfg.beWorker(w)
	} else if cfg.Workers > 1 {
		return serveWorkers(ctx, cfg, p)
	}
	log := newLogger(cfg, p.Stderr)
	if w == nil {
		announceDescriptors(1, log)
	}
	l, err := listen(ctx, cfg, w, log)
	if err != nil {
		return err
	}
	defer l.close()
	var public, admin door
	failed := make(chan error, 2) // one per listener, which tells at most once
	go func() { failed <- l.serveAdmin(&admin) }()
	if l.public != nil {
		go func() { failed <- l.servePublic(&public) }() // both end with l.close, above
	}

	n, err := build(ctx, cfg, p, w, w.shownAdmin(l.addrs().Admin), log)
	if ctx.Err() != nil && err != nil {
		log.Info("asked to stop while starting")
		return nil
	}
	if err != nil {
		return err
	}
	admin.open(n.adminHandler)
	takesPart := make(chan error, 1)          // it tells once
	go func() { takesPart <- n.takePart() }() // ends with the node, in stop at the latest
	var cause error
	for going := true; going; {
		going = false
		select {
		case <-ctx.Done():
			log.Info("asked to stop")
		case <-n.drainAsked():
			log.Info("asked to drain")
			if w != nil && l.public != nil {
				l.public.Close() // the others behind the address get who comes now
			}
		case cause = <-failed:
			cause = fmt.Errorf("listener: %w", cause)
		case cause = <-n.lost():
			cause = fenced{cause}
		case cause = <-takesPart:
			if cause == nil {
				public.open(n.gateway.Handler())
				cause = l.front(n.gateway.Front)
			}
			if going = cause == nil; going {
				takesPart = nil
				n.gateway.Ready()
				n.announce(l.addrs(), p)
			}
		}
	}
	return errors.Join(cause, n.stop(l, cause))
}

// parts are a running node's, in the order in which they depend on each other.
type parts struct {
	cfg      *Config
	worker   *worker // nil: not one of several behind an address
	getenv   func(string) string
	log      *slog.Logger
	verifier *auth.Verifier
	forget   context.CancelFunc // ends the verifier's refreshing
	memory   *memory.Watch
	store    storage.Full
	host     *shard.Host   // of a node that is alone, else
	bus      *bus.Redis    // between the nodes of a cluster, and
	node     *cluster.Node // this one of them
	air      *air          // between their gateways; nil without one
	sockets  sockets
	gateway  *gateway.Gateway

	adminHandler http.Handler
}

// build makes the parts. When one fails, those before it are taken down again.
// admin is the address that people reach the node's admin listener by.
func build(ctx context.Context, cfg *Config, p process, w *worker, admin string, log *slog.Logger) (*parts, error) {
	n := &parts{cfg: cfg, worker: w, getenv: p.Getenv, log: log}
	if err := n.make(ctx, admin); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), cfg.StopTimeout)
		defer cancel()
		return nil, errors.Join(err, n.takeDown(ctx))
	}
	return n, nil
}

func (n *parts) make(ctx context.Context, admin string) error {
	set := metrics.NewSet()
	limitGarbage(n.getenv)
	limitMemory(n.cfg.MemoryBudget, n.worker.sharing(), n.getenv, n.log)
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
	if n.cfg.clustered() {
		err = n.join(ctx, set, admin)
	} else {
		o := n.hostOptions()
		o.Node, o.Store, o.Outlet, o.Metrics, o.Log = n.cfg.NodeID, n.store, alone{&n.sockets}, set, n.log
		n.host, err = shard.NewHost(ctx, o)
	}
	if err != nil {
		return err
	}
	o := n.gatewayOptions(set, signer)
	if o.Limits.Turns, o.Limits.TakingTurns, err = n.worker.takingTurns(); err != nil {
		return fmt.Errorf("turns with the other workers: %w", err)
	}
	if n.gateway, err = gateway.New(o); err != nil {
		return err
	}
	n.sockets.at.Store(n.gateway)
	n.adminHandler = n.admin(set)
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

// auditEvery is how often somebody's counters are recounted, by all processes of the
// node together. A recount reads the heads of all logs and is a batch of its own.
const auditEvery = 500 * time.Millisecond

// hostOptions are the settings of what owns shards.
func (n *parts) hostOptions() shard.Options {
	return shard.Options{
		Residency: n.cfg.Residency, ViewBudget: int64(n.cfg.ViewBudget), OverBudget: n.memory.Over,
		Ring: n.cfg.RingEvents, Retention: n.cfg.LogRetention, LikeWindow: n.cfg.LikeWindow,
		AuditEvery: auditEvery * time.Duration(n.worker.sharing()),
	}
}

func (n *parts) gatewayOptions(set *metrics.Set, signer *auth.Signer) gateway.Options {
	proxies, _ := n.cfg.proxies() // they have been validated
	o := gateway.Options{
		Reads: n.store, Social: struct {
			storage.Social
			storage.Accounts
		}{n.store, n.store}, Accounts: n.store, Circle: n.store,
		Node: n.cfg.NodeID, Login: gateway.Login{Proxies: proxies},
		Health: health{n.store, n.bus}, Verifier: n.verifier,
		Metrics: set, Log: n.log, Origins: n.cfg.Origins,
		Socket: socket.Options{Poller: n.cfg.poller()},
		Limits: gateway.Limits{
			Rate: n.cfg.UserRate, Burst: n.cfg.UserBurst, SocketsPerUser: n.cfg.SocketsPerUser,
			Handshakes: n.cfg.HandshakeRate,
		},
		Memory:        n.memory,
		CompressAbove: int(n.cfg.CompressAbove),
	}
	if n.node != nil {
		o.Shards, o.Check, o.Takers = n.node, n.node.Check, n.node.Gateways
		o.Revoke = func(_ context.Context, user string) *feedengine.Error {
			n.node.Kick(user)
			return nil
		}
	} else {
		o.Shards = n.host
		o.Check = func(context.Context) error { return n.host.Check() }
	}
	if n.air != nil {
		o.Broadcast = n.air
	}
	if n.worker != nil && n.node != nil && n.cfg.has(roleGateway) {
		o.Passing = n.worker.passing(n.node.Owner)
	}
	if signer != nil {
		o.Login.Issue = func(user string) (string, time.Time, error) { return signer.Issue(user, n.cfg.LoginTTL) }
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
	n.log.Info("ready", "addr", a.public(), "admin", a.Admin.String(), "tls", a.TLS, "roles", strings.Join(n.cfg.Roles, ","), "shards", n.store.Shards())
	if n.cfg.Dev != devOff && a.Public != nil && n.worker == nil {
		fmt.Fprintf(p.Stdout, "feedgate is ready: open %s\n", a.url())
	}
	if p.Ready != nil {
		p.Ready(a)
	}
}

// public is the public listener's address, or says that there is none.
func (a Addrs) public() string {
	if a.Public == nil {
		return "none"
	}
	return a.Public.String()
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

// takePart waits until the node can do its work.
func (n *parts) takePart() error {
	if n.node == nil {
		return nil
	}
	return n.node.Ready(context.Background()) // it ends with the node
}

// lost tells, once, that another process has the node's shards, or its name.
func (n *parts) lost() <-chan error {
	if n.node != nil {
		return n.node.Lost()
	}
	return n.host.Lost()
}

// drainAsked is closed when somebody has asked the node to go, as a signal does.
func (n *parts) drainAsked() <-chan struct{} {
	if n.node == nil {
		return nil
	}
	return n.node.DrainAsked()
}

// health asks the store and the bus; that of a node alone is the process itself.
type health struct {
	store storage.Full
	bus   *bus.Redis // nil: there is none
}

func (h health) Storage(ctx context.Context) error { return h.store.Ping(ctx) }

func (h health) Bus(ctx context.Context) error {
	if h.bus == nil {
		return nil
	}
	return h.bus.Ping(ctx)
}
