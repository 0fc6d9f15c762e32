package bus_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/bus/bustest"
)

func TestRedisURLs(t *testing.T) {
	for url, want := range map[string]string{
		"redis://127.0.0.1:1":                                "",
		"redis://user:pass@127.0.0.1:1/3?pool_size=2":        "",
		"rediss://127.0.0.1:1":                               "",
		"redis://127.0.0.1:1?master_name=m&addr=127.0.0.1:2": "",
		"redis://127.0.0.1:1?cluster=true&addr=127.0.0.1:2":  "",
		"rediss://u:p@127.0.0.1:1?cluster=1":                 "",
		"":                                                   "scheme",
		"http://127.0.0.1:1":                                 "scheme",
		"redis://127.0.0.1:1/x":                              "database",
		"redis://127.0.0.1:1?nonsense=1":                     "nonsense",
		"redis://127.0.0.1:1?cluster=true&nonsense=1":        "nonsense",
		"redis://127.0.0.1:1?master_name=m&nonsense=1":       "nonsense",
		"redis://user:se%zzcret@127.0.0.1:1":                 "cannot be read",
	} {
		b, err := bus.DialRedis(bus.RedisOptions{URL: url})
		if err == nil {
			b.Close()
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", url, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want something about %q", url, err, want)
		case err != nil && strings.Contains(err.Error(), "cret"):
			t.Errorf("%q: the error tells the password: %v", url, err)
		}
	}
}

// TestRedisFrozen: a Redis that answers nothing and closes nothing is away, too.
func TestRedisFrozen(t *testing.T) {
	server := bustest.StartServer(t)
	a, b := dial(t, server.URL()), dial(t, server.URL())
	defer a.Close()
	defer b.Close()
	got := make(chan string, 1000)
	b.Subscribe("x", func(msg []byte) { got <- string(msg) })
	await(t, a, b)
	server.Freeze()
	if !bustest.Eventually(func() bool { return !a.Publish("x", []byte("meanwhile")) }) {
		t.Error("a frozen Redis takes messages for ever")
	}
	server.Thaw()
	await(t, a, b)
	if !a.Publish("x", []byte("after")) {
		t.Error("refused after the return")
	}
	for msg := range got { // what was on its way may come now, or not
		if msg == "after" {
			return
		}
	}
}

// TestRedisLate: a Redis that answers nobody for some seconds, as on a machine that has
// too much to do, loses nothing: no message, no subscription.
func TestRedisLate(t *testing.T) {
	server := bustest.StartServer(t)
	set := metrics.NewSet()
	b, err := bus.DialRedis(bus.RedisOptions{URL: server.URL(), Metrics: set})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got := make(chan string, 1000)
	b.Subscribe("x", func(msg []byte) { got <- string(msg) })
	await(t, b)
	server.Freeze()
	for i := range 20 {
		if !b.Publish("x", []byte(fmt.Sprint(i))) {
			t.Fatalf("message %d was refused", i)
		}
		time.Sleep(200 * time.Millisecond)
	}
	server.Thaw()
	for i := range 20 {
		if msg := <-got; msg != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", msg, i)
		}
	}
	var text strings.Builder
	set.WritePrometheus(&text)
	if !strings.Contains(text.String(), "feedgate_bus_reconnects_total 0\n") {
		t.Error("the subscription was given up")
	}
}

// TestRedisDropsAConnection: the server closes the subscriber's connection, as it
// does to one that reads too slowly.
func TestRedisDropsAConnection(t *testing.T) {
	server := bustest.StartServer(t)
	set := metrics.NewSet()
	b, err := bus.DialRedis(bus.RedisOptions{URL: server.URL(), Metrics: set})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got := make(chan string, 10)
	b.Subscribe("x", func(msg []byte) { got <- string(msg) })
	await(t, b)
	if _, err := server.Do("CLIENT", "KILL", "TYPE", "pubsub"); err != nil {
		t.Fatal(err)
	}
	reconnected := func() bool {
		var text strings.Builder
		set.WritePrometheus(&text)
		return strings.Contains(text.String(), "feedgate_bus_reconnects_total 1\n")
	}
	if !bustest.Eventually(reconnected) {
		t.Fatal("the loss was not noticed")
	}
	await(t, b)
	b.Publish("x", []byte("after"))
	if msg := <-got; msg != "after" {
		t.Errorf("got %q", msg)
	}
}

func TestRedisComesLater(t *testing.T) {
	server := bustest.StartServer(t)
	server.Kill()
	b := dial(t, server.URL())
	defer b.Close()
	got := make(chan string, 10)
	b.Subscribe("x", func(msg []byte) { got <- string(msg) })
	if b.Ping(context.Background()) == nil {
		t.Error("a Redis that is not there answers")
	}
	server.Start()
	await(t, b)
	b.Publish("x", []byte("hello"))
	if msg := <-got; msg != "hello" {
		t.Errorf("got %q", msg)
	}
}

func await(t *testing.T, buses ...bus.Bus) {
	t.Helper()
	for _, b := range buses {
		var err error
		if !bustest.Eventually(func() bool { err = b.Ping(context.Background()); return err == nil }) {
			t.Fatal(err)
		}
	}
}

// TestRedisClusterConforms runs the suite on three masters.
func TestRedisClusterConforms(t *testing.T) {
	servers := cluster(t)
	bustest.Run(t, func(t *testing.T) bustest.World {
		url := servers[0].URL() + "?cluster=true&addr=" + servers[1].Addr()
		return bustest.World{
			Join: func(t *testing.T) bus.Bus { return dial(t, url) },
			Down: func() { each(servers, (*bustest.Server).Freeze) },
			Up:   func() { each(servers, (*bustest.Server).Thaw) },
		}
	})
}

