package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard"
	"github.com/feedgate/feedgate/shard/bus"
	"github.com/feedgate/feedgate/shard/cluster"
	"github.com/feedgate/feedgate/shard/storefake"
)

var (
	seedCount = flag.Int("seeds", 40, "how many seeds TestCluster runs")
	manyTries = flag.Int("tries", 20, "how often -seed is tried, until it fails")
	oneSeed   = flag.Uint64("seed", 0, "the only seed that TestCluster runs; SIM_TRACE=1 prints all that happens")
)

// TestCluster lives through the seeds' histories. It does so on one processor and
// without a garbage collection in the middle: else goroutines that are ready in the
// same virtual instant would run in another order each time. What is left to chance
// is select, and the scheduler's taking turns every 10 ms: a seed replays nearly
// always on an idle machine, and often enough on a busy one that some of its tries fail.
func TestCluster(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	first, last, tries := uint64(1), uint64(*seedCount), 1
	if *oneSeed != 0 {
		first, last, tries = *oneSeed, *oneSeed, *manyTries
	}
	var sum tally
	t.Run("seed", func(t *testing.T) {
		for try := 0; try < tries && !t.Failed(); try++ {
			for seed := first; seed <= last; seed++ {
				runtime.GC()
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						time.Sleep(time.Until(feedengine.IDEpoch.Add(300 * 24 * time.Hour))) // a bubble begins in the year 2000
						w := newWorld(t, seed)
						w.live()
						sum.add(&w.tally)
					})
				})
			}
		}
	})
	t.Log(&sum)
}

// world is one simulation.
type world struct {
	// Set at construction.
	t        *testing.T
	seed     uint64
	dice     *dice // of the driver
	db       *storefake.Store
	hub      *bus.Hub
	shards   int
	ring     int
	users    []string
	maxPosts int
	began    time.Time
	trace    bool

	// Owned by the driver.
	starts int
	graves sync.WaitGroup // what ends by itself

	// Read by nodes' calls.
	storeDown atomic.Bool
	fails     atomic.Int64 // percent of the store's calls that fail
	stalls    atomic.Int64 // percent that take long
	rough     atomic.Int64 // percent of the bus's messages that something happens to

	mu      sync.Mutex
	nodes   map[string]*node
	clients []*client
	ledger  *ledger
	session feedengine.SessionID
	chats   map[string][]feedengine.ChatCount // by user, as told last
	failed  string

	tally tally

	lineMu sync.Mutex
	lines  []string
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, dice: newDice(seed, "driver"), began: time.Now(), trace: os.Getenv("SIM_TRACE") != "",
		nodes: map[string]*node{}, ledger: newLedger(), maxPosts: 400,
		chats: map[string][]feedengine.ChatCount{},
	}
	w.shards = 4 << w.dice.intn(3)
	w.ring = 64 << (2 * w.dice.intn(4))
	w.db = storefake.New(w.shards)
	w.hub = bus.NewHub(func(p bus.Passage) bus.Fate { return w.fate(newLot(seed, p.From, p.To, p.Nth)) })
	for i := range 5 + w.dice.intn(6) {
		w.users = append(w.users, fmt.Sprintf("u%d", i))
	}
	for i := range 6 + w.dice.intn(7) {
		user := w.users[w.dice.intn(len(w.users))]
		w.clients = append(w.clients, &client{w: w, user: user, name: fmt.Sprintf("device %d of %s", i, user)})
	}
	return w
}

// fate is what becomes of a message on the bus.
func (w *world) fate(d lot) bus.Fate {
	f := bus.Fate{Delay: time.Duration(100+d.intn(900)) * time.Microsecond}
	if d.intn(100) >= int(w.rough.Load()) {
		return f
	}
	switch d.intn(4) {
	case 0:
		f.Drop = true
	case 1:
		f.Again, f.Later = 1+d.intn(2), time.Duration(d.intn(50))*time.Millisecond
	case 2:
		f.Delay, f.Overtake = time.Duration(d.intn(300))*time.Millisecond, true
	case 3:
		f.Delay = time.Duration(d.intn(300)) * time.Millisecond
	}
	return f
}

// note writes a line of what happens, with the virtual time.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%9.4f ", time.Since(w.began).Seconds()) + fmt.Sprintf(format, args...)
	if w.trace {
		fmt.Println(line)
	}
	w.lineMu.Lock()
	defer w.lineMu.Unlock()
	if len(w.lines) >= 400 {
		w.lines = slices.Delete(w.lines, 0, 200)
	}
	w.lines = append(w.lines, line)
}

// failf ends the simulation, soon. The first failure counts.
func (w *world) failf(format string, args ...any) {
	w.note("FAILED: "+format, args...)
	w.lineMu.Lock()
	defer w.lineMu.Unlock()
	if w.failed == "" {
		w.failed = strings.Join(w.lines, "\n") + "\n" + fmt.Sprintf(format, args...)
	}
}

func (w *world) hasFailed() bool {
	w.lineMu.Lock()
	defer w.lineMu.Unlock()
	return w.failed != ""
}

