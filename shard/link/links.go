package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/feedgate/feedgate/feedengine"
)

// Links are one node's ways to all others. All methods may be called from many
// goroutines.
type Links struct {
	opts   Options
	count  counters
	cancel []func() // the subscriptions

	streams atomic.Uint64 // the last numbering that was begun
	woken   atomic.Bool   // wake has been told since the last flush began
	wake    chan struct{} // holds one: something is pending
	stop    chan struct{}
	ended   chan struct{} // closed when the flusher has returned

	all, log outbound // broadcasts, to all and to those that hear announces

	mu    sync.RWMutex
	to    map[string]*outbound
	order []*outbound // those of to, in the order in which they were made

	receiving receiving
}

// New subscribes to the node's topics and begins with the heartbeats.
func New(opts Options) *Links {
	opts.fill()
	l := &Links{
		opts:  opts,
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
		to:    map[string]*outbound{},
	}
	l.all.init(l, opts.topicAll(), "")
	l.log.init(l, opts.topicLog(), "")
	l.receiving.init(l)
	l.count.register(l, opts.Metrics)

	l.subscribe(opts.topicNode(opts.Self.Node))
	l.subscribe(opts.topicAll())
	if opts.Announces {
		l.subscribe(opts.topicLog())
	}
	go l.flusher() // ends in Stop
	return l
}

func (l *Links) subscribe(topic string) {
	l.cancel = append(l.cancel, l.opts.Bus.Subscribe(topic, l.receiving.envelope))
}

// Send writes m into the envelope for a node, whatever incarnation of it lives. m
// and its slices may be used again when it returns. It never waits. False: too
// much is pending for that node, or m is too large or of no known kind; m is
// dropped, and the receiver will notice.
func (l *Links) Send(to string, m Message) bool {
	o := l.outbound(to)
	if d, ok := m.(Deliver); ok && len(d.To) > mostRecipients {
		return l.sendParts(o, d)
	}
	ok := o.add(m)
	l.poke()
	return ok
}

// mostRecipients bounds one message, so that no envelope is much larger than splitAt.
const mostRecipients = 8192

func (l *Links) sendParts(o *outbound, d Deliver) bool {
	all := d.To
	ok := true
	for part := range slices.Chunk(all, mostRecipients) {
		d.To = part
		ok = o.add(d) && ok
	}
	l.poke()
	return ok
}

// Broadcast sends an Announce to all nodes that hear announces, another message
// to all nodes. It never waits. What it sends is not numbered. It does not come
// to this node itself.
func (l *Links) Broadcast(m Message) {
	if a, ok := m.(Announce); ok {
		l.announce(a)
	} else {
		l.all.add(m)
	}
	l.poke()
}

// announce splits an announce that would make too large an envelope.
func (l *Links) announce(a Announce) {
	const room = 200
	from, size := 0, 0
	for i, ev := range a.Events {
		size += room + textOf(ev)
		if size > splitAt/2 || i == len(a.Events)-1 {
			l.log.add(Announce{Shard: a.Shard, Epoch: a.Epoch, First: a.First, Events: a.Events[from : i+1]})
			from, size = i+1, 0
		}
	}
}

// Listening reports which of the nodes are subscribed to what is sent to them. A node
// whose process has ended is not; one that is frozen, or late, is. An error: that
// is not known.
func (l *Links) Listening(ctx context.Context, nodes []string) ([]bool, error) {
	r, ok := l.opts.Bus.(roster)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	topics := make([]string, len(nodes))
	for i, node := range nodes {
		topics[i] = l.opts.topicNode(node)
	}
	counts, err := r.Listeners(ctx, topics)
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	listening := make([]bool, len(nodes))
	for i := range listening {
		listening[i] = counts[i] > 0
	}
	return listening, nil
}

// Forget drops what is known of a peer, and what is pending for it: it is gone.
// Should it send again, it is met anew, with a Lost.
func (l *Links) Forget(p Peer) {
	l.mu.Lock()
	if o := l.to[p.Node]; o != nil && o.incarnation() <= p.Incarnation {
		delete(l.to, p.Node)
		l.order = slices.DeleteFunc(l.order, func(other *outbound) bool { return other == o })
	}
	l.mu.Unlock()
	l.receiving.forget(p)
}

// Stop sends what is pending, ends the heartbeats and the subscriptions, and
// waits for the Receiver to return. Nothing may be sent from then on. The bus is the caller's.
func (l *Links) Stop() {
	for _, cancel := range l.cancel {
		cancel()
	}
	close(l.stop)
	<-l.ended
}

// outbound is the way to a node, made when there is none.
func (l *Links) outbound(node string) *outbound {
	l.mu.RLock()
	o := l.to[node]
	l.mu.RUnlock()
	if o != nil {
		return o
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if o = l.to[node]; o == nil {
		o = new(outbound)
		o.init(l, l.opts.topicNode(node), node)
		l.to[node] = o
		l.order = append(l.order, o)
	}
	return o
}

func (l *Links) outbounds() []*outbound {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.order)
}

// recent reports whether an event is so young that whoever hears announces has
// it in memory, if it has heard that one. What is made of a log's event has its
// place, and is another.
func (l *Links) recent(ev *feedengine.Event) bool {
	return ev.Kind.Stored() && ev.Travels() && ev.Seq > 0 && l.opts.Clock.Now()-ev.ID.Tick() < bareFor
}
