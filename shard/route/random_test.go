package route

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

var (
	seeds = flag.Int("seeds", 60, "how many seeds TestRandom runs")
	seed1 = flag.Uint64("seed", 1, "the first of them")
	trace = flag.Bool("tell", false, "have TestRandom tell of every message")
	quiet = slog.New(slog.DiscardHandler)
)

// TestRandom has three owners, of which two are gateways, and a node that is only a
// gateway go through everything: messages lost, late and doubled, links cut, shards
// that move with their state and without, owners that die, that come back from the
// frozen, that raise their epoch, gateways that start again; and sessions that
// attach, resume, detach, sync and go to the background all the while. Every
// session's stream is whole at any time, and up to date soon after the trouble ends.
func TestRandom(t *testing.T) {
	for seed := *seed1; seed < *seed1+uint64(*seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newDrama(t, seed).play() })
		})
	}
}

// drama is one random run.
type drama struct {
	t       *testing.T
	rand    *rand.Rand
	w       *world
	net     *network
	nodes   []*node
	texts   int
	granted map[string]bool // texts whose publish was answered with ok
	zombies []func()
	stop    chan struct{}
	lives   uint64
}

var userNames = []string{"ann", "bob", "cid", "dan", "eve", "fay", "gil", "hal", "ida", "joe", "kim", "lou"}

func newDrama(t *testing.T, seed uint64) *drama {
	d := &drama{
		t: t, rand: rand.New(rand.NewPCG(seed, 2)), w: newWorld(4), net: newNetwork(t, seed),
		granted: map[string]bool{}, stop: make(chan struct{}), lives: 10,
	}
	if *trace {
		start := time.Now()
		d.net.log = func(format string, args ...any) {
			t.Logf("%v "+format, append([]any{time.Since(start)}, args...)...)
		}
	}
	d.net.delay = []time.Duration{0, 3 * time.Millisecond, 40 * time.Millisecond}[d.rand.IntN(3)]
	d.net.drop = []float64{0, 0.02, 0.2}[d.rand.IntN(3)]
	for i, name := range []string{"a", "b", "c", "g"} {
		d.nodes = append(d.nodes, newNode(d.net, d.w, name, 1, i != 2, i != 3))
	}
	for s := range d.w.shards {
		d.open(feedengine.ShardID(s), d.nodes[s%3], nil)
	}
	go d.beat()
	return d
}

// beat sends the heartbeats and the roll of the store.
func (d *drama) beat() {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-d.stop:
			return
		}
		for _, n := range d.living() {
			n.heartbeat()
			if i%2 == 0 && n.router != nil {
				for s := range d.w.shards {
					owner, epoch := d.w.owner(feedengine.ShardID(s))
					n.router.Owns(owner, feedengine.Place{Shard: feedengine.ShardID(s), Epoch: epoch})
				}
			}
		}
	}
}

func (d *drama) living() []*node {
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	var all []*node
	for _, name := range d.net.names() {
		all = append(all, d.net.nodes[name])
	}
	return all
}

// open claims a shard for a node and has it served there.
func (d *drama) open(s feedengine.ShardID, n *node, views map[string]*fakeView) {
	n.host.open(s, d.w.claim(s, n.peer.Node), views)
}

func (d *drama) pick(which func(*node) bool) *node {
	all := slices.DeleteFunc(d.living(), func(n *node) bool { return !which(n) })
	return all[d.rand.IntN(len(all))]
}

func isHost(n *node) bool    { return n.host != nil }
func isGateway(n *node) bool { return n.gate != nil }

func (d *drama) user() string { return userNames[d.rand.IntN(len(userNames))] }

func (d *drama) owner(s feedengine.ShardID) *node {
	name, _ := d.w.owner(s)
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	return d.net.nodes[name]
}

func (d *drama) play() {
	for range 700 {
		d.act()
		if d.rand.IntN(3) > 0 {
			time.Sleep(time.Duration(d.rand.IntN(30)) * time.Millisecond)
		}
	}
	d.end()
}