// live is the whole simulation.
func (w *world) live() {
	for i := range 2 + w.dice.intn(2) {
		w.start(fmt.Sprint("n", i+1), cluster.Roles{Gateway: true, Shard: true})
	}
	w.sleep(3 * time.Second)
	for until := time.Now().Add(time.Duration(15+w.dice.intn(30)) * time.Second); time.Now().Before(until) && !w.hasFailed(); {
		w.sleep(time.Duration(1+w.dice.intn(40)) * time.Millisecond)
		w.act()
	}
	if !w.hasFailed() {
		w.settle()
	}
	w.end()
	if w.failed != "" {
		w.t.Fatalf("%s\nreplay alone with: go test ./shard/sim -run TestCluster -seed %d", w.failed, w.seed)
	}
}

func (w *world) sleep(d time.Duration) { time.Sleep(d) }

// count is note for what is counted.
func (w *world) count(what string) { w.tally.count(what, 1) }

// some picks a node, nil when there is none that fits.
func (w *world) some(fits func(*node) bool) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	var fit []*node
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		if n := w.nodes[name]; !n.draining && fits(n) {
			fit = append(fit, n)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[w.dice.intn(len(fit))]
}

func (w *world) gateway() *node { return w.some(func(n *node) bool { return n.roles.Gateway }) }

// act is one thing that happens.
func (w *world) act() {
	c := w.clients[w.dice.intn(len(w.clients))]
	switch op := w.dice.intn(1400); {
	case op >= 1000:
		w.social(c)
	case op < 200:
		w.connect(c, w.gateway())
	case op < 230:
		w.leave(c)
	case op < 430:
		w.publish(c)
	case op < 470:
		w.retry(c)
	case op < 520:
		w.remove(c)
	case op < 620:
		w.follow(c, true)
	case op < 660:
		w.follow(c, false)
	case op < 740:
		w.read(c)
	case op < 760:
		w.unread(c)
	case op < 800:
		w.sync(c)
	case op < 860:
		w.setState(c, w.dice.chance(2))
	case op < 900:
		w.checkNodes()
	case op < 940:
		w.weather()
	case op < 965:
		w.disaster()
	}
}

// weather changes how often calls and messages go wrong.
func (w *world) weather() {
	switch w.dice.intn(5) {
	case 0:
		w.rough.Store(int64(w.dice.intn(40)))
	case 1:
		w.fails.Store(int64(w.dice.intn(15)))
	case 2:
		w.stalls.Store(int64(w.dice.intn(8)))
	default:
		w.rough.Store(0)
		w.fails.Store(0)
		w.stalls.Store(0)
	}
	if w.dice.chance(2) {
		w.db.EndGhosts(w.dice.chance(2))
	}
}

// disaster is what nodes have to live through.
func (w *world) disaster() {
	w.mu.Lock()
	alive := 0
	for _, n := range w.nodes {
		if !n.draining && n.roles.Shard {
			alive++
		}
	}
	w.mu.Unlock()
	any := w.some(func(*node) bool { return true })
	switch w.dice.intn(12) {
	case 0, 1:
		if any != nil && alive > 1 {
			w.crash(any)
		}
	case 2, 3:
		if any != nil {
			w.freeze(any, time.Duration(200+w.dice.intn(8000))*time.Millisecond)
		}
	case 4, 5:
		if alive < 4 {
			roles := cluster.Roles{Gateway: true, Shard: true}
			switch w.dice.intn(5) {
			case 0:
				roles.Gateway = false
			case 1:
				roles.Shard = false
			}
			w.addNode(roles)
		}
	case 6:
		if any != nil && alive > 1 {
			w.drain(any)
		}
	case 7, 8:
		w.move()
	case 9:
		w.outage(w.hub.SetDown, "the bus is")
	case 10:
		if any != nil {
			w.outage(any.bus.SetCut, any.name+" is cut off: the bus is")
		}
	case 11:
		if w.dice.chance(2) {
			w.loseHistory()
		} else {
			w.outage(w.storeDown.Store, "the store is")
		}
	}
}

func (w *world) addNode(roles cluster.Roles) {
	for i := 1; ; i++ {
		name := fmt.Sprint("n", i)
		w.mu.Lock()
		taken := w.nodes[name] != nil
		w.mu.Unlock()
		if !taken {
			w.start(name, roles)
			return
		}
	}
}

// move asks for a shard to be moved to some node.
func (w *world) move() {
	from, to := w.some(func(*node) bool { return true }), w.some(func(n *node) bool { return n.roles.Shard })
	if from == nil || to == nil {
		return
	}
	shard := feedengine.ShardID(w.dice.intn(w.shards))
	w.note("shard %d is to move to %s", shard, to.name)
	w.graves.Go(func() {
		ctx, cancel := contextFor(5 * time.Second)
		defer cancel()
		err := from.Move(ctx, shard, to.name)
		w.note("shard %d is to move to %s: %v", shard, to.name, err)
	})
}

func (w *world) outage(set func(bool), what string) {
	d := time.Duration(100+w.dice.intn(5000)) * time.Millisecond
	w.note("%s away for %v", what, d)
	w.count("outages")
	set(true)
	w.graves.Go(func() {
		time.Sleep(d)
		w.note("%s back", what)
		set(false)
	})
}

