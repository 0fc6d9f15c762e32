package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/cluster"
)

// bearing connects a user whose token comes with the upgrade.
func bearing(t testing.TB, n *node, user string) (*client, error) {
	t.Helper()
	c, err := tryDial(t, n, http.Header{"Authorization": {"Bearer " + token(t, user, false)}})
	if err != nil {
		return nil, err
	}
	c.hello, err = c.try("connect", nil)
	return c, err
}

// settled waits until each shard is with the worker, of those named, that it belongs
// to, and says whose a user is.
func (c *child) settled(name string, workers ...int) func(user string) int {
	c.t.Helper()
	shards := 0
	belongs := func(s int) (worker int) { // as shard/cluster places them
		var most uint64
		for _, w := range workers {
			key := append(fmt.Appendf(nil, "%s/%d", name, w), 0, byte(s>>8), byte(s))
			if h := xxhash.Sum64(key); h > most {
				worker, most = w, h
			}
		}
		return worker
	}
	eventually(c.t, "the shards are where they belong", func() bool {
		var all cluster.State
		if err := json.Unmarshal([]byte(c.adminGet("/cluster")), &all); err != nil {
			c.t.Fatal(err)
		}
		shards = len(all.Shards)
		for i, s := range all.Shards {
			if s.Owner != fmt.Sprintf("%s/%d", name, belongs(i)) {
				return false
			}
		}
		return shards > 0 && len(all.Moves) == 0
	})
	return func(user string) int { return belongs(int(shard.Of(user, shards))) }
}

// of is a worker's value of a series.
func (c *child) of(worker int, name, labels string) (v float64) {
	c.t.Helper()
	series := fmt.Sprintf(`%s{worker="%d",%s} `, name, worker, labels)
	for line := range strings.Lines(c.adminGet("/metrics")) {
		if value, ok := strings.CutPrefix(line, series); ok {
			fmt.Sscan(value, &v)
		}
	}
	return v
}

// landed connects a user and says on which worker.
func (c *child) landed(user string) (device *client, worker int) {
	c.t.Helper()
	before := c.live()
	eventually(c.t, user+" is connected", func() (ok bool) {
		var err error
		device, err = bearing(c.t, &c.node, user)
		return err == nil
	})
	worker = -1
	for w, n := range c.live() {
		if n > before[w] {
			worker = w
		}
	}
	return device, worker
}

// TestWorkersPass has clients whose upgrade names them end on the worker that owns
// them, or on another while that one is not there.
func TestWorkersPass(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.crew("crew", 3)
	owner := c.settled("crew", 0, 1, 2)
	on := map[int]*client{}
	const users = 15
	for i := range users {
		user := fmt.Sprint("user", i)
		device, worker := c.landed(user)
		if worker != owner(user) {
			t.Errorf("%s is on worker %d, and is worker %d's", user, worker, owner(user))
		}
		on[worker] = device
	}
	if len(on) != 3 {
		t.Fatalf("%d workers have connections", len(on))
	}
	var passed, taken float64
	for w := range 3 {
		passed += c.of(w, "feedgate_front_total", `end="passed"`)
		taken += c.of(w, "feedgate_front_taken_total", `result="good"`)
	}
	if passed == 0 || passed > users || taken != passed {
		t.Errorf("%v were passed, %v taken", passed, taken)
	}
	on[1].follow(on[0].hello.User)
	on[2].follow(on[0].hello.User)
	post := on[0].publish("to both of you")
	for _, w := range []int{1, 2} {
		if on[w].event().Event.ID != post {
			t.Errorf("worker %d did not deliver the post", w)
		}
	}

	// Nobody waits for one that was killed.
	gone := on[1].hello.User
	syscall.Kill(c.pids(1)[0], syscall.SIGKILL)
	on[1].closed()
	device, err := (*client)(nil), error(nil)
	eventually(t, "it is served elsewhere, or there again", func() bool {
		device, err = bearing(t, &c.node, gone)
		return err == nil
	})
	device.publish("from elsewhere")
	eventually(t, "another was started", func() bool { return len(c.pids(1)) == 2 })
	eventually(t, "all are ready again", func() bool {
		status, _ := c.status("/readyz")
		return status == 200
	})
	owner = c.settled("crew", 0, 1, 2)
	for i := 0; c.of(1, "feedgate_front_taken_total", `result="good"`) == 0; i++ {
		if i == 100 {
			t.Fatal("nobody is passed to the worker that was started again")
		}
		user := fmt.Sprint("again", i)
		if _, worker := c.landed(user); worker != owner(user) {
			t.Errorf("%s is on worker %d, and is worker %d's", user, worker, owner(user))
		}
	}

	// Nor for one that was drained.
	c.wish("drain", `{"node":"crew/2"}`)
	if _, code := on[2].closed(); code != 4200 {
		t.Errorf("closed with %d", code)
	}
	pid := c.pids(2)[0]
	eventually(t, "the worker is gone", func() bool { return !lives(pid) })
	owner = c.settled("crew", 0, 1)
	for i := range users {
		user := fmt.Sprint("late", i)
		if _, worker := c.landed(user); worker != owner(user) {
			t.Errorf("%s is on worker %d, and is worker %d's", user, worker, owner(user))
		}
	}
	if err := c.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestWorkersTakeTurns has all come for one worker: it may use the turns of the others, and
// nobody has more.
func TestWorkersTakeTurns(t *testing.T) {
	t.Parallel()
	const rate = 30 // of which 10 would be one worker's part
	f := newFleet(t)
	f.env = f.env.with(env{"FEEDGATE_HANDSHAKE_RATE": strconv.Itoa(rate)})
	c := f.crew("crew", 3)
	c.settled("crew", 0, 1, 2)
	began := time.Now()
	var let, refused atomic.Int32
	come := func(n int, user func(i int) string) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				switch _, err := bearing(t, &c.node, user(i)); {
				case err == nil:
					let.Add(1)
				case strings.Contains(err.Error(), "503"):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	come(rate*5/6, func(int) string { return "ann" })
	if n := refused.Load(); n > 0 {
		t.Errorf("%d of %d for one worker were refused", n, rate*5/6)
	}
	come(5*rate, func(i int) string { return fmt.Sprint("user", i) })
	if most := rate*(1+time.Since(began).Seconds()) + 1; float64(let.Load()) > most || refused.Load() == 0 {
		t.Errorf("%d were let in, want at most %.0f; %d refused", let.Load(), most, refused.Load())
	}
}

// TestWorkerPassing says to whom a worker passes connections, and where.
func TestWorkerPassing(t *testing.T) {
	w := &worker{Index: 1, Count: 3, Node: "n/0", Passes: []string{"a", "b", "c"}}
	node := ""
	p := w.passing(func(string) string { return node })
	if p.Here != "b" || fmt.Sprint(p.Others) != "[a  c]" {
		t.Errorf("%+v", p)
	}
	for _, c := range []struct {
		node string
		want int
	}{
		{"n/0/0", 0}, {"n/0/2", 2}, {"n/0/1", -1}, {"n/0/3", -1}, {"n/0", -1}, {"n/1/0", -1}, {"n/0/", -1}, {"", -1}, {"n/0/00", -1},
	} {
		if node = c.node; p.Owner("alice") != c.want {
			t.Errorf("what %q owns goes to %d, want %d", node, p.Owner("alice"), c.want)
		}
	}
	for _, alone := range []*worker{{Count: 1, Passes: []string{"a"}}, {Count: 2}} {
		if alone.passing(nil) != nil {
			t.Errorf("%+v has somebody to pass connections to", alone)
		}
	}
}
