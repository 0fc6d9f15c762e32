package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/feedgate/feedgate/shard/bus/bustest"
)

// fleet is a cluster of node processes, with a Postgres and a Redis of its own.
type fleet struct {
	t     *testing.T
	pg    *pgServer
	redis *bustest.Server
	env   env
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	pg := newPgServer(t)
	pg.start()
	redis := bustest.StartServer(t)
	return &fleet{t: t, pg: pg, redis: redis, env: busy(baseEnv()).with(env{
		"DATABASE_URL": pg.url(), "REDIS_URL": redis.URL(), "FEEDGATE_SHARDS": "32",
	})}
}

// node starts a node. It has both roles, or those that are given.
func (f *fleet) node(name string, roles ...string) *child {
	f.t.Helper()
	e := f.env.with(env{"FEEDGATE_NODE_ID": name})
	if len(roles) > 0 {
		e["FEEDGATE_ROLES"] = strings.Join(roles, ",")
	}
	return spawn(f.t, e)
}

// copyData copies the database's directory while the server is down.
func (f *fleet) copyData() (restore func()) {
	f.t.Helper()
	saved := f.pg.data() + ".saved"
	cp := func(from, to string) {
		f.t.Helper()
		if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
			f.t.Fatalf("cp: %v\n%s", err, out)
		}
	}
	cp(f.pg.data(), saved)
	return func() {
		f.t.Helper()
		if out, err := exec.Command("rm", "-rf", f.pg.data()).CombinedOutput(); err != nil {
			f.t.Fatalf("rm: %v\n%s", err, out)
		}
		cp(saved, f.pg.data())
	}
}

// kill ends a node at once.
func (c *child) kill() {
	c.t.Helper()
	c.end(syscall.SIGKILL) // with an error: it was killed
}

// terminate ends a node in good order.
func (c *child) terminate() {
	c.t.Helper()
	if err := c.end(syscall.SIGTERM); err != nil {
		c.t.Errorf("a node that was asked to stop ended with %v", err)
	}
}
