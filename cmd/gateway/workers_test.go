package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// crew starts workers behind one address and waits until all are ready.
func (f *fleet) crew(name string, n int) *child {
	f.t.Helper()
	c := launch(f.t, f.env.with(env{"FEEDGATE_NODE_ID": name, "FEEDGATE_WORKERS": strconv.Itoa(n)}))
	ready := regexp.MustCompile(`msg=ready node=` + name + ` addr=(\S+) admin=(\S+)`)
	eventually(f.t, "the workers are ready", func() bool {
		select {
		case <-c.ended:
			f.t.Fatalf("the parent ended: %v\n%s", c.cmd.ProcessState, c.logs)
		default:
		}
		m := ready.FindStringSubmatch(c.logs.String())
		if m != nil {
			c.addr, c.admin = m[1], m[2]
		}
		return m != nil
	})
	return c
}

// pids are the processes that were started for a worker, the newest last.
func (c *child) pids(worker int) (pids []int) {
	line := regexp.MustCompile(fmt.Sprintf(`msg="worker started" .*worker=%d pid=(\d+)`, worker))
	for _, m := range line.FindAllStringSubmatch(c.logs.String(), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

// lives reports whether there is such a process, and it has not ended.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// status is what the admin listener answers to a path.
func (n *node) status(path string) (int, string) {
	resp, err := http.Get("http://" + n.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

// live is how many connections each worker has.
func (c *child) live() map[int]float64 {
	c.t.Helper()
	m := map[int]float64{}
	for line := range strings.Lines(c.adminGet("/metrics")) {
		var w int
		var v float64
		if _, err := fmt.Sscanf(line, `feedgate_connections{worker="%d",state="live"} %f`, &w, &v); err == nil {
			m[w] = v
		}
	}
	return m
}

// everywhere connects users until each worker has one.
func everywhere(t *testing.T, c *child, workers int) map[int]*client {
	t.Helper()
	on := map[int]*client{}
	before := c.live()
	if len(before) != workers {
		t.Fatalf("connections of %d workers are told", len(before))
	}
	for i := 0; len(on) < workers; i++ {
		if i == 100 {
			t.Fatal("a hundred connections did not reach all workers")
		}
		device := connect(t, &c.node, fmt.Sprint("user", i), nil)
		after := c.live()
		for w := range workers {
			if after[w] > before[w] {
				on[w] = device
			}
		}
		before = after
	}
	return on
}

// TestWorkers has three processes behind one address be one service.
func TestWorkers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.crew("crew", 3)
	on := everywhere(t, c, 3)
	author := on[0].hello.User
	for w, device := range on {
		if w != 0 {
			device.follow(author)
		}
	}
	post := on[0].publish("to all of you")
	for w, device := range on {
		if w != 0 && device.event().Event.ID != post {
			t.Errorf("worker %d did not deliver the post", w)
		}
	}

	if status, body := c.status("/readyz"); status != 200 || strings.Count(body, `"status":"ready"`) != 4 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, body := c.status("/debug/check"); status != 200 || strings.Count(body, `"ok":true`) != 4 {
		t.Errorf("/debug/check: %d %s", status, body)
	}
	if status, _ := c.status("/debug/memory"); status != 400 {
		t.Errorf("/debug/memory of nobody: %d", status)
	}
	if status, _ := c.status("/debug/memory?worker=3"); status != 404 {
		t.Errorf("/debug/memory of a worker that there is not: %d", status)
	}
	if status, body := c.status("/debug/pprof/cmdline?worker=2"); status != 200 {
		t.Errorf("/debug/pprof/ of worker 2: %d %s", status, body)
	}
	var state struct {
		Nodes []struct{ Node, Admin string }
	}
	if err := json.Unmarshal([]byte(c.adminGet("/cluster")), &state); err != nil || len(state.Nodes) != 3 {
		t.Fatalf("/cluster: %+v, %v", state, err)
	}
	for i, n := range state.Nodes {
		if n.Node != fmt.Sprintf("crew/%d", i) || n.Admin != c.admin {
			t.Errorf("node %d is %+v", i, n)
		}
	}
	if up := c.metric("feedgate_workers_up"); up != 3 {
		t.Errorf("%v workers are up", up)
	}

	// Another node at the same address is refused, though the system would let it share.
	for _, workers := range []string{"1", "2"} {
		again := launch(t, f.env.with(env{"FEEDGATE_NODE_ID": "again", "FEEDGATE_WORKERS": workers, "FEEDGATE_ADDR": c.addr}))
		again.wait()
		if again.code() != exitFailed || !again.logs.has("address already in use") {
			t.Errorf("%s more at the same address: code %d\n%s", workers, again.code(), again.logs)
		}
	}

	c.signal(syscall.SIGTERM)
	for w, device := range on {
		if bye, code := device.closed(); code != 4200 || bye.Bye == nil || bye.Bye.SpreadMS <= 0 {
			t.Errorf("worker %d closed with %d, bye %+v", w, code, bye.Bye)
		}
	}
	if err := c.wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	for w := range 3 {
		if pids := c.pids(w); len(pids) != 1 || lives(pids[0]) {
			t.Errorf("worker %d: processes %v, the last still there: %v", w, pids, lives(pids[0]))
		}
	}
}

// TestWorkerDies kills one: it is started again, and the others' sockets stay.
func TestWorkerDies(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.crew("crew", 2)
	on := everywhere(t, c, 2)
	on[1].follow("author")
	syscall.Kill(c.pids(0)[0], syscall.SIGKILL)
	if _, _, err := on[0].ws.Read(t.Context()); err == nil {
		t.Error("the dead worker's socket still says something")
	}
	eventually(t, "another was started", func() bool { return len(c.pids(0)) == 2 })
	eventually(t, "all are ready again", func() bool {
		status, _ := c.status("/readyz")
		return status == 200
	})
	if n := c.metric("feedgate_worker_restarts_total"); n != 1 {
		t.Errorf("%v restarts", n)
	}
	author := connect(t, &c.node, "author", nil)
	post := ""
	eventually(t, "a post is taken", func() bool { // the dead one's shards may be on their way
		ok, err := author.try("publish", map[string]any{"text": "still there"})
		if err == nil {
			post = ok.Post.ID
		}
		return err == nil
	})
	// The dead one may have owned this user's shard: then a reset comes, and what
	// was posted before it stands on the page.
	for shown := false; !shown; {
		switch f := on[1].event(); {
		case f.Event != nil && f.Event.ID == post:
			shown = true
		case f.Reset != nil:
			page := on[1].must("feed", nil)
			shown = slices.ContainsFunc(page.Posts, func(e event) bool { return e.ID == post })
		default:
			t.Fatalf("the other worker's socket got %+v, want post %s", f, post)
		}
	}
	if err := c.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestWorkersParentKilled kills the parent: nobody is left behind at its address.
func TestWorkersParentKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.crew("crew", 2)
	sockets := regexp.MustCompile(`admin=(/\S+)/\d`).FindStringSubmatch(c.logs.String())
	if sockets == nil {
		t.Fatalf("no worker says where its socket is\n%s", c.logs)
	}
	c.kill()
	for w := range 2 {
		pid := c.pids(w)[0]
		eventually(t, "the worker is gone", func() bool { return !lives(pid) })
	}
	if _, err := os.Stat(sockets[1]); err == nil {
		left, _ := filepath.Glob(sockets[1] + "/*")
		t.Errorf("%s is left behind with %v", sockets[1], left)
	}
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		t.Fatalf("the address is not free: %v", err)
	}
	l.Close()
}

// TestWorkersStop stops them in the several ways that supervisors and people have.
func TestWorkersStop(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	t.Run("all are signalled", func(t *testing.T) { // as systemd does
		c := f.crew("group", 2)
		device := connect(t, &c.node, "alice", nil)
		for _, pid := range []int{c.pids(0)[0], c.cmd.Process.Pid, c.pids(1)[0]} {
			syscall.Kill(pid, syscall.SIGTERM)
		}
		if _, code := device.closed(); code != 4200 {
			t.Errorf("closed with %d", code)
		}
		if err := c.wait(); err != nil || len(c.pids(0))+len(c.pids(1)) != 2 {
			t.Errorf("it ended with %v; workers %v, %v", err, c.pids(0), c.pids(1))
		}
	})
	t.Run("one dies meanwhile", func(t *testing.T) {
		c := f.crew("dying", 2)
		stuck := everywhere(t, c, 2) // nobody reads: the drain waits for their answers
		c.signal(syscall.SIGTERM)
		eventually(t, "the drain has begun", func() bool { return strings.Count(c.logs.String(), "msg=draining") == 2 })
		syscall.Kill(c.pids(0)[0], syscall.SIGKILL)
		stuck[1].drop()
		c.wait()
		if c.code() != exitFailed || len(c.pids(0)) != 1 {
			t.Errorf("code %d; processes of worker 0: %v", c.code(), c.pids(0))
		}
	})
	t.Run("twice", func(t *testing.T) {
		c := f.crew("twice", 2)
		everywhere(t, c, 2) // likewise
		c.signal(syscall.SIGTERM)
		eventually(t, "the drain has begun", func() bool { return strings.Count(c.logs.String(), "msg=draining") == 2 })
		c.signal(syscall.SIGINT)
		c.wait()
		if c.code() != exitForced {
			t.Errorf("code %d", c.code())
		}
		for w := range 2 {
			pid := c.pids(w)[0]
			eventually(t, "the worker is gone", func() bool { return !lives(pid) })
		}
	})
	t.Run("before they are ready", func(t *testing.T) {
		c := launch(t, f.env.with(env{
			"FEEDGATE_WORKERS": "2", "DATABASE_URL": "postgres://nobody@127.0.0.1:" + freePort(t) + "/nothing",
		}))
		eventually(t, "workers wait for the database", func() bool { return strings.Count(c.logs.String(), "not there yet") >= 2 })
		if err := c.stop(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("for they never work", func(t *testing.T) {
		c := launch(t, f.env.with(env{
			"FEEDGATE_WORKERS": "2", "DATABASE_URL": strings.Replace(f.pg.url(), "/postgres?", "/no_such_database?", 1),
		}))
		c.wait()
		if c.code() != exitFailed || !c.logs.has("no_such_database") || len(c.pids(0)) != 1 {
			t.Errorf("code %d, processes of worker 0: %v\n%s", c.code(), c.pids(0), c.logs)
		}
	})
	t.Run("for their name is another's", func(t *testing.T) {
		c := f.crew("name", 2)
		again := f.crew("name", 2)
		c.wait()
		if c.code() != exitFenced {
			t.Errorf("code %d, want %d", c.code(), exitFenced)
		}
		if err := again.stop(); err != nil {
			t.Errorf("the other ended with %v", err)
		}
	})
}

// TestWorkersShareTheCores says how many each may use, of cores and workers.
func TestWorkersShareTheCores(t *testing.T) {
	for _, c := range []struct{ cores, workers, want int }{
		{2, 2, 2}, {2, 7, 1}, {2, 3, 2}, {8, 2, 8}, {8, 3, 6}, {8, 16, 1}, {16, 4, 8}, {1, 5, 1},
	} {
		if got := (&worker{Cores: c.cores, Count: c.workers}).procs(); got != c.want {
			t.Errorf("each of %d workers uses %d of %d cores, want %d", c.workers, got, c.cores, c.want)
		}
	}
}

func TestBeWorker(t *testing.T) {
	cfg, _ := parsed(t, env{
		"FEEDGATE_NODE_ID": "n", "FEEDGATE_WORKERS": "4", "FEEDGATE_ADDR": ":0", "FEEDGATE_HANDSHAKE_RATE": "400",
		"FEEDGATE_MEMORY_BUDGET": "400MiB", "FEEDGATE_VIEW_BUDGET": "40MiB",
	})
	cfg.beWorker(&worker{Index: 2, Count: 4, Cores: 2, Node: "n", Addr: ":5000", Turns: turnsFd})
	if cfg.NodeID != "n/2" || cfg.Workers != 1 || cfg.Addr != ":5000" || cfg.HandshakeRate != 400 ||
		cfg.MemoryBudget != 100<<20 || cfg.ViewBudget != 10<<20 {
		t.Errorf("%+v", cfg)
	}
	cfg, _ = parsed(t, env{"FEEDGATE_WORKERS": "2"})
	cfg.beWorker(&worker{Index: 0, Count: 2, Cores: 3, Node: strings.Repeat("n", maxNodeID)})
	if want := float64(handshakesPerCore*3) / 2; cfg.HandshakeRate != want || cfg.MemoryBudget != 0 {
		t.Errorf("rate %v, want %v; budget %v", cfg.HandshakeRate, want, cfg.MemoryBudget)
	}
	if len(cfg.NodeID) > 63 {
		t.Errorf("a name of %d bytes is more than Postgres keeps", len(cfg.NodeID))
	}
}

func TestMergedMetrics(t *testing.T) {
	var m merged
	m.add("0", []byte("# TYPE b counter\nb 1\na{x=\"}{ 1\"} 2\nc{} 3\n\n"))
	m.add("parent", []byte("a{x=\"y\"} 4\nb 5e3"))
	var out bytes.Buffer
	m.write(&out)
	want := `a{worker="0",x="}{ 1"} 2
a{worker="parent",x="y"} 4
b{worker="0"} 1
b{worker="parent"} 5e3
c{worker="0"} 3
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestConnectionsWithin(t *testing.T) {
	for _, c := range []struct {
		limit       uint64
		processes   int
		connections uint64
		ok          bool
	}{{0, 1, 0, false}, {1 << 60, 1, 0, false}, {100, 1, 1, true}, {1024, 1, 768, true}, {1024, 4, 3072, true}} {
		if n, ok := connectionsWithin(c.limit, c.processes); n != c.connections || ok != c.ok {
			t.Errorf("%+v: %d, %v", c, n, ok)
		}
	}
}

// TestWorkerDrained has an operator drain one: it ends for good, its sockets and
// whoever comes go to the other, and with the last the parent ends too.
func TestWorkerDrained(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.crew("crew", 2)
	on := everywhere(t, c, 2)
	c.wish("drain", `{"node":"crew/1"}`)
	if bye, code := on[1].closed(); code != 4200 || bye.Bye == nil {
		t.Errorf("closed with %d, bye %+v", code, bye.Bye)
	}
	pid := c.pids(1)[0]
	eventually(t, "the worker is gone", func() bool { return !lives(pid) })
	for i := range 10 {
		connect(t, &c.node, fmt.Sprint("late", i), nil).publish("on the other one")
	}
	eventually(t, "who is left is ready", func() bool {
		status, body := c.status("/readyz")
		return status == 200 && strings.Contains(body, `"1":{"status":"drained"}`)
	})
	if len(c.pids(1)) != 1 {
		t.Error("the drained worker was started again")
	}
	c.wish("drain", `{"node":"crew/0"}`)
	if _, code := on[0].closed(); code != 4200 {
		t.Errorf("closed with %d", code)
	}
	if err := c.wait(); err != nil {
		t.Errorf("the parent ended with %v", err)
	}
}

// wish is what an operator asks of the admin listener.
func (n *node) wish(what, body string) {
	n.t.Helper()
	resp, err := http.Post("http://"+n.admin+"/cluster/"+what, "application/json", strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		n.t.Fatalf("%s %s: %d %s", what, body, resp.StatusCode, &b)
	}
}
