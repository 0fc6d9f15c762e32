package link

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/bus"
)

// testClock follows the virtual clock from IDEpoch on, ahead by skew.
type testClock struct {
	mu   sync.Mutex
	skew feedengine.Tick
	seen feedengine.Tick
}

var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where synctest's clock begins

func (c *testClock) Now() feedengine.Tick {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := feedengine.TickAt(feedengine.IDEpoch.Add(time.Since(began))) + c.skew
	return max(wall, c.seen)
}

func (c *testClock) Observe(t feedengine.Tick) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = max(c.seen, t)
}

// testNode is a node that writes down what it receives, a word each.
type testNode struct {
	*Links
	bus   *bus.Memory
	clock *testClock

	mu    sync.Mutex
	heard []string
	heads int
	known map[position]*feedengine.Event
}

func newNode(hub *bus.Hub, node string, incarnation uint64, hears bool) *testNode {
	n := &testNode{bus: hub.Join(node), clock: &testClock{}, known: map[position]*feedengine.Event{}}
	n.Links = New(Options{
		Self: Peer{node, incarnation}, Bus: n.bus, Clock: n.clock, Receiver: n, Announces: hears, Lookup: n.lookup,
	})
	return n
}

func (n *testNode) stop() {
	n.Stop()
	n.bus.Close()
}

func (n *testNode) lookup(s feedengine.ShardID, epoch, seq uint64) *feedengine.Event {
	return n.known[position{s, epoch, seq}]
}

func (n *testNode) Receive(from Peer, m Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch m := m.(type) {
	case Heads:
		n.heads++
	case Query:
		n.heard = append(n.heard, fmt.Sprintf("%s.%d:%d", from.Node, from.Incarnation, m.ID))
	case Announce:
		for _, ev := range m.Events {
			n.known[positionOf(ev)] = ev
		}
		n.heard = append(n.heard, fmt.Sprintf("announce:%d", len(m.Events)))
	case Deliver:
		switch {
		case m.Event == nil:
			n.heard = append(n.heard, "counts")
		case m.Bare:
			n.heard = append(n.heard, "unknown")
		case n.known[positionOf(m.Event)] == m.Event:
			n.heard = append(n.heard, "known")
		default:
			n.heard = append(n.heard, "body")
		}
	default:
		n.heard = append(n.heard, fmt.Sprintf("%T", m))
	}
}

func (n *testNode) Lost(from Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, fmt.Sprintf("%s.%d:lost", from.Node, from.Incarnation))
}

// expect compares what has been heard since the last time with words.
func (n *testNode) expect(t *testing.T, what string, words ...string) {
	t.Helper()
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if got, want := strings.Join(n.heard, " "), strings.Join(words, " "); got != want {
		t.Errorf("%s: heard %q, want %q", what, got, want)
	}
	n.heard = nil
}

func ask(id uint64) Message { return Query{ID: id} }

// in a bubble, after the nodes have met.
func scene(t *testing.T, f func(hub *bus.Hub, a, b *testNode)) {
	synctest.Test(t, func(t *testing.T) {
		hub := bus.NewHub(nil)
		a, b := newNode(hub, "a", 10, true), newNode(hub, "b", 20, true)
		time.Sleep(time.Second) // virtual: heartbeats
		f(hub, a, b)
		a.stop()
		b.stop()
	})
}

func drop(only func(topic string) bool) func(bus.Passage) bus.Fate {
	return func(p bus.Passage) bus.Fate { return bus.Fate{Drop: only(p.Topic)} }
}

func isNode(topic string) bool { return strings.Contains(topic, ":node:") }
func all(string) bool          { return true }

func TestMessagesArriveInOrderOnce(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		for i := range uint64(3) {
			a.Send("b", ask(i))
		}
		b.Send("a", ask(9))
		b.expect(t, "b", "a.10:0", "a.10:1", "a.10:2")
		a.expect(t, "a", "b.20:9")
		time.Sleep(10 * time.Second)
		b.expect(t, "b after heartbeats")
		if b.heads < 20 {
			t.Errorf("%d heartbeats in 11 s", b.heads)
		}
	})
}

func TestGapIsLost(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		a.Send("b", ask(1))
		b.expect(t, "before", "a.10:1")
		hub.SetFaults(drop(isNode))
		a.Send("b", ask(2))
		synctest.Wait()
		hub.SetFaults(nil)
		a.Send("b", ask(3))
		b.expect(t, "after", "a.10:lost", "a.10:3")
		time.Sleep(5 * time.Second)
		b.expect(t, "later")
	})
}