// act does one thing.
func (d *drama) act() {
	switch x := d.rand.IntN(1000); {
	case x < 500:
		d.address(d.user())
	case x < 600:
		d.pick(isGateway).gate.attach(d.user(), d.resume())
	case x < 800:
		d.actClient()
	case x < 930:
		d.publish()
	case x < 960:
		d.move()
	case x < 970:
		s := feedengine.ShardID(d.rand.IntN(d.w.shards))
		if n := d.owner(s); n != nil {
			if f := n.host.shard(s); f != nil {
				f.raise(d.w.claim(s, n.peer.Node))
			}
		}
	case x < 980:
		d.cut()
	case x < 984:
		d.restartGateway()
	case x < 988:
		d.crash()
	case x < 992:
		g := d.pick(isGateway) // is taken for dead, and is not
		d.bury(g, d.rand.IntN(2) == 0)
	case x < 995:
		d.pick(isGateway).router.NodeGone(d.pick(isHost).peer.Node) // likewise
	default:
		for _, end := range d.zombies {
			end()
		}
		d.zombies = nil
	}
}

func (d *drama) address(user string) {
	d.w.address(user)
	s := d.w.shardOf(user)
	for _, n := range d.living() {
		if n.host != nil {
			if f := n.host.shard(s); f != nil {
				f.offer(f.applyAll, nil)
			}
		}
	}
}

// resume is where some other session stands.
func (d *drama) resume() *feedengine.Resume {
	clients := d.pick(isGateway).gate.clients()
	if len(clients) == 0 || d.rand.IntN(3) == 0 {
		return nil
	}
	c := clients[d.rand.IntN(len(clients))]
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	return &feedengine.Resume{Stream: c.stream, N: c.n}
}

func (d *drama) actClient() {
	clients := d.pick(isGateway).gate.clients()
	if len(clients) == 0 {
		return
	}
	c := clients[d.rand.IntN(len(clients))]
	c.g.mu.Lock()
	n, attached := c.n, c.attached
	c.g.mu.Unlock()
	switch x := d.rand.IntN(10); {
	case x < 3:
		c.detach()
	case !attached:
	case x < 6:
		c.sync(n - min(n, uint64(d.rand.IntN(4))))
	case x < 7 && d.rand.IntN(4) == 0:
		c.sync(n + uint64(d.rand.IntN(20))) // of a client that errs
	default:
		c.setState(d.rand.IntN(2) == 0)
	}
}

func (d *drama) publish() {
	d.texts++
	text := fmt.Sprint("text ", d.texts)
	g := d.pick(isGateway).gate
	g.submit(d.user(), feedengine.Publish{Text: text, Kind: "post"}, func(res feedengine.Result) {
		if res.Err == nil {
			d.w.mu.Lock()
			d.granted[text] = true
			d.w.mu.Unlock()
		}
	})
}

// move has a shard change its owner, in one of the ways that there are.
func (d *drama) move() {
	s := feedengine.ShardID(d.rand.IntN(d.w.shards))
	from, to := d.owner(s), d.pick(isHost)
	if from == nil || from.host.shard(s) == nil {
		d.open(s, to, nil)
		return
	}
	switch d.rand.IntN(3) {
	case 0: // with its state
		views := from.host.shut(s)
		time.Sleep(time.Duration(d.rand.IntN(60)) * time.Millisecond)
		if d.w.mu.Lock(); d.w.owners[s] == from.peer.Node {
			d.w.mu.Unlock()
			d.open(s, to, views)
		} else {
			d.w.mu.Unlock()
		}
	case 1: // without, and the old owner finds out
		from.host.shut(s)
		d.open(s, to, nil)
	case 2: // the old owner does not find out for a while
		if from == to {
			return
		}
		d.open(s, to, nil)
		d.zombies = append(d.zombies, func() {
			if n := d.owner(s); n != from {
				from.host.shut(s)
			}
		})
	}
}

// cut has a link lose everything for a while.
func (d *drama) cut() {
	a, b := d.pick(func(*node) bool { return true }), d.pick(func(*node) bool { return true })
	key := [2]string{a.peer.Node, b.peer.Node}
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	d.net.cut[key] = true
	time.AfterFunc(time.Duration(d.rand.IntN(3000))*time.Millisecond, func() {
		d.net.mu.Lock()
		defer d.net.mu.Unlock()
		delete(d.net.cut, key)
	})
}

