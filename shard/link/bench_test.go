package link

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// parts is what a post to 1,000 followers becomes: a delivery from each of 256 shards.
func parts(ev *feedengine.Event, followers, shards int) []Deliver {
	out := make([]Deliver, shards)
	for i := range followers {
		d := &out[i%shards]
		d.Place, d.Event = feedengine.Place{Shard: feedengine.ShardID(i % shards), Epoch: 3}, ev
		d.To = append(d.To, feedengine.Recipient{
			Session: feedengine.SessionID(10_000 + 7*i), N: uint64(100 + i%900),
			Counts: feedengine.Counts{Feed: uint32(i % 300), V: uint64(200 + i%900)},
		})
	}
	return out
}

func benchEvent() *feedengine.Event {
	ev := *post
	p := *post.Post
	p.Text = strings.Repeat("x", 140)
	ev.Post = &p
	return &ev
}

// BenchmarkEnvelope writes and reads the envelope of a post to 1,000 followers in
// 256 shards, and, as the floor, copies the same bytes.
func BenchmarkEnvelope(b *testing.B) {
	ev := benchEvent()
	deliveries := parts(ev, 1000, 256)
	write := func() *envelope {
		e := newEnvelope("n1", 1, 1, 16<<10)
		for i := range deliveries {
			e.put(deliveries[i], never)
			e.count++
		}
		return e
	}
	full := write()
	h := header{from: Peer{"n1", 1}, first: 1, stream: 1, count: full.count}
	h.put(full.buf)

	var r reading
	read := func() (n int) {
		r.begin(full.buf)
		h, _ := r.header()
		for range h.count {
			n += len(r.message().(Deliver).To)
		}
		return n
	}
	per := func(b *testing.B, floor float64) float64 {
		ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / 1000
		b.ReportMetric(ns, "ns/recipient")
		b.ReportMetric(0, "ns/op")
		if floor > 0 {
			b.ReportMetric(ns/floor, "x-memcpy")
		}
		return ns
	}
	var floor float64
	b.Run("memcpy", func(b *testing.B) {
		out := make([]byte, 0, len(full.buf))
		for b.Loop() {
			out = append(out[:0], full.buf...)
		}
		floor = per(b, 0)
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			write()
		}
		b.ReportMetric(float64(len(full.buf))/1000, "bytes/recipient")
		per(b, floor)
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if read() != 1000 {
				b.Fatal("not all were read")
			}
		}
		per(b, floor)
	})
}

// TestNoAllocationPerRecipient holds the hot path to it.
func TestNoAllocationPerRecipient(t *testing.T) {
	ev := benchEvent()
	few, many := parts(ev, 256, 256), parts(ev, 25600, 256)
	var r reading
	once := func(list []Deliver) func() {
		return func() {
			e := newEnvelope("n1", 1, 1, 512<<10)
			for i := range list {
				e.put(list[i], never)
				e.count++
			}
			h := header{from: Peer{"n1", 1}, first: 1, stream: 1, count: e.count}
			h.put(e.buf)
			r.begin(e.buf)
			r.header()
			for range e.count {
				if r.message() == nil {
					t.Fatal("unreadable")
				}
			}
		}
	}
	once(many)() // grows the buffers
	a, b := testing.AllocsPerRun(20, once(few)), testing.AllocsPerRun(20, once(many))
	if b > a {
		t.Errorf("%v allocations for 256 recipients, %v for 25,600", a, b)
	}
}

// countingBus takes what is published and says how much it was.
type countingBus struct {
	mu        sync.Mutex
	envelopes int
	bytes     int
	messages  int
	all       chan struct{} // told when so many messages have come
	want      int
}

func (c *countingBus) Subscribe(string, func([]byte)) func() { return func() {} }

func (c *countingBus) Publish(topic string, msg []byte) bool {
	if !isNode(topic) {
		return true
	}
	t := taker{b: msg}
	h, _ := t.header()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.envelopes++
	c.bytes += len(msg)
	if c.messages += h.count; c.messages == c.want {
		c.all <- struct{}{}
	}
	return true
}

// BenchmarkCoalesce has 256 goroutines, as many as there are shards, learn of a
// post at about the same time and send what they have for a node: how many
// envelopes does that make, and how long until the last has left?
func BenchmarkCoalesce(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) { coalesce(b, nodes) })
	}
}

func coalesce(b *testing.B, nodes int) {
	const shards = 256
	c := &countingBus{all: make(chan struct{}, 1)}
	l := New(Options{Self: Peer{"n0", 1}, Bus: c, Clock: benchClock{}, Receiver: nil})
	deliveries := parts(benchEvent(), 1000, shards)
	wakes := make([]chan struct{}, shards)
	var wg sync.WaitGroup
	for i := range wakes {
		wakes[i] = make(chan struct{}, 1)
		wg.Go(func() {
			for range wakes[i] {
				for n := range nodes {
					l.Send(fmt.Sprintf("n%d", n+1), deliveries[i])
				}
			}
		})
	}
	for b.Loop() {
		c.mu.Lock()
		c.messages, c.want = 0, shards*nodes
		c.mu.Unlock()
		for _, w := range wakes {
			w <- struct{}{}
		}
		<-c.all
	}
	b.ReportMetric(float64(c.envelopes)/float64(b.N)/float64(nodes), "envelopes/post/node")
	b.ReportMetric(float64(c.bytes)/float64(b.N)/1000/float64(nodes), "bytes/recipient")
	for _, w := range wakes {
		close(w)
	}
	wg.Wait()
	l.Stop()
}

type benchClock struct{}

func (benchClock) Now() feedengine.Tick    { return feedengine.TickAt(time.Now()) }
func (benchClock) Observe(feedengine.Tick) {}