// TestRedisClusterMovesASlot: the topic's slot goes to another master, which ends
// the subscription, and the messages go on.
func TestRedisClusterMovesASlot(t *testing.T) {
	servers := cluster(t)
	b := dial(t, servers[0].URL()+"?cluster=true")
	defer b.Close()
	got := make(chan string, 10_000)
	b.Subscribe("x", func(msg []byte) { got <- string(msg) })
	await(t, b)
	b.Publish("x", []byte("before"))
	if msg := <-got; msg != "before" {
		t.Fatalf("got %q", msg)
	}
	slot, err := servers[0].Do("CLUSTER", "KEYSLOT", "x")
	if err != nil {
		t.Fatal(err)
	}
	slot = strings.Trim(slot, ":\r\n")
	id := func(s *bustest.Server) string {
		out, err := s.Do("CLUSTER", "MYID")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(out, "\r\n")[1]
	}
	from, to := -1, -1
	for i, s := range servers { // who has it says so by answering, others with MOVED
		if out, err := s.Do("GET", "x"); err != nil {
			t.Fatal(err)
		} else if !strings.HasPrefix(out, "-MOVED") {
			from, to = i, (i+1)%len(servers)
		}
	}
	for _, i := range []int{to, from, 3 - to - from} {
		must(t, servers[i], "CLUSTER", "SETSLOT", slot, "NODE", id(servers[to]))
	}
	if !bustest.Eventually(func() bool {
		b.Publish("x", []byte("after"))
		select {
		case <-got:
			return true
		default:
			return false
		}
	}) {
		t.Fatal("nothing came after the slot had moved")
	}
}

func each(servers []*bustest.Server, do func(*bustest.Server)) {
	for _, s := range servers {
		do(s)
	}
}

func cluster(t *testing.T) []*bustest.Server {
	t.Helper()
	var servers []*bustest.Server
	for range 3 {
		servers = append(servers, bustest.StartServer(t,
			"--cluster-enabled", "yes", "--cluster-node-timeout", "60000", "--cluster-require-full-coverage", "no"))
	}
	ranges := [][2]string{{"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}}
	for i, s := range servers {
		must(t, s, "CLUSTER", "ADDSLOTSRANGE", ranges[i][0], ranges[i][1])
		host, port, _ := strings.Cut(servers[0].Addr(), ":")
		if i > 0 {
			must(t, s, "CLUSTER", "MEET", host, port)
		}
	}
	for _, s := range servers {
		if !bustest.Eventually(func() bool {
			info, err := s.Do("CLUSTER", "INFO")
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384") &&
				strings.Contains(info, "cluster_known_nodes:3")
		}) {
			info, _ := s.Do("CLUSTER", "INFO")
			t.Fatalf("no cluster: %s", info)
		}
	}
	return servers
}

func must(t *testing.T, s *bustest.Server, args ...string) {
	t.Helper()
	if out, err := s.Do(args...); err != nil || !strings.HasPrefix(out, "+") {
		t.Fatalf("%q: %q %v", args, out, err)
	}
}

// TestSentinelFailover: the master dies, and the bus goes on with the other.
func TestSentinelFailover(t *testing.T) {
	master := bustest.StartServer(t)
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica := bustest.StartServer(t, "--replicaof", host, port, "--repl-diskless-sync-delay", "0")
	sentinel := bustest.StartSentinel(t, "m", master)
	if !bustest.Eventually(func() bool {
		out, err := sentinel.Do("SENTINEL", "REPLICAS", "m")
		return err == nil && strings.Contains(out, replica.Addr()) && strings.Contains(out, "master-link-status\r\n$2\r\nok")
	}) {
		t.Fatal("the sentinel does not see the replica")
	}
	a, b := dial(t, sentinel.URL()+"?master_name=m"), dial(t, sentinel.URL()+"?master_name=m")
	defer a.Close()
	defer b.Close()
	got := make(chan string, 1000)
	b.Subscribe("x", func(msg []byte) { got <- string(msg) })
	await(t, a, b)
	a.Publish("x", []byte("before"))
	if msg := <-got; msg != "before" {
		t.Fatalf("got %q", msg)
	}
	master.Kill()
	if !bustest.Eventually(func() bool {
		a.Publish("x", []byte("after"))
		select {
		case <-got:
			return true
		default:
			return false
		}
	}) {
		t.Fatal("nothing came after the failover")
	}
}

// BenchmarkRedis measures a message's way through a real Redis, alone and in
// crowds, beside the floor of as many bytes through a pipe.
func BenchmarkRedis(b *testing.B) {
	server := bustest.StartServer(b)
	x, err := bus.DialRedis(bus.RedisOptions{URL: server.URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	got := make(chan int, 1<<16)
	x.Subscribe("t", func(msg []byte) { got <- len(msg) })
	for !bustest.Eventually(func() bool { return x.Ping(context.Background()) == nil }) {
		b.Fatal("no Redis")
	}
	for _, size := range []int{200, 12_000} {
		msg := make([]byte, size)
		b.Run(fmt.Sprintf("pipe/size=%d", size), func(b *testing.B) {
			r, w := io.Pipe()
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = io.Copy(io.Discard, r) })
			for b.Loop() {
				_, _ = w.Write(msg)
			}
			w.Close()
			wg.Wait()
		})
		b.Run(fmt.Sprintf("alone/size=%d", size), func(b *testing.B) {
			for b.Loop() {
				x.Publish("t", msg)
				<-got
			}
		})
		b.Run(fmt.Sprintf("crowd/size=%d", size), func(b *testing.B) {
			for b.Loop() {
				for range 100 {
					x.Publish("t", msg)
				}
				for range 100 {
					<-got
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "µs/message")
		})
	}
}
