package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Config is every setting. Each is a flag and, under the name in its setting
// tag, an environment variable; a flag wins. The tag's further names are
// looked up when the first is not set. An empty variable counts as not set.
type Config struct {
	Addr      string `group:"Listeners" setting:"FEEDGATE_ADDR" placeholder:":8080" help:"Public listener. Without it the variable PORT is honoured. In dev mode the default is 127.0.0.1:8080."`
	AdminAddr string `group:"Listeners" setting:"FEEDGATE_ADMIN_ADDR" default:"127.0.0.1:8081" help:"Admin listener: /metrics, /debug/pprof/, /cluster, /debug/check. No authentication: keep it private."`
	TLSCert   string `group:"Listeners" setting:"FEEDGATE_TLS_CERT" placeholder:"FILE" help:"Certificate chain (PEM) for TLS in the process."`
	TLSKey    string `group:"Listeners" setting:"FEEDGATE_TLS_KEY" placeholder:"FILE" help:"Its private key (PEM)."`

	DatabaseURL  string        `group:"Storage" setting:"DATABASE_URL" placeholder:"postgres://…" help:"Postgres. Without it: SQLite under --data."`
	Data         string        `group:"Storage" setting:"FEEDGATE_DATA" default:"./data" help:"Directory of the embedded database."`
	Shards       int           `group:"Storage" setting:"FEEDGATE_SHARDS" placeholder:"256" help:"Number of shards, 1 to 1024, of a database that is first set up. Later it may be left out and cannot change."`
	LogRetention time.Duration `group:"Storage" setting:"FEEDGATE_LOG_RETENTION" default:"24h" help:"How long log rows and idempotency keys are kept; at least 24h is what the protocol promises for keys."`

	RedisURL string   `group:"Cluster" setting:"REDIS_URL" placeholder:"redis://…" help:"Bus between nodes. Without it: one node. With it, Postgres too: nodes that share both are a cluster. A password that stands in it shows in the process list if it is given as a flag."`
	NodeID   string   `group:"Cluster" setting:"FEEDGATE_NODE_ID" placeholder:"HOST-PID" help:"Name of this node, unique in the cluster: 1 to 48 of A-Z a-z 0-9 . _ -"`
	Roles    []string `group:"Cluster" setting:"FEEDGATE_ROLES" default:"gateway,shard" help:"What this node does: gateway holds sockets, shard owns users' state. With less than both it needs others."`
	Workers  int      `group:"Cluster" setting:"FEEDGATE_WORKERS,WEB_CONCURRENCY" default:"1" help:"Node processes behind one address, 1 to 64; more than 1 need Redis and Postgres. They share the budgets and the handshake rate."`

	JWTSecret   string        `group:"Access" setting:"FEEDGATE_JWT_SECRET" placeholder:"SECRET" help:"HS256 secret, at least 32 bytes. A flag shows in the process list: prefer the variable."`
	JWTJWKS     string        `group:"Access" name:"jwt-jwks" setting:"FEEDGATE_JWT_JWKS" placeholder:"FILE|URL" help:"Key set for RS256, ES256 and EdDSA instead of a secret; HS256 is then refused."`
	JWTIssuer   string        `group:"Access" setting:"FEEDGATE_JWT_ISSUER" placeholder:"ISS" help:"The iss that tokens must have. Not checked when empty."`
	JWTAudience string        `group:"Access" setting:"FEEDGATE_JWT_AUDIENCE" placeholder:"AUD" help:"An aud that tokens must have. Not checked when empty."`
	Origins     []string      `group:"Access" setting:"FEEDGATE_ORIGINS" placeholder:"HOST,…" help:"Allowed browser origins beside the node's own: host patterns such as *.example.com."`
	LoginTTL    time.Duration `group:"Access" setting:"FEEDGATE_LOGIN_TTL" default:"24h" help:"How long the tokens of POST /v1/login are good for. There is none with a key set: it takes a secret."`
	Proxies     []string      `group:"Access" setting:"FEEDGATE_PROXIES" placeholder:"CIDR,…" help:"Networks of the proxies before this node, as 10.0.0.0/8: their X-Forwarded-For says by whose address attempts to log in are counted."`
	Dev         devMode       `group:"Access" setting:"FEEDGATE_DEV" default:"off" help:"Development: demo page, POST /dev/token, a secret of its own when none is set. Only on loopback, unless --dev=force."`

	UserRate       float64 `group:"Limits" setting:"FEEDGATE_USER_RATE" default:"50" help:"Requests per second and user. Service tokens are exempt."`
	UserBurst      int     `group:"Limits" setting:"FEEDGATE_USER_BURST" default:"200" help:"Requests that a user may make at once."`
	SocketsPerUser int     `group:"Limits" setting:"FEEDGATE_SOCKETS_PER_USER" default:"32" help:"Sockets that a user may hold."`

	HandshakeRate float64  `group:"Limits" setting:"FEEDGATE_HANDSHAKE_RATE" default:"0" help:"WebSocket handshakes per second that are admitted; beyond, clients are told to come back later. 0: 1500 for each core."`
	MemoryBudget  byteSize `group:"Limits" setting:"FEEDGATE_MEMORY_BUDGET" default:"0" placeholder:"SIZE" help:"Bytes that the process may hold, as 1500MiB; close to it, new connections are refused and idle views leave. 0: no bound."`

	LikeWindow    time.Duration `group:"Tuning" setting:"FEEDGATE_LIKE_WINDOW" default:"1h" help:"How long after its first like a notification gathers the likes of that post. The nodes of a cluster should agree."`
	Residency     time.Duration `group:"Tuning" setting:"FEEDGATE_RESIDENCY" default:"10m" help:"How long a user's view stays in memory after the last session."`
	ViewBudget    byteSize      `group:"Tuning" setting:"FEEDGATE_VIEW_BUDGET" default:"0" placeholder:"SIZE" help:"Bytes of all views beyond which idle ones leave early. 0: no bound."`
	RingEvents    int           `group:"Tuning" setting:"FEEDGATE_RING_EVENTS" default:"65536" help:"Recent events kept in memory, a power of two."`
	Poller        string        `group:"Tuning" setting:"FEEDGATE_POLLER" default:"auto" enum:"auto,epoll,goroutine" help:"How sockets are read: auto, epoll, goroutine."`
	CompressAbove byteSize      `group:"Tuning" setting:"FEEDGATE_COMPRESS_ABOVE" default:"0" placeholder:"SIZE" help:"Frames larger than this are compressed for clients that offer permessage-deflate. 0: none, and it is not agreed to."`
	StopTimeout   time.Duration `group:"Tuning" setting:"FEEDGATE_STOP_TIMEOUT" default:"25s" help:"Bound of a graceful stop."`

	LogFormat string     `group:"Logs" setting:"FEEDGATE_LOG_FORMAT" placeholder:"json" help:"json or text. In dev mode the default is text."`
	LogLevel  slog.Level `group:"Logs" setting:"FEEDGATE_LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
}

// poller is the setting as the socket package understands it.
func (c *Config) poller() string {
	if c.Poller == "auto" {
		return ""
	}
	return c.Poller
}

// settle fills in what depends on other settings or on the machine.
func (c *Config) settle(getenv func(string) string) {
	if c.Addr == "" {
		host, port := "", "8080"
		if c.Dev != devOff {
			host = "127.0.0.1"
		}
		if p := getenv("PORT"); p != "" {
			port = p
		}
		c.Addr = net.JoinHostPort(host, port)
	}
	if c.LogFormat == "" {
		c.LogFormat = "json"
		if c.Dev != devOff {
			c.LogFormat = "text"
		}
	}
	if c.NodeID == "" {
		c.NodeID = defaultNodeID()
	}
}

// Validate says everything that is wrong with the settings, or nil. It never
// quotes a secret or a URL, which may hold a password.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateAddrs(), c.validateAccess(), c.validateStorage(), c.validateCluster(), c.validateLimits(),
	)
}

func (c *Config) validateAddrs() error {
	var errs []error
	for _, a := range []struct{ name, addr string }{{"FEEDGATE_ADDR", c.Addr}, {"FEEDGATE_ADMIN_ADDR", c.AdminAddr}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			errs = append(errs, fmt.Errorf("%s: want host:port or :port, got %q", a.name, a.addr))
		}
	}
	if c.Dev == devOn && !isLoopback(c.Addr) {
		errs = append(errs, fmt.Errorf("FEEDGATE_ADDR: %q is reachable from other machines, and dev mode gives a token to anybody: "+
			"use 127.0.0.1, or FEEDGATE_DEV=force", c.Addr))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("FEEDGATE_TLS_CERT and FEEDGATE_TLS_KEY go together"))
	}
	return errors.Join(errs...)
}

func (c *Config) validateAccess() error {
	switch {
	case c.JWTSecret != "" && c.JWTJWKS != "":
		return errors.New("FEEDGATE_JWT_SECRET and FEEDGATE_JWT_JWKS exclude one another: with a key set HS256 is refused")
	case c.JWTSecret == "" && c.JWTJWKS == "" && c.Dev == devOff:
		return errors.New("set FEEDGATE_JWT_SECRET (try: openssl rand -base64 32) or FEEDGATE_JWT_JWKS, or try it out with FEEDGATE_DEV=1")
	}
	_, err := c.proxies()
	return err
}

// proxies are the networks that the setting names.
func (c *Config) proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, s := range c.Proxies {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, notOne := netip.ParseAddr(s)
			if notOne != nil {
				return nil, fmt.Errorf("FEEDGATE_PROXIES: want networks as 10.0.0.0/8, or addresses, got %q", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p)
	}
	return all, nil
}

func (c *Config) validateStorage() error {
	var errs []error
	if c.DatabaseURL != "" {
		if u, err := url.Parse(c.DatabaseURL); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			errs = append(errs, errors.New("DATABASE_URL: want postgres://user:password@host:port/database"))
		}
	} else if c.Data == "" {
		errs = append(errs, errors.New("FEEDGATE_DATA: want a directory"))
	}
	if c.Shards < 0 || c.Shards > feedengine.MaxShards {
		errs = append(errs, fmt.Errorf("FEEDGATE_SHARDS: want 1 to %d, got %d", feedengine.MaxShards, c.Shards))
	}
	if c.LogRetention < 24*time.Hour {
		errs = append(errs, fmt.Errorf("FEEDGATE_LOG_RETENTION: want at least 24h, for which idempotency keys are promised, got %v", c.LogRetention))
	}
	return errors.Join(errs...)
}

// clustered reports whether the node is one of several.
func (c *Config) clustered() bool { return c.RedisURL != "" }

func (c *Config) has(role string) bool { return slices.Contains(c.Roles, role) }

// The roles.
const (
	roleGateway = "gateway"
	roleShard   = "shard"
)

// validateCluster holds more than one node to what they need.
func (c *Config) validateCluster() error {
	var errs []error
	if c.clustered() {
		if !validRedisURL(c.RedisURL) {
			errs = append(errs, errors.New("REDIS_URL: want redis://user:password@host:port/0 or rediss://…"))
		}
		if c.DatabaseURL == "" {
			errs = append(errs, errors.New("REDIS_URL: the nodes of a cluster share a Postgres, and SQLite belongs to one process: set DATABASE_URL too, or unset REDIS_URL"))
		}
	}
	roles := slices.Sorted(slices.Values(c.Roles))
	for _, role := range roles {
		if role != roleGateway && role != roleShard {
			errs = append(errs, fmt.Errorf(`FEEDGATE_ROLES: want gateway, shard or both, got %q`, role))
		}
	}
	if len(roles) == 0 || len(slices.Compact(roles)) != len(c.Roles) {
		errs = append(errs, fmt.Errorf(`FEEDGATE_ROLES: want gateway, shard or both, got %q`, strings.Join(c.Roles, ",")))
	}
	if c.Workers < 1 || c.Workers > maxWorkers {
		errs = append(errs, fmt.Errorf("FEEDGATE_WORKERS (WEB_CONCURRENCY): want 1 to %d, got %d", maxWorkers, c.Workers))
	}
	switch alone := !c.clustered() || c.DatabaseURL == ""; {
	case alone && c.Workers > 1:
		errs = append(errs, errors.New("FEEDGATE_WORKERS (WEB_CONCURRENCY): more than one process need REDIS_URL and DATABASE_URL to work together"))
	case alone && !(c.has(roleGateway) && c.has(roleShard)):
		errs = append(errs, errors.New("FEEDGATE_ROLES: a node that does not do everything needs others: set REDIS_URL and DATABASE_URL"))
	}
	if !validNodeID(c.NodeID) {
		errs = append(errs, fmt.Errorf("FEEDGATE_NODE_ID: want 1 to %d of A-Z a-z 0-9 . _ -, got %q", maxNodeID, c.NodeID))
	}
	return errors.Join(errs...)
}

func (c *Config) validateLimits() error {
	var errs []error
	for _, l := range []struct {
		name string
		ok   bool
		want string
	}{
		{"FEEDGATE_USER_RATE", c.UserRate > 0 && c.UserRate <= 1e6, "above 0, at most 1000000"},
		{"FEEDGATE_USER_BURST", c.UserBurst >= 1, "at least 1"},
		{"FEEDGATE_SOCKETS_PER_USER", c.SocketsPerUser >= 1, "at least 1"},
		{"FEEDGATE_HANDSHAKE_RATE", c.HandshakeRate == 0 || c.HandshakeRate >= 1 && c.HandshakeRate <= 1e6, "1 to 1000000, or 0"},
		{"FEEDGATE_MEMORY_BUDGET", c.MemoryBudget == 0 || c.MemoryBudget >= leastBudget, "at least 16MiB, or 0"},
		{"FEEDGATE_LOGIN_TTL", c.LoginTTL >= time.Second && c.LoginTTL <= maxLoginTTL, "1s to 8760h"},
		{"FEEDGATE_LIKE_WINDOW", c.LikeWindow >= time.Second && c.LikeWindow <= maxLikeWindow, "1s to 720h"},
		{"FEEDGATE_RESIDENCY", c.Residency >= time.Second, "at least 1s"},
		{"FEEDGATE_VIEW_BUDGET", c.ViewBudget >= 0, "0 or more"},
		{"FEEDGATE_RING_EVENTS", c.RingEvents >= 1<<10 && c.RingEvents <= 1<<24 && c.RingEvents&(c.RingEvents-1) == 0, "a power of two from 1024 to 16777216"},
		{"FEEDGATE_COMPRESS_ABOVE", c.CompressAbove >= 0 && c.CompressAbove <= 1<<30, "0 to 1GiB"},
		{"FEEDGATE_LOG_FORMAT", c.LogFormat == "json" || c.LogFormat == "text", "json or text"},
		{"FEEDGATE_STOP_TIMEOUT", c.StopTimeout >= time.Second, "at least 1s"},
	} {
		if !l.ok {
			errs = append(errs, fmt.Errorf("%s: want %s", l.name, l.want))
		}
	}
	return errors.Join(errs...)
}

// Bounds against slips: a year, and a month.
const (
	maxLoginTTL   = 365 * 24 * time.Hour
	maxLikeWindow = 30 * 24 * time.Hour
)

// leastBudget is about what an idle node needs.
const leastBudget = 16 << 20

// isLoopback reports whether only this machine can reach the address. A name
// other than localhost is not looked up: it is taken for reachable.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// validRedisURL looks no further than the scheme: the bus says the rest.
func validRedisURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "redis" || u.Scheme == "rediss" || u.Scheme == "unix")
}

// maxWorkers is a bound against slips.
const maxWorkers = 64

const maxNodeID = 48 // with the number of a worker, it stands in Postgres's application_name, of at most 63 bytes

func validNodeID(s string) bool {
	if s == "" || len(s) > maxNodeID {
		return false
	}
	return strings.IndexFunc(s, notInNodeID) < 0
}

func notInNodeID(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
}

// defaultNodeID is the host's name and the process's number.
func defaultNodeID() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	host = strings.Map(func(r rune) rune {
		if notInNodeID(r) {
			return '-'
		}
		return r
	}, host)
	pid := fmt.Sprintf("-%d", os.Getpid())
	return host[:min(len(host), maxNodeID-len(pid))] + pid
}
