package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/feedgate/feedgate/shard/bus"
)

// dice are one decider's source of randomness.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func newDice(seed uint64, who string) *dice {
	return &dice{rnd: rand.New(rand.NewPCG(seed, hash(who)))}
}

func hash(words ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, words...)
	return h.Sum64()
}

// lot decides about one thing by its name alone, so that it does not matter
// which of several things is decided about first.
type lot struct{ *rand.Rand }

func newLot(seed uint64, what ...any) lot {
	return lot{rand.New(rand.NewPCG(seed, hash(what...)))}
}

func (l lot) intn(n int) int { return l.IntN(n) }

func (d *dice) intn(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n)
}

// chance is true once in n times.
func (d *dice) chance(n int) bool { return d.intn(n) == 0 }

// gate stands between a node and the world. While it is shut (the process is
// stopped) whatever the node wants waits, and so does whatever comes to it; once
// it is dead nothing passes any more.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when it opens; nil: it is open
	dead bool

	out queue // what the node has done while the gate was shut
	in  queue // what came for it meanwhile
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil && !g.dead {
		g.shut = make(chan struct{})
	}
}

// open lets everything pass that has waited.
func (g *gate) open() {
	g.mu.Lock()
	if g.shut == nil {
		g.mu.Unlock()
		return
	}
	close(g.shut)
	g.shut = nil
	g.mu.Unlock()
	g.out.run()
	g.in.run()
}

func (g *gate) kill() {
	g.mu.Lock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
	g.dead = true
	g.mu.Unlock()
}

// wait holds whoever comes while the gate is shut, and reports whether the node lives.
func (g *gate) wait() bool {
	for {
		g.mu.Lock()
		shut, dead := g.shut, g.dead
		g.mu.Unlock()
		if shut == nil {
			return !dead
		}
		<-shut
	}
}

// pass runs do now, or when the gate opens, after all that passed before in the
// same direction; never when it is dead.
func (g *gate) pass(q *queue, do func()) {
	g.mu.Lock()
	shut, dead := g.shut != nil, g.dead
	if !dead {
		q.add(do)
	}
	g.mu.Unlock()
	if !shut && !dead {
		q.run()
	}
}

// queue runs what is added to it in order, one at a time.
type queue struct {
	mu      sync.Mutex
	todo    []func()
	running bool
}

func (q *queue) add(do func()) {
	q.mu.Lock()
	q.todo = append(q.todo, do)
	q.mu.Unlock()
}

func (q *queue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running {
		return // whoever runs it takes this along
	}
	q.running = true
	for len(q.todo) > 0 {
		do := q.todo[0]
		q.todo = q.todo[1:]
		q.mu.Unlock()
		do()
		q.mu.Lock()
	}
	q.running = false
}

// busGate is a node's way to the bus.
type busGate struct {
	*bus.Memory
	gate *gate
}

func (b *busGate) Publish(topic string, msg []byte) bool {
	b.gate.pass(&b.gate.out, func() { b.Memory.Publish(topic, msg) })
	return true
}

func (b *busGate) Subscribe(topic string, h func(msg []byte)) func() {
	return b.Memory.Subscribe(topic, func(msg []byte) {
		if b.gate.wait() {
			h(msg)
		}
	})
}

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