// restartGateway ends the node that is only a gateway, and starts another life of it.
func (d *drama) restartGateway() {
	old := d.nodes[3]
	old.kill()
	d.lives++
	d.nodes[3] = newNode(d.net, d.w, "g", d.lives, true, false)
	if d.rand.IntN(2) == 0 {
		d.bury(old, false)
	}
}

// crash ends the node that has shards only, and starts it again a while later.
func (d *drama) crash() {
	old := d.nodes[2]
	served := old.host.served()
	old.kill()
	time.Sleep(time.Duration(d.rand.IntN(200)) * time.Millisecond)
	for _, n := range d.living() {
		if n.router != nil && d.rand.IntN(2) == 0 {
			n.router.NodeGone("c")
		}
	}
	for _, p := range served {
		if owner, _ := d.w.owner(p.Shard); owner == "c" {
			d.open(p.Shard, d.pick(isHost), nil)
		}
	}
	d.lives++
	d.nodes[2] = newNode(d.net, d.w, "c", d.lives, false, true)
}

// bury has the hosts take a gateway for dead, all or some.
func (d *drama) bury(g *node, some bool) {
	for _, n := range d.living() {
		if n.server != nil && n != g && (!some || d.rand.IntN(2) == 0) {
			n.server.GatewayGone(g.peer)
		}
	}
}

// end lets everything settle, and looks at what has become of it.
func (d *drama) end() {
	d.net.calm()
	for _, end := range d.zombies {
		end()
	}
	for s := range d.w.shards {
		s := feedengine.ShardID(s)
		if n := d.owner(s); n == nil || n.host.shard(s) == nil {
			d.open(s, d.pick(isHost), nil)
		}
	}
	for i := range 8 { // some traffic, so that what is sent to nobody is noticed
		time.Sleep(2 * time.Second)
		if i < 5 {
			for _, u := range userNames {
				d.address(u)
			}
		}
	}
	synctest.Wait()
	if n := d.w.open.Load(); n != d.stopped() {
		d.t.Errorf("%d requests were not answered", n)
	}
	for _, n := range d.living() {
		if n.gate == nil {
			continue
		}
		for _, wrong := range n.gate.settled(d.owner) {
			d.t.Error(wrong)
		}
	}
	d.ghosts()
	d.w.mu.Lock()
	for _, b := range d.w.broken {
		d.t.Error(b)
	}
	for text := range d.granted {
		if d.w.written[text] == 0 {
			d.t.Errorf("%s was granted and not written", text)
		}
	}
	for text, n := range d.w.written {
		if n > 1 {
			d.t.Errorf("%s was written %d times", text, n)
		}
	}
	d.w.mu.Unlock()
	close(d.stop)
	for _, n := range d.nodes {
		if n.alive() {
			n.kill()
		}
	}
}

// stopped is how many requests may be open: none.
func (d *drama) stopped() int64 { return 0 }

// ghosts finds sessions that hosts have and gateways have not.
func (d *drama) ghosts() {
	for _, h := range d.living() {
		if h.host == nil {
			continue
		}
		for _, p := range h.host.served() {
			f := h.host.shard(p.Shard)
			done := make(chan struct{})
			f.offer(func() {
				defer close(done)
				for user, v := range f.views {
					for k := range v.sessions {
						gate := h.gate
						if k.g != 0 {
							g := (*h.server.byID.Load())[k.g]
							if g == nil {
								d.t.Errorf("%s: a session of %s of the dead gateway %d", h.peer.Node, user, k.g)
								continue
							}
							d.net.mu.Lock()
							gate = d.net.nodes[g.peer.Node].gate
							d.net.mu.Unlock()
						}
						gate.mu.Lock()
						if c := gate.sessions[k.id]; c == nil || c.ended {
							d.t.Errorf("%s: session %d of %s is a ghost", h.peer.Node, k.id, user)
						}
						gate.mu.Unlock()
					}
				}
			}, nil)
			<-done
		}
	}
}
