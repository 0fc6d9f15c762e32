package route

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// rig is one router of node "me", whose other nodes are the test's.
type rig struct {
	t    *testing.T
	r    *Router
	set  *metrics.Set
	at   feedengine.Place // of the owner in the tests' one shard
	from link.Peer

	mu        sync.Mutex
	sent      []letter
	took      []string // what the gateway was told, and what was answered
	submitted []handed
	rejoins   []feedengine.RejoinInput
	onDeliver func()
}

type letter struct {
	to string
	m  link.Message
}

// handed is a request that the own host has.
type handed struct {
	key string
	feedengine.Request
}

// inRig runs a test on a router that knows owner ("" none) as the owner of the one
// shard, under epoch 5.
func inRig(t *testing.T, owner string, test func(g *rig)) {
	synctest.Test(t, func(t *testing.T) {
		g := &rig{t: t, set: metrics.NewSet(), at: feedengine.Place{Epoch: 5}, from: link.Peer{Node: owner, Incarnation: 1}}
		g.r = NewRouter(RouterOptions{
			Self: "me", Shards: 1, ShardOf: func(string) feedengine.ShardID { return 0 },
			Host: g, Links: g, Gateway: g, Metrics: g.set, Log: quiet,
		})
		defer g.r.Stop()
		g.r.Owns(owner, g.at)
		test(g)
		synctest.Wait()
	})
}

func (g *rig) Send(to string, m link.Message) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent = append(g.sent, letter{to, cloned(m)})
	return true
}

func (g *rig) SubmitFrom(_ feedengine.GatewayID, key string, r feedengine.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.submitted = append(g.submitted, handed{key, r})
}

func (g *rig) Rejoin(_ feedengine.GatewayID, _ feedengine.ShardID, in feedengine.RejoinInput) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rejoins = append(g.rejoins, in)
	return true
}

func (g *rig) GatewayGone(feedengine.GatewayID) {}

func (g *rig) note(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.took = append(g.took, fmt.Sprintf(format, args...))
}

func (g *rig) Deliver(d feedengine.Delivery) {
	for _, to := range d.To {
		if d.Event == nil {
			g.note("counts %d v%d", to.Session, to.Counts.V)
		} else {
			g.note("event %d n%d", to.Session, to.N)
		}
	}
	if g.onDeliver != nil {
		g.onDeliver()
	}
}

func (g *rig) Reset(r feedengine.Reset) { g.note("reset %d %s n%d", r.Session, r.Stream, r.N) }

// told returns what the gateway was told since the last call.
func (g *rig) told() string {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	s := strings.Join(g.took, ", ")
	g.took = nil
	return s
}

// letters returns what was sent to other nodes since the last call.
func (g *rig) letters() []letter {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sent
	g.sent = nil
	return s
}

// the only message of a type that was sent since the last call.
func the[M link.Message](g *rig) (M, string) {
	g.t.Helper()
	var of []letter
	for _, l := range g.letters() {
		if _, ok := l.m.(M); ok {
			of = append(of, l)
		}
	}
	if len(of) != 1 {
		var m M
		g.t.Fatalf("%d of %T were sent, want 1", len(of), m)
	}
	return of[0].m.(M), of[0].to
}

func (g *rig) want(told string) {
	g.t.Helper()
	if got := g.told(); got != told {
		g.t.Errorf("told %q, want %q", got, told)
	}
}

func (g *rig) wantNoLetter() {
	g.t.Helper()
	for _, l := range g.letters() {
		g.t.Errorf("sent %T %+v to %s", l.m, l.m, l.to)
	}
}

func (g *rig) submit(do feedengine.Action) {
	name := strings.TrimPrefix(fmt.Sprintf("%T", do), "feedengine.")
	g.r.Submit(feedengine.Request{
		User: "ann", Do: do,
		Done: func(res feedengine.Result) {
			if res.Err != nil {
				g.note("%s %s", name, res.Err.Code)
			} else {
				g.note("%s ok", name)
			}
		},
	})
}

func (g *rig) answer(a link.Ask, res feedengine.Result) {
	g.r.Receive(g.from, link.Answer{ID: a.ID, Place: g.at, Result: res})
}

const stream1, stream2 = feedengine.StreamID(0xa1), feedengine.StreamID(0xb2)

// attach attaches a session at n of stream1.
func (g *rig) attach(id feedengine.SessionID, n uint64) {
	g.t.Helper()
	g.submit(feedengine.Attach{Session: id})
	a, _ := the[link.Ask](g)
	g.answer(a, feedengine.Result{Stream: stream1, N: n, Counts: feedengine.Counts{V: n}})
	g.want("Attach ok")
}

func (g *rig) event(id feedengine.SessionID, n uint64) {
	g.r.Receive(g.from, link.Deliver{Place: g.at, Delivery: feedengine.Delivery{
		Event: &feedengine.Event{ID: feedengine.ID(n)}, To: []feedengine.Recipient{{Session: id, N: n, Counts: feedengine.Counts{V: n}}},
	}})
}

func (g *rig) counts(id feedengine.SessionID, v uint64) {
	g.r.Receive(g.from, link.Deliver{Place: g.at, Delivery: feedengine.Delivery{
		To: []feedengine.Recipient{{Session: id, Counts: feedengine.Counts{V: v}}},
	}})
}

func (g *rig) reset(id feedengine.SessionID, s feedengine.StreamID, n uint64, why feedengine.ResetReason) {
	g.r.Receive(g.from, link.Reset{Place: g.at, Reset: feedengine.Reset{Session: id, Stream: s, N: n, Reason: why, Counts: feedengine.Counts{V: n}}})
}

// count reads a counter of the router.
func (g *rig) count(name string) uint64 { return g.set.GetOrCreateCounter(name).Get() }

func sleep(d time.Duration) { time.Sleep(d) } // in a bubble: virtual
