package gateway

import (
	"container/heap"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// twoCores is the default rate on two cores.
const twoCores = 2 * handshakesPerCore

// bareAdmission is one that knows of no attaches and no budget.
func bareAdmission(perSec float64) *admission {
	return newAdmission(Limits{Handshakes: perSec}.withDefaults(), metrics.NewSet(), func() int64 { return 0 }, func() bool { return false })
}

func TestAdmissionRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := bareAdmission(200)
		count := func(n int) (in int) {
			for range n {
				if a.upgrade(time.Now()) == admitted {
					in++
				}
			}
			return in
		}
		if in := count(1000); in != 200 {
			t.Errorf("%d of 1000 at once were admitted, want a second's 200", in)
		}
		time.Sleep(100 * time.Millisecond)
		if in := count(1000); in != 20 {
			t.Errorf("%d after a tenth of a second, want 20", in)
		}
	})
}

// TestAdmissionLetsRampPass: 100,000 connections at 2,500 per second, opened in
// lumps as a busy client does, are not refused on two cores.
func TestAdmissionLetsRampPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := bareAdmission(twoCores)
		for range 100_000 / 1250 {
			for range 1250 {
				if why := a.upgrade(time.Now()); why != admitted {
					t.Fatalf("refused: %v", refusalNames[why])
				}
			}
			time.Sleep(500 * time.Millisecond)
		}
	})
}

// TestTurnsWithAClockThatIsSet: an hour backwards, and nobody waits for an hour. A
// process that comes with a time of just before finds the turns taken that are.
func TestTurnsWithAClockThatIsSet(t *testing.T) {
	const every, second = time.Second / 10, time.Second
	now := time.Now()
	count := func(turns *Turns, now time.Time) (n int) {
		for turns.take(now, every, second) {
			n++
		}
		return n
	}
	turns := new(Turns)
	if n := count(turns, now); n != 10 {
		t.Errorf("%d turns, want 10", n)
	}
	if n := count(turns, now.Add(-clockBack/2)); n != 0 {
		t.Errorf("%d turns for who was preempted, want none", n)
	}
	if n := count(turns, now.Add(-time.Hour)); n != 10 {
		t.Errorf("%d turns after the clock was set back, want 10", n)
	}
	for range 100 {
		turns.wait(now, every, time.Minute)
	}
	if wait := turns.wait(now, every, time.Minute); wait != 10*time.Second {
		t.Errorf("behind 100 the wait is %v, want 10 s", wait)
	}
	if wait := turns.wait(now.Add(-clockBack/2), every, time.Minute); wait != 10*time.Second+every+clockBack/2 {
		t.Errorf("for who was preempted the wait is %v", wait)
	}
	if wait := turns.wait(now.Add(-time.Hour), every, time.Minute); wait != 0 {
		t.Errorf("after the clock was set back the wait is %v, want none", wait)
	}
}

// returning are the moments at which clients come back, the next one first.
type returning []time.Time

func (q returning) Len() int           { return len(q) }
func (q returning) Less(i, j int) bool { return q[i].Before(q[j]) }
func (q returning) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *returning) Push(x any)        { *q = append(*q, x.(time.Time)) }
func (q *returning) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// TestRefusedComeBackSpread: 100,000 clients that lost their node at once and do
// as they are told are all in soon, hardly any is refused twice, and nowhere do they come in lumps.
func TestRefusedComeBackSpread(t *testing.T) {
	const clients, processes = 100_000, 7
	turns := new(Turns)
	var nodes [processes]*admission // that share a rate, unevenly
	for i := range nodes {
		nodes[i] = bareAdmission(twoCores)
		nodes[i].turns = turns
	}
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Now()
	q := make(returning, clients)
	for i := range q {
		q[i] = begin.Add(time.Duration(i) * time.Microsecond)
	}
	refusals, perSecond := 0, map[time.Duration]int{}
	var now time.Time
	for len(q) > 0 {
		now = heap.Pop(&q).(time.Time)
		perSecond[now.Sub(begin).Truncate(time.Second)]++
		a := nodes[min(random.IntN(2*processes), processes-1)]
		why := a.upgrade(now)
		if why == admitted {
			continue
		}
		refusals++
		retry, spread := a.refuse(atUpgrade, why, now)
		back := retry + time.Duration(random.Int64N(int64(spread)))
		if random.IntN(2) == 0 { // Retry-After, and a client that knows that it is a rounded one
			back = back.Truncate(time.Second) + time.Second + time.Duration(random.Int64N(int64(time.Second)))
		}
		heap.Push(&q, now.Add(back))
	}
	least := float64(clients) / twoCores
	if took := now.Sub(begin).Seconds(); took > least*4/3 {
		t.Errorf("the last was in after %.0f s; at the rate it takes %.0f", took, least)
	}
	if refusals > clients*11/10 {
		t.Errorf("%d refusals of %d clients", refusals, clients)
	}
	for at, n := range perSecond {
		if at > 0 && n > twoCores*3/2 {
			t.Errorf("%d came at once after %v", n, at)
		}
	}
	for range 50 * clients { // who do not do as they are told
		if retry, spread := nodes[0].refuse(atUpgrade, overRate, now); retry+spread > admitWidest {
			t.Fatalf("to come back after %v and a part of %v", retry, spread)
		}
	}
	if retry, _ := nodes[0].refuse(atUpgrade, overRate, now.Add(2*admitWidest)); retry != admitRetry {
		t.Errorf("a storm is remembered when it is over: to come back after %v", retry)
	}
}

