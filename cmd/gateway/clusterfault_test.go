package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// These are the faults that a cluster has to survive, one after the other, on
// real processes under traffic: nothing is lost, nothing comes twice, counters
// are exact, and no socket is closed but those of nodes that were killed or drained.

// noResets checks that nobody's stream was broken off.
func (s *swarm) noResets() {
	s.t.Helper()
	if why := s.reasons(); len(why) > 0 {
		s.t.Errorf("sessions were reset: %v", why)
	}
}

// shards waits until the nodes, and only they, serve all shards.
func (f *fleet) shards(nodes ...*child) {
	f.t.Helper()
	eventually(f.t, "the nodes have all shards", func() bool {
		sum := 0.0
		for _, c := range nodes {
			n := c.metric("feedgate_node_shards")
			if n == 0 {
				return false
			}
			sum += n
		}
		return sum == 32
	})
}

func TestClusterShardNodeKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.node("a"), f.node("b"), f.node("c", "shard")
	f.shards(a, b, c)
	s := newSwarm(t, a, b)
	s.flows()
	c.kill()
	began := time.Now()
	f.shards(a, b)
	t.Logf("the others have all shards %v after the kill", time.Since(began))
	s.flows()
	s.finish(nil, a, b)
}

func TestClusterRedisKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.node("a"), f.node("b"), f.node("c")
	f.shards(a, b, c)
	s := newSwarm(t, a, b, c)
	s.flows()
	f.redis.Kill()
	<-time.After(5 * time.Second)
	f.redis.Start()
	s.flows()
	s.finish(nil, a, b, c)
	s.noResets()
	if n := s.refused.Load(); n > 0 {
		t.Errorf("%d publishes were refused", n)
	}
}

func TestClusterPostgresRestarts(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.node("a"), f.node("b"), f.node("c")
	f.shards(a, b, c)
	s := newSwarm(t, a, b, c)
	for _, away := range []time.Duration{0, 5 * time.Second} { // the second time longer than a lease
		s.flows()
		f.pg.stop()
		<-time.After(away)
		f.pg.start()
	}
	s.flows()
	s.finish(nil, a, b, c)
	s.noResets()
}

func TestClusterNodeStopped(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.node("a"), f.node("b"), f.node("c")
	f.shards(a, b, c)
	s := newSwarm(t, a, b, c)
	s.flows()
	// Commits of all nodes are under way when it stops.
	f.pg.lock(`LOCK TABLE posts IN SHARE ROW EXCLUSIVE MODE`, func() {
		eventually(t, "commits wait", func() bool { return f.pg.waiting() >= 3 })
		c.signal(syscall.SIGSTOP)
	})
	<-time.After(10 * time.Second)
	c.signal(syscall.SIGCONT)
	f.shards(a, b, c)
	s.flows()
	s.finish(nil, a, b, c)
}

func TestClusterNodeAddedAndDrained(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.node("a"), f.node("b"), f.node("c")
	f.shards(a, b, c)
	s := newSwarm(t, a, b, c)
	s.flows()
	d := f.node("d")
	f.shards(a, b, c, d)
	s.join(d)
	s.flows()
	in := d.metric("feedgate_shard_moves_received_total")
	s.noResets()
	s.leave(c)
	c.terminate()
	f.shards(a, b, d)
	s.flows()
	s.finish(nil, a, b, d)
	s.noResets()
	if in == 0 {
		t.Error("no shard was handed to the node that was added")
	}
	if !c.logs.has("asked to stop") {
		t.Error("the node does not say that it was asked to stop")
	}
}

func TestClusterGatewayKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	x, y := f.node("x", "shard"), f.node("y", "shard")
	g, h := f.node("g", "gateway"), f.node("h", "gateway")
	f.shards(x, y)
	s := newSwarm(t, g, h)
	s.flows()
	s.leave(h)
	h.kill()
	s.flows()
	s.finish(nil, g)
	s.noResets()
	for _, c := range []*child{x, y} {
		c.sound()
	}
}

// The database comes back as it was some time ago.
func TestClusterHistoryLost(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b, c := f.node("a"), f.node("b"), f.node("c")
	f.shards(a, b, c)
	s := newSwarm(t, a, b, c)
	s.flows()
	from := s.marks()
	f.pg.stop()
	restore := f.copyData()
	f.pg.start()
	s.flows()
	<-time.After(5 * time.Second)
	f.pg.stop()
	restore()
	// What is acknowledged from here on may still be the answer to what was lost.
	to := s.marks()
	for i := range to {
		to[i]++
	}
	s.forgive(from, to)
	f.pg.start()
	eventually(t, "all readers are told", func() bool {
		for _, r := range s.readers {
			r.mu.Lock()
			told := len(r.resets) > 0
			r.mu.Unlock()
			if !told {
				return false
			}
		}
		return true
	})
	lost := make([][2]int, len(from))
	for i := range lost {
		lost[i] = [2]int{from[i], to[i]}
	}
	s.flows()
	s.finish(lost, a, b, c)
	if why := s.reasons(); why["history_lost"] == 0 {
		t.Errorf("nobody was told that history was lost: %v", why)
	}
}

// waiting is how many sessions wait for a lock.
func (s *pgServer) waiting() (n int) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(s.t.Context())
	if err := conn.QueryRow(s.t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}
