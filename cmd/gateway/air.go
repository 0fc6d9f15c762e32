package main

import (
	"bytes"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/shard/bus"
)

// air is what the gateways of a cluster say to one another, over one topic of the
// bus: who is online and who types, of which nothing needs to arrive. A message is
// the length of the sender's name, that name, and what was said.
type air struct {
	bus    bus.Bus
	topic  string
	node   string
	cancel func()        // ends the subscription
	heard  chan []byte   // when it is full, what comes is dropped: the bus must not wait
	ended  chan struct{} // closed when hear has returned
}

// maxHeard is how many messages may wait for a gateway.
const maxHeard = 1024

// listenTo has a gateway hear the others from now on, until close.
func listenTo(b bus.Bus, prefix, node string, to *sockets, set *metrics.Set) *air {
	a := &air{
		bus: b, topic: prefix + ":air", node: node,
		heard: make(chan []byte, maxHeard), ended: make(chan struct{}),
	}
	dropped := set.NewCounter("feedgate_air_dropped_total")
	go a.hear(to) // until close, which waits for it
	a.cancel = b.Subscribe(a.topic, func(msg []byte) {
		if from, _, ok := readAir(msg); !ok || from == node {
			return
		}
		select {
		case a.heard <- bytes.Clone(msg):
		default:
			dropped.Inc()
		}
	})
	return a
}

func (a *air) hear(to *sockets) {
	defer close(a.ended)
	for msg := range a.heard {
		if from, said, ok := readAir(msg); ok {
			to.Receive(from, said)
		}
	}
}

// Publish tells the others (gateway.Broadcast).
func (a *air) Publish(msg []byte) {
	out := make([]byte, 0, 1+len(a.node)+len(msg))
	out = append(out, byte(len(a.node)))
	out = append(out, a.node...)
	a.bus.Publish(a.topic, append(out, msg...)) // what is dropped is counted there
}

func readAir(msg []byte) (from string, said []byte, ok bool) {
	if len(msg) == 0 || len(msg) < 1+int(msg[0]) {
		return "", nil, false
	}
	n := 1 + int(msg[0])
	return string(msg[1:n]), msg[n:], true
}

// close ends the hearing.
func (a *air) close() {
	a.cancel() // afterwards nobody sends
	close(a.heard)
	<-a.ended
}