// dialRefused has an upgrade refused, and returns when the client is to return.
func (r *rig) dialRefused() time.Duration {
	r.t.Helper()
	status, header, body := r.call("GET", "/v1/ws", "",
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", wire.JSONv1)
	after, err := strconv.Atoi(header.Get("Retry-After"))
	if status != 503 || err != nil || after < 1 {
		r.t.Fatalf("%d %v %s", status, header, body)
	}
	f, err := wire.DecodeServer([]byte(body))
	if err != nil || f.Err == nil || f.Err.Code != "overloaded" || !f.Err.Retryable || f.Err.Retry < time.Second {
		r.t.Fatalf("%v: %s", err, body)
	}
	return time.Duration(after) * time.Second
}

// TestUpgradeBeyondRate is refused before it costs a session, each with a time of
// its own to come back.
func TestUpgradeBeyondRate(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits.Handshakes = 1 })
	c := r.connect("bob")
	made := func() uint64 {
		r.g.sessions.mu.Lock()
		defer r.g.sessions.mu.Unlock()
		return r.g.sessions.serial
	}
	before := made()
	times := map[time.Duration]bool{}
	for range 40 { // all turns are taken
		r.g.admission.turns.next.Store(time.Now().Add(4 * time.Second).UnixNano())
		times[r.dialRefused()] = true
	}
	if len(times) < 3 {
		t.Errorf("all are to come back at the same time: %v", times)
	}
	if made() != before {
		t.Error("a session was made")
	}
	if n := r.counter(`feedgate_admission_refused_total{at="upgrade",reason="rate"}`); n != "40" {
		t.Errorf("%s were counted", n)
	}
	if n := r.counter(`feedgate_handshakes_total{outcome="overloaded",subprotocol=""}`); n != "40" {
		t.Errorf("%s handshakes were counted", n)
	}
	c.send(`{"id":2,"op":"ping"}`)
	c.want(`{"re":2,"ok":{}}`)
}

// TestAttachesAreBounded: with too many under way no more are begun, neither by
// new sockets nor on those that are open.
func TestAttachesAreBounded(t *testing.T) {
	r := newRigOn(t, false) // a front's goroutine is there already and would not see the change
	r.g.admission.attaches = 2
	gate := make(chan struct{})
	r.shards.set(func(q feedengine.Request) feedengine.Result {
		<-gate
		return plain(q)
	}, nil)
	one, two, late := r.dial(), r.dial(), r.dial()
	one.send(`{"id":1,"op":"connect","token":"ok:ann"}`)
	two.send(`{"id":1,"op":"connect","token":"ok:bob"}`)
	waitFor(t, "two attaches", func() bool { return r.counter(`feedgate_connections{state="connecting"}`) == "2" })
	late.send(`{"id":1,"op":"connect","token":"ok:cem"}`)
	if f := late.recv(); f.Err == nil || f.Err.Code != "overloaded" || f.Err.Retry != admitRetry {
		t.Fatalf("got %+v", f)
	}
	if bye := late.wantClose(wire.CloseOverloaded); bye.Retry != admitRetry || bye.Spread < admitSpread {
		t.Errorf("bye %+v", bye)
	}
	r.dialRefused()
	for at, want := range map[string]string{"upgrade": "1", "connect": "1"} {
		if n := r.counter(`feedgate_admission_refused_total{at="` + at + `",reason="attaches"}`); n != want {
			t.Errorf("%s were counted at the %s", n, at)
		}
	}
	close(gate)
	for _, c := range []*client{one, two} {
		if f := c.recv(); f.OK == nil {
			t.Fatalf("got %+v", f)
		}
	}
	r.connect("cem")
}

// fakeMemory is a process that is full when told to be.
type fakeMemory struct {
	over  atomic.Bool
	grown int64
}

func (m *fakeMemory) Over() bool   { return m.over.Load() }
func (m *fakeMemory) Grown() int64 { return m.grown }

func TestOverMemoryBudget(t *testing.T) {
	m := &fakeMemory{grown: 12_000}
	r := newRig(t, func(o *Options) { o.Memory = m })
	if n := r.counter("feedgate_connection_bytes"); n != "0" {
		t.Errorf("no connection costs %s bytes", n)
	}
	here, late := r.connect("ann"), r.dial()
	if n := r.counter("feedgate_connection_bytes"); n != "6000" {
		t.Errorf("two connections that take 12,000 bytes: %s each", n)
	}
	m.over.Store(true)
	if wait := r.dialRefused(); wait < memoryRetry {
		t.Errorf("to come back after %v", wait)
	}
	w := httptest.NewRecorder()
	if r.g.serveSocket(w, httptest.NewRequest(http.MethodGet, "/v1/ws", nil)); w.Header().Get("Connection") != "close" {
		t.Errorf("the connection stays: %v", w.Header())
	}
	late.send(`{"id":1,"op":"connect","token":"ok:bob"}`)
	late.recv()
	if bye := late.wantClose(wire.CloseOverloaded); bye.Retry != memoryRetry || bye.Spread < memorySpread {
		t.Errorf("bye %+v", bye)
	}
	if status, _, body := r.call("GET", "/readyz", ""); status != 200 || body != `{"bus":"ok","memory":"over_budget","status":"ready","storage":"ok"}` {
		t.Errorf("%d %s", status, body)
	}
	here.send(`{"id":2,"op":"ping"}`)
	here.want(`{"re":2,"ok":{}}`)
	m.over.Store(false)
	r.connect("bob")
}

// BenchmarkRefusal is what a refused upgrade costs the gateway itself, beside
// net/http's part.
func BenchmarkRefusal(b *testing.B) {
	m := &fakeMemory{}
	m.over.Store(true)
	r := newRig(b, func(o *Options) { o.Memory = m })
	req := httptest.NewRequest(http.MethodGet, "/v1/ws", nil)
	for b.Loop() {
		r.g.serveSocket(httptest.NewRecorder(), req)
	}
}
