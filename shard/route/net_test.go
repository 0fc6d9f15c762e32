package route

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// network stands for bus and links: messages between nodes arrive in order, late,
// or not at all. Of a loss the receiver is told by the next message's number, or
// by a heartbeat.
type network struct {
	t *testing.T

	mu    sync.Mutex
	rand  *rand.Rand
	nodes map[string]*node     // those that live, by name
	ways  map[[2]string]*way   // guarded by mu
	drop  float64              // share of messages that are lost
	delay time.Duration        // the longest
	cut   map[[2]string]bool   // ways on which nothing arrives
	log   func(string, ...any) // optional
}

// way is the link from one node to another.
type way struct {
	sent     uint64
	arrived  uint64
	lastTime time.Time // when the last one arrives: the next does not come before it
}

func newNetwork(t *testing.T, seed uint64) *network {
	return &network{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), nodes: map[string]*node{}, ways: map[[2]string]*way{},
		cut: map[[2]string]bool{},
	}
}

// node is one life of a node: what receives.
type node struct {
	peer   link.Peer
	net    *network
	mail   chan func() // in order
	done   chan struct{}
	router *Router
	server *Server
	host   *fakeHost
	gate   *fakeGateway
}

func (n *node) run() {
	for {
		select {
		case f := <-n.mail:
			f()
		case <-n.done:
			return
		}
	}
}

// Send is the Sender of a node.
func (n *node) Send(to string, m link.Message) bool {
	net := n.net
	m = cloned(m)
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.nodes[n.peer.Node] != n {
		return true // it is dead
	}
	key := [2]string{n.peer.Node, to}
	w := net.ways[key]
	if w == nil {
		w = &way{}
		net.ways[key] = w
	}
	w.sent++
	seq := w.sent
	if net.cut[key] || net.rand.Float64() < net.drop {
		net.note("%s>%s %d lost %T", n.peer.Node, to, seq, m)
		return true
	}
	net.deliver(n, to, w, func(at *node) { net.take(n.peer, at, w, seq, m) })
	return true
}

// deliver calls f on the receiver's goroutine after a while. net.mu is held.
func (net *network) deliver(from *node, to string, w *way, f func(*node)) {
	at := time.Now()
	if net.delay > 0 {
		at = at.Add(time.Duration(net.rand.Int64N(int64(net.delay))))
	}
	if w != nil {
		if !at.After(w.lastTime) {
			at = w.lastTime.Add(1)
		}
		w.lastTime = at
	}
	target := net.nodes[to]
	if target == nil {
		return
	}
	post := func() {
		select {
		case target.mail <- func() { f(target) }:
		case <-target.done:
		}
	}
	if wait := time.Until(at); wait > 0 {
		time.AfterFunc(wait, post)
	} else {
		post()
	}
}

// take is the receiver's side of a numbered message; m nil: a heartbeat's number.
func (net *network) take(from link.Peer, at *node, w *way, seq uint64, m link.Message) {
	net.mu.Lock()
	lost := false
	switch {
	case net.ways[[2]string{from.Node, at.peer.Node}] != w, m != nil && seq <= w.arrived:
		net.mu.Unlock()
		return
	case m == nil:
		lost = seq > w.arrived
	default:
		lost = seq > w.arrived+1
	}
	w.arrived = max(w.arrived, seq)
	if m != nil {
		net.note("%s>%s %d %T %+v", from.Node, at.peer.Node, seq, m, m)
	}
	net.mu.Unlock()
	if lost && at.router != nil {
		at.router.Lost(from)
	}
	if m != nil {
		at.receive(from, m)
	}
}

func (n *node) receive(from link.Peer, m link.Message) {
	if n.router != nil {
		n.router.Receive(from, m)
	}
	if n.server != nil {
		n.server.Receive(from, m)
	}
}

// broadcast sends an unnumbered message to all others, each of whom may miss it or
// get it twice.
func (n *node) broadcast(m link.Message) {
	net := n.net
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.nodes[n.peer.Node] != n {
		return
	}
	for _, to := range net.names() {
		key := [2]string{n.peer.Node, to}
		if to == n.peer.Node || net.cut[key] {
			continue
		}
		for range 1 + net.rand.IntN(2) {
			if net.rand.Float64() >= net.drop {
				net.deliver(n, to, nil, func(at *node) { at.receive(n.peer, m) })
			}
		}
	}
}

// heartbeat tells the others what this node serves and how far its links are.
func (n *node) heartbeat() {
	var heads link.Heads
	if n.host != nil {
		heads = n.host.heads()
	}
	n.broadcast(heads)
	net := n.net
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.nodes[n.peer.Node] != n {
		return
	}
	for _, to := range net.names() {
		key := [2]string{n.peer.Node, to}
		if w := net.ways[key]; w != nil && !net.cut[key] && net.rand.Float64() >= net.drop {
			seq := w.sent
			net.deliver(n, to, w, func(at *node) { net.take(n.peer, at, w, seq, nil) })
		}
	}
}

func (net *network) names() []string {
	var names []string
	for name := range net.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (net *network) note(format string, args ...any) {
	if net.log != nil {
		net.log(format, args...)
	}
}

// join makes a node live, in place of an earlier life.
func (net *network) join(n *node) {
	net.mu.Lock()
	defer net.mu.Unlock()
	net.nodes[n.peer.Node] = n
	for key := range net.ways { // link numbers are of a pair of incarnations
		if key[0] == n.peer.Node || key[1] == n.peer.Node {
			delete(net.ways, key)
		}
	}
}

func (net *network) leave(n *node) {
	net.mu.Lock()
	defer net.mu.Unlock()
	if net.nodes[n.peer.Node] == n {
		delete(net.nodes, n.peer.Node)
	}
}

// calm ends all trouble.
func (net *network) calm() {
	net.mu.Lock()
	defer net.mu.Unlock()
	net.drop = 0
	clear(net.cut)
}

// cloned copies what the sender may use again.
func cloned(m link.Message) link.Message {
	switch m := m.(type) {
	case link.Deliver:
		m.To = slices.Clone(m.To)
		return m
	case link.Rejoin:
		m.Sessions = slices.Clone(m.Sessions)
		return m
	case link.Answer:
		if m.Result.Err != nil { // identity does not travel
			err := *m.Result.Err
			m.Result.Err = &err
		}
		return m
	}
	return m
}

var _ Sender = (*node)(nil)
var _ feedengine.Action = feedengine.Publish{}
