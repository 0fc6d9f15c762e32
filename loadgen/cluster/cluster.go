package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Options say what a cluster is made of.
type Options struct {
	Gateway string // path of the binary
	Secret  string // FEEDGATE_JWT_SECRET
	Redis   bool   // is there one? without, there can be one node
	Workers int    // processes of each node; 1
	Env     []string
}

// Cluster is Postgres, Redis and nodes. Its methods may be called from any goroutine,
// those of one service or node by one at a time.
type Cluster struct {
	Postgres *Postgres
	Redis    *Redis // nil: there is none

	opts Options
	dir  string

	mu    sync.Mutex
	nodes []*Node // guarded by mu; a node that is down stays
}

// Node is one node.
type Node struct {
	ID    string
	addr  string
	admin string
	c     *Cluster
	run   *child
	up    bool // guarded by c.mu
}

// New starts the services, and no node.
func New(o Options) (c *Cluster, err error) {
	if _, err := os.Stat(o.Gateway); err != nil {
		return nil, fmt.Errorf("cluster: there is no gateway: %w (make build)", err)
	}
	dir, err := os.MkdirTemp("", "feedgate-load")
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	c = &Cluster{opts: o, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := os.Chmod(dir, 0o711); err != nil { // the user postgres must reach its directory
		return c, fmt.Errorf("cluster: %w", err)
	}
	if c.Postgres, err = NewPostgres(dir); err != nil {
		return c, err
	}
	if o.Redis {
		c.Redis, err = NewRedis(dir)
	}
	return c, err
}

// Close ends everything and removes the directory.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.Nodes() {
		errs = append(errs, n.Drain())
	}
	if c.Redis != nil && c.Redis.run != nil {
		errs = append(errs, c.Redis.Kill())
	}
	if c.Postgres != nil && c.Postgres.run != nil {
		errs = append(errs, c.Postgres.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// Add starts one more node and waits until it is ready.
func (c *Cluster) Add() (*Node, error) {
	public, err := freePort()
	if err != nil {
		return nil, err
	}
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	n := &Node{ID: "load-" + strconv.Itoa(len(c.nodes)+1), c: c, addr: "127.0.0.1:" + strconv.Itoa(public), admin: "127.0.0.1:" + strconv.Itoa(admin)}
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	return n, n.Start()
}

// Nodes are those that are up.
func (c *Cluster) Nodes() (up []*Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		if n.up {
			up = append(up, n)
		}
	}
	return up
}

// Targets is where clients of the nodes that are up connect to, and where their
// metrics are.
func (c *Cluster) Targets() (targets, metrics []string) {
	for _, n := range c.Nodes() {
		targets = append(targets, "ws://"+n.addr)
		metrics = append(metrics, "http://"+n.admin+"/metrics")
	}
	return targets, metrics
}

// Servers is where requests go.
func (c *Cluster) Servers() (servers []string) {
	for _, n := range c.Nodes() {
		servers = append(servers, "http://"+n.addr)
	}
	return servers
}

// Beside is the memory of what is no node, in bytes.
func (c *Cluster) Beside() map[string]int64 {
	m := map[string]int64{"postgres": c.Postgres.Resident()}
	if c.Redis != nil {
		m["redis"] = c.Redis.Resident()
	}
	return m
}

// Start starts a node that is down, under its name and addresses.
func (n *Node) Start() error {
	o := &n.c.opts
	cmd := exec.Command(o.Gateway)
	cmd.Env = append(os.Environ(), "FEEDGATE_ADDR="+n.addr, "FEEDGATE_ADMIN_ADDR="+n.admin, "FEEDGATE_NODE_ID="+n.ID,
		"FEEDGATE_JWT_SECRET="+o.Secret, "DATABASE_URL="+n.c.Postgres.URL(), "FEEDGATE_LOG_FORMAT=text")
	if n.c.Redis != nil {
		cmd.Env = append(cmd.Env, "REDIS_URL="+n.c.Redis.URL())
	}
	if o.Workers > 1 {
		cmd.Env = append(cmd.Env, "FEEDGATE_WORKERS="+strconv.Itoa(o.Workers))
	}
	cmd.Env = append(cmd.Env, o.Env...)
	var err error
	if n.run, err = start("node "+n.ID, filepath.Join(n.c.dir, n.ID+".log"), cmd); err != nil {
		return err
	}
	n.setUp(true)
	return n.run.until(n.ready)
}

func (n *Node) setUp(up bool) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.up = up
}

func (n *Node) ready() bool {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + n.addr + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Kill ends a node as a crash does.
func (n *Node) Kill() error {
	n.setUp(false)
	return n.run.end(syscall.SIGKILL)
}

// Drain has a node stop gracefully.
func (n *Node) Drain() error {
	n.setUp(false)
	return n.run.end(syscall.SIGTERM)
}

// Tail is the end of a node's log.
func (n *Node) Tail() string { return n.run.tail() }