// loseHistory is a failover of the database to a standby that lacked the last
// commits.
func (w *world) loseHistory() {
	w.storeDown.Store(true)
	w.sleep(20 * time.Millisecond) // what was on its way has failed, or has arrived
	w.mu.Lock()
	for _, ev := range w.db.Lose(1+w.dice.intn(4), 0) {
		w.note("log %d loses %d", ev.Shard, ev.Seq)
		w.count("events that the store forgot")
		w.ledger.lost[ev.ID] = true
	}
	w.ledger.forgot = true
	for _, p := range w.ledger.posts {
		if w.ledger.lost[p.id] {
			p.id = 0
		}
	}
	w.mu.Unlock()
	w.sleep(time.Duration(1200+w.dice.intn(2000)) * time.Millisecond) // no failover takes less than a beat
	w.storeDown.Store(false)
	w.note("the store is back without its last commits")
}

// checkNodes verifies what each node holds.
func (w *world) checkNodes() {
	w.mu.Lock()
	nodes := slices.Collect(maps.Values(w.nodes))
	forgot := w.ledger.forgot
	w.mu.Unlock()
	for _, n := range nodes {
		n.gate.mu.Lock()
		shut := n.gate.shut != nil
		n.gate.mu.Unlock()
		if shut {
			continue
		}
		ctx, cancel := contextFor(5 * time.Second)
		if err := n.Check(ctx); err != nil {
			w.failf("%s: %v", n.name, err)
		}
		cancel()
		if drift := n.set.GetOrCreateCounter("feedgate_counter_drift_total").Get(); drift > 0 && !forgot {
			w.failf("%s: %d counters had drifted", n.name, drift)
		}
	}
}

// settle heals everything, waits, and compares.
func (w *world) settle() {
	w.note("everything heals")
	w.count("healed")
	w.rough.Store(0)
	w.fails.Store(0)
	w.stalls.Store(0)
	w.graves.Wait()
	w.storeDown.Store(false)
	w.hub.SetDown(false)
	w.db.EndGhosts(w.dice.chance(2))
	w.mu.Lock()
	shards := 0
	for _, n := range w.nodes {
		if n.roles.Shard {
			shards++
		}
	}
	w.mu.Unlock()
	if shards == 0 || w.gateway() == nil {
		w.addNode(cluster.Roles{Gateway: true, Shard: true})
	}
	w.sleep(5 * time.Second)
	var err error
	for until := time.Now().Add(60 * time.Second); time.Now().Before(until) && !w.hasFailed(); {
		for _, c := range w.clients {
			w.connect(c, w.gateway())
			w.setState(c, false)
			w.askChats(c.user)
		}
		w.sleep(500 * time.Millisecond)
		w.checkNodes()
		w.mu.Lock()
		err = w.check()
		w.mu.Unlock()
		if err == nil {
			return
		}
	}
	if err != nil {
		w.describe()
		w.failf("a minute after everything healed: %v", err)
	}
}

// askChats asks how many messages are unread by conversation.
func (w *world) askChats(user string) {
	w.mu.Lock()
	delete(w.chats, user)
	w.mu.Unlock()
	if n := w.gateway(); n != nil {
		n.ask(user, feedengine.Unread{}, func(r feedengine.Result) {
			if r.Err == nil {
				w.chats[user] = r.Chats
			}
		})
	}
}

// describe notes what the nodes say of themselves, and what the store has.
func (w *world) describe() {
	ctx, cancel := contextFor(5 * time.Second)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		said, _ := json.Marshal(w.nodes[name].State(ctx))
		w.note("%s says %s", name, said)
	}
	heads, err := w.db.Heads(ctx)
	w.note("the store has %+v %v", heads, err)
	gateway := w.gateway()
	for _, user := range w.users {
		w.note("%s lives in shard %d", user, shard.Of(user, w.shards))
		gateway.ask(user, feedengine.Unread{}, func(r feedengine.Result) { w.note("%s has %+v in stream %s, %v", user, r.Counts, r.Stream, r.Err) })
	}
	w.sleep(time.Second)
}

// check holds everybody against the facts.
func (w *world) check() error {
	for _, c := range w.clients {
		switch {
		case !c.attached:
			return fmt.Errorf("%v is not attached", c)
		case c.background || c.switching:
			return fmt.Errorf("%v is in the background", c)
		}
	}
	for _, c := range w.clients {
		if err := c.check(); err != nil {
			return err
		}
	}
	if d := w.db.Defects(); len(d) > 0 {
		return fmt.Errorf("the store was used wrongly: %s", strings.Join(d, "; "))
	}
	return w.checkLedger()
}

// end stops all nodes.
func (w *world) end() {
	w.hub.SetDown(false)
	w.storeDown.Store(false)
	w.fails.Store(0)
	w.mu.Lock()
	nodes := slices.Collect(maps.Values(w.nodes))
	clear(w.nodes)
	w.mu.Unlock()
	for _, n := range nodes {
		n.gate.open()
		w.bury(n)
	}
	w.graves.Wait()
}