func TestSilentTailIsLost(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		hub.SetFaults(drop(isNode))
		a.Send("b", ask(1))
		synctest.Wait()
		hub.SetFaults(nil)
		b.expect(t, "before a heartbeat")
		time.Sleep(time.Second)
		b.expect(t, "after a heartbeat", "a.10:lost")
		a.Send("b", ask(2))
		b.expect(t, "and then", "a.10:2")
		time.Sleep(5 * time.Second)
		b.expect(t, "later")
	})
}

func TestOutageIsLostOnce(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		a.Send("b", ask(1))
		b.expect(t, "before", "a.10:1")
		hub.SetDown(true)
		for i := range uint64(1000) {
			a.Send("b", ask(i))
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		hub.SetDown(false)
		b.expect(t, "during the outage")
		time.Sleep(time.Second)
		b.expect(t, "within a second of its end", "a.10:lost")
	})
}

// TestHeartbeatAheadOfMessages is what Redis Cluster may do: topics overtake each other.
func TestHeartbeatAheadOfMessages(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		hub.SetFaults(func(p bus.Passage) bus.Fate {
			if isNode(p.Topic) {
				return bus.Fate{Delay: 50 * time.Millisecond, Overtake: true}
			}
			return bus.Fate{}
		})
		for i := range uint64(200) {
			a.Send("b", ask(i))
			time.Sleep(7 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, word := range b.heard {
			if want := fmt.Sprintf("a.10:%d", i); word != want {
				t.Fatalf("heard %q, want %q", word, want)
			}
		}
	})
}

func TestRestartedReceiver(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		a.Send("b", ask(1))
		b.expect(t, "first life", "a.10:1")
		b2 := newNode(hub, "b", 21, true) // while the old one still hears everything
		defer b2.stop()
		synctest.Wait()
		a.Send("b", ask(2))
		b2.expect(t, "second life", "a.10:2")
		b.expect(t, "first life, after the second began")
		time.Sleep(2 * time.Second)
		b2.expect(t, "later")
	})
}

func TestRestartedSender(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		a.Send("b", ask(1))
		b.expect(t, "first life", "a.10:1")
		a2 := newNode(hub, "a", 11, true)
		defer a2.stop()
		synctest.Wait()
		a2.Send("b", ask(2))
		b.expect(t, "second life", "a.11:2")
		a.Send("b", ask(3))
		time.Sleep(2 * time.Second)
		b.expect(t, "what the first one still sends")
	})
}

// TestForgottenPeerComesBack: a node frozen for long was thought dead.
func TestForgottenPeerComesBack(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		for i := range uint64(3) {
			a.Send("b", ask(i))
			b.Send("a", ask(i))
		}
		a.expect(t, "before", "b.20:0", "b.20:1", "b.20:2")
		b.expect(t, "before", "a.10:0", "a.10:1", "a.10:2")
		a.Forget(Peer{"b", 20})
		a.Send("b", ask(4)) // a new numbering: b must not take it for an old message
		b.expect(t, "from who forgot", "a.10:4")
		b.Send("a", ask(5))
		a.expect(t, "from who was forgotten", "b.20:lost", "b.20:5")
		time.Sleep(2 * time.Second)
		a.expect(t, "later")
		b.expect(t, "later")
		a.Forget(Peer{"b", 19}) // an earlier life: that was no news
		b.Send("a", ask(6))
		a.expect(t, "after its earlier life was forgotten", "b.20:6")
	})
}

func TestFirstMessagesLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := bus.NewHub(drop(all))
		a, b := newNode(hub, "a", 10, true), newNode(hub, "b", 20, true)
		a.Send("b", ask(1))
		synctest.Wait()
		hub.SetFaults(nil)
		a.Send("b", ask(2))
		b.expect(t, "b", "a.10:lost", "a.10:2")
		a.stop()
		b.stop()
	})
}

func TestTooMuchPendingIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := bus.NewHub(nil)
		a, b := newNode(hub, "a", 10, true), newNode(hub, "b", 20, true)
		synctest.Wait()
		o := a.outbound("b")
		o.mu.Lock() // nothing leaves meanwhile
		o.pending = mostPending + 1
		o.mu.Unlock()
		if a.Send("b", ask(1)) {
			t.Error("a message beyond the bound is taken")
		}
		o.mu.Lock()
		o.pending = 0
		o.mu.Unlock()
		if !a.Send("b", ask(2)) {
			t.Error("with room again a message is refused")
		}
		b.expect(t, "b", "a.10:lost", "a.10:2")
		a.stop()
		b.stop()
	})
}

// slowBus is a bus that says when it is busy.
type slowBus struct {
	*bus.Memory
	mu   sync.Mutex
	busy chan struct{}
}

