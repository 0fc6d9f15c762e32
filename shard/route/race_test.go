package route

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// busyHost answers on a goroutine of its own, and then delivers, as a shard does.
type busyHost struct {
	r    *Router
	jobs chan func()
}

func (h *busyHost) SubmitFrom(_ feedengine.GatewayID, _ string, r feedengine.Request) {
	h.jobs <- func() {
		r.Done(feedengine.Result{})
		if do, ok := r.Do.(feedengine.Attach); ok {
			for n := range uint64(3) {
				h.r.Deliver(feedengine.Place{Epoch: 1}, feedengine.Delivery{
					Event: &feedengine.Event{ID: 1}, To: []feedengine.Recipient{{Session: do.Session, N: n + 1}},
				})
			}
		}
	}
}

func (h *busyHost) Rejoin(feedengine.GatewayID, feedengine.ShardID, feedengine.RejoinInput) bool {
	return true
}
func (h *busyHost) GatewayGone(feedengine.GatewayID) {}
func (h *busyHost) Send(string, link.Message) bool   { return true }

// hangUp is a gateway whose sessions may end within any delivery.
type hangUp struct {
	t        *testing.T
	r        *Router
	attached sync.Map
	detached atomic.Int64
	events   atomic.Int64
}

func (g *hangUp) Deliver(d feedengine.Delivery) {
	for _, to := range d.To {
		if _, ok := g.attached.Load(to.Session); !ok {
			g.t.Error("an event came before its session was attached")
		}
		if g.events.Add(1); to.N == 3 {
			g.detach(to.Session)
		}
	}
}

func (g *hangUp) Reset(feedengine.Reset) {}

func (g *hangUp) detach(id feedengine.SessionID) {
	g.r.Submit(feedengine.Request{User: "ann", Do: feedengine.Detach{Session: id}, Done: func(feedengine.Result) { g.detached.Add(1) }})
}

// Requests, deliveries and the agenda meet on one shard, and requests are made from
// within deliveries. Nobody waits for himself, and an attach is always answered
// before what its session is sent.
func TestRouterBusyShard(t *testing.T) {
	h := &busyHost{jobs: make(chan func(), 1<<16)} // full: never in this test
	g := &hangUp{t: t}
	r := NewRouter(RouterOptions{
		Self: "me", Shards: 1, ShardOf: func(string) feedengine.ShardID { return 0 },
		Host: h, Links: h, Gateway: g, Metrics: metrics.NewSet(), Log: quiet,
	})
	h.r, g.r = r, r
	r.Owns("me", feedengine.Place{Epoch: 1})
	var host, clients sync.WaitGroup
	host.Go(func() {
		for f := range h.jobs {
			f()
		}
	})
	const each = 2000
	stop := make(chan struct{})
	host.Go(func() { // others who hold the table
		for {
			select {
			case <-stop:
				return
			default:
				r.Explain("ann", 1)
				r.tables[0].wakeAt(r.now())
			}
		}
	})
	for c := range 4 {
		clients.Go(func() {
			for i := range each {
				id := feedengine.SessionID(c*each + i)
				done := make(chan struct{})
				r.Submit(feedengine.Request{User: "ann", Do: feedengine.Attach{Session: id}, Done: func(feedengine.Result) {
					g.attached.Store(id, true)
					close(done)
				}})
				<-done
			}
		})
	}
	clients.Wait()
	for deadline := time.Now().Add(time.Minute); g.detached.Load() < 4*each; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d sessions were detached", g.detached.Load(), 4*each)
		}
		r.Explain("ann", 1)
	}
	close(stop)
	r.Stop()
	close(h.jobs)
	host.Wait()
	if n := g.events.Load(); n != 3*4*each {
		t.Errorf("%d events came, want %d", n, 3*4*each)
	}
	if n := len(r.tables[0].sessions); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