func (b *slowBus) Busy() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy
}

func (b *slowBus) set(busy chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = busy
}

// TestWhileTheBusIsBusyEnvelopesFill: what would wait there goes as one.
func TestWhileTheBusIsBusyEnvelopesFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		envelopes := 0
		hub := bus.NewHub(func(p bus.Passage) bus.Fate {
			if isNode(p.Topic) {
				envelopes++
			}
			return bus.Fate{}
		})
		slow := &slowBus{Memory: hub.Join("a")}
		a := New(Options{Self: Peer{"a", 10}, Bus: slow, Clock: &testClock{}, Receiver: &testNode{}})
		b := newNode(hub, "b", 20, true)
		synctest.Wait()
		busy := make(chan struct{})
		slow.set(busy)
		for i := range uint64(3) {
			a.Send("b", ask(i))
			synctest.Wait()
		}
		b.expect(t, "while it is busy")
		slow.set(nil)
		close(busy)
		b.expect(t, "then", "a.10:0", "a.10:1", "a.10:2")
		if envelopes != 1 {
			t.Errorf("%d envelopes", envelopes)
		}
		a.Send("b", ask(3))
		b.expect(t, "while it is not", "a.10:3")
		slow.set(make(chan struct{})) // for ever: heartbeats take along what is pending
		a.Send("b", ask(4))
		time.Sleep(time.Second)
		b.expect(t, "while it hangs", "a.10:4")
		a.Stop()
		slow.Close()
		b.stop()
	})
}

func TestUnreadableIsLost(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		send := func(first uint64, version byte, kinds ...byte) {
			e := newEnvelope("c", 1, first, 0)
			for _, kind := range kinds {
				e.buf = append(e.buf, kind, 1, 'x')
			}
			h := header{from: Peer{"c", 1}, stream: 1, first: first, count: len(kinds)}
			h.put(e.buf)
			e.buf[0] = version
			a.bus.Publish("feedgate:node:b", e.buf)
			a.bus.Publish("feedgate:node:b", e.buf[:20])
			a.bus.Publish("feedgate:node:b", nil)
		}
		send(1, version, kindKick)
		b.expect(t, "readable", "link.Kick")
		send(2, version, kindKick, 99, kindKick)
		b.expect(t, "an unknown kind", "link.Kick", "c.1:lost")
		send(5, version, kindKick)
		b.expect(t, "and on", "link.Kick")
		send(6, version+1, kindKick)
		b.expect(t, "another version")
		send(7, version, kindKick)
		b.expect(t, "and on", "c.1:lost", "link.Kick")
	})
}

func TestClocksTravel(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		ahead := a.clock.Now() + feedengine.TickAt(feedengine.IDEpoch.Add(30*time.Second))
		a.clock.Observe(ahead)
		a.Send("b", ask(1))
		b.expect(t, "b", "a.10:1")
		if got := b.clock.Now(); got < ahead {
			t.Errorf("b's clock is at %d, behind what a sent at %d", got, ahead)
		}
		a.clock.Observe(ahead + 2*maxAhead)
		a.Send("b", ask(2))
		b.expect(t, "from a clock that cannot be right")
		if got := b.clock.Now(); got > ahead+maxAhead {
			t.Errorf("b's clock was dragged to %d", got)
		}
	})
}

func eventAt(c *testClock, seq uint64) *feedengine.Event {
	id := c.Now().ID(3)
	return &feedengine.Event{
		Shard: 3, Epoch: 1, Seq: seq, ID: id, Kind: feedengine.KindPost, Actor: "alice",
		Post: &feedengine.Post{ID: id, Author: "alice", Kind: "post", Text: "hello"},
	}
}

func delivery(ev *feedengine.Event) Message {
	return Deliver{Place: at, Delivery: feedengine.Delivery{Event: ev, To: []feedengine.Recipient{{Session: 1}}}}
}

func TestAnnouncedEventsTravelAsPositions(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		c := newNode(hub, "c", 30, false) // hears no announces
		defer c.stop()
		synctest.Wait()
		time.Sleep(time.Second)
		ev := eventAt(a.clock, 1)
		// The delivery is pending before the announce has left.
		a.Broadcast(Announce{Shard: 3, Epoch: 1, First: 1, Events: []*feedengine.Event{ev}})
		a.Send("b", delivery(ev))
		a.Send("c", delivery(ev))
		b.expect(t, "who hears announces", "announce:1", "known")
		c.expect(t, "who does not", "body")
		a.expect(t, "the sender")

		ev = eventAt(a.clock, 2) // of which b never heard
		a.Send("b", delivery(ev))
		b.expect(t, "who missed the announce", "unknown")
		b.Send("a", Rejoin{Shard: 3})
		a.expect(t, "a", "link.Rejoin")
		a.Send("b", delivery(ev))
		b.expect(t, "who has asked", "body")
		time.Sleep(fullFor)
		a.Send("b", delivery(ev))
		b.expect(t, "a while later", "unknown")
		time.Sleep(5 * time.Second)
		a.Send("b", delivery(ev))
		b.expect(t, "an old event", "body")
		a.Send("b", delivery(&feedengine.Event{Kind: feedengine.KindVoid}))
		b.expect(t, "what is in no log", "body")
	})
}

func TestLargeThingsAreSplit(t *testing.T) {
	scene(t, func(hub *bus.Hub, a, b *testNode) {
		largest := 0
		hub.SetFaults(func(p bus.Passage) bus.Fate {
			largest = max(largest, len(p.Msg))
			return bus.Fate{}
		})
		var events []*feedengine.Event
		for i := range uint64(100) {
			ev := eventAt(a.clock, i+1)
			ev.Post.Text = strings.Repeat("x", 8000)
			events = append(events, ev)
		}
		a.Broadcast(Announce{Shard: 3, Epoch: 1, First: 1, Events: events})
		synctest.Wait()
		if len(b.known) != len(events) {
			t.Errorf("%d events of %d came", len(b.known), len(events))
		}
		b.heard = nil
		to := make([]feedengine.Recipient, 100_000)
		a.Send("b", Deliver{Place: at, Delivery: feedengine.Delivery{Event: events[0], To: to}})
		synctest.Wait()
		if len(b.heard) != 13 {
			t.Errorf("100,000 recipients came in %d messages", len(b.heard))
		}
		if largest > splitAt+128<<10 {
			t.Errorf("the largest envelope has %d bytes", largest)
		}
	})
}

// TestNumbering sends under all faults of the bus at once. What a node hears of
// another ascends; wherever a number is missing stands a Lost; and once it is quiet
// nothing is missing without one.
func TestNumbering(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { numbering(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func numbering(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	// Each passage has its fate by its own number, whatever the order of goroutines.
	faults := func(p bus.Passage) bus.Fate {
		r := rand.New(rand.NewPCG(seed^p.Nth<<20, uint64(p.From[0])<<8|uint64(p.To[0])))
		var f bus.Fate
		f.Drop = r.IntN(10) == 0
		if r.IntN(4) == 0 {
			f.Delay = time.Duration(r.IntN(300)) * time.Millisecond
			f.Overtake = r.IntN(2) == 0
		}
		if r.IntN(8) == 0 {
			f.Again, f.Later = 1+r.IntN(2), time.Duration(r.IntN(200))*time.Millisecond
		}
		return f
	}
	hub := bus.NewHub(faults)
	nodes := []*testNode{newNode(hub, "a", 1, true), newNode(hub, "b", 1, true), newNode(hub, "c", 1, false)}
	sent := map[string]uint64{}
	for range 400 {
		from, to := rng.IntN(3), rng.IntN(3)
		switch {
		case from == to:
			time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			continue
		case rng.IntN(100) == 0:
			hub.SetDown(true)
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
			hub.SetDown(false)
		case rng.IntN(100) == 0:
			nodes[from].bus.SetCut(true)
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
			nodes[from].bus.SetCut(false)
		}
		pair := "abc"[from:from+1] + "abc"[to:to+1]
		sent[pair]++
		nodes[from].Send("abc"[to:to+1], ask(sent[pair]))
	}
	time.Sleep(5 * time.Second)
	hub.SetFaults(nil)
	time.Sleep(2 * time.Second)
	synctest.Wait()
	for i, n := range nodes {
		self := "abc"[i : i+1]
		last, excused := map[string]uint64{}, map[string]bool{}
		for _, word := range n.heard {
			from := word[:1]
			if strings.HasSuffix(word, ":lost") {
				excused[from] = true
				continue
			}
			var id uint64
			fmt.Sscanf(word[2:], "1:%d", &id)
			if id <= last[from] || id > last[from]+1 && !excused[from] {
				t.Errorf("%s hears %d of %s after %d, told of a loss: %v", self, id, from, last[from], excused[from])
			}
			last[from], excused[from] = id, false
		}
		for _, from := range []string{"a", "b", "c"} {
			if want := sent[from+self]; last[from] < want && !excused[from] {
				t.Errorf("%s heard nothing of %s after %d of %d, and of no loss", self, from, last[from], want)
			}
		}
		n.stop()
	}
}
