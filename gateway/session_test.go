package gateway

import (
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/socket"
	"github.com/feedgate/feedgate/gateway/wire"
)

// fakeSocket stands for a *socket.Socket: it fills as soon as it is woken, in the
// goroutine that wakes, runs the timer, and remembers what it was given.
type fakeSocket struct {
	mu     sync.Mutex
	s      *session
	frames []string
	heard  time.Time
	timer  *time.Timer
	code   int
	stuck  bool // takes nothing
}

func (f *fakeSocket) Frame(head, body, tail []byte) {
	f.frames = append(f.frames, string(slices.Concat(head, body, tail)))
}
func (f *fakeSocket) Deflates() bool       { return false }
func (f *fakeSocket) Deflated(_, _ []byte) { panic("not agreed to") }
func (f *fakeSocket) Full() bool           { return len(f.frames) > 1000 }

func (f *fakeSocket) Wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stuck {
		f.s.fill(f)
	}
}

func (f *fakeSocket) SetTimer(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.timer = time.AfterFunc(time.Until(at), func() { f.s.Timer(time.Now()) })
}

func (f *fakeSocket) Heard() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard
}

func (f *fakeSocket) Close(code int, _ string) {
	f.Wake()
	f.mu.Lock()
	f.code = code
	if f.timer != nil {
		f.timer.Stop()
	}
	f.mu.Unlock()
}

// receive is a frame of the client, received now, and coarsely at that.
func (f *fakeSocket) receive(frame string) {
	f.mu.Lock()
	f.heard = time.Now().Truncate(100 * time.Millisecond)
	f.mu.Unlock()
	f.s.Frame([]byte(frame))
}

// took returns the frames since the last call, and the close code.
func (f *fakeSocket) took() ([]string, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.frames
	f.frames = nil
	return out, f.code
}

// directShards answers at once, within Submit.
type directShards struct{}

func (directShards) Submit(r feedengine.Request) { r.Done(plain(r)) }

func newBareGateway(t testing.TB, change ...func(*Options)) *Gateway {
	reads, people := &fakeReads{}, newFakePeople()
	o := Options{
		Shards: directShards{}, Reads: reads, Social: reads, Accounts: people, Circle: people,
		Health: fakeHealth{}, Verifier: fakeVerifier{},
		Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Limits: Limits{OutboxBytes: 2000},
		Socket: socket.Options{Poller: "goroutine"}, // none that waits in the kernel: for synctest
	}
	for _, c := range change {
		c(&o)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// attach makes a session on a fake socket, awaiting its first frame.
func attach(t testing.TB, g *Gateway) *fakeSocket {
	s := &session{g: g, expires: time.Now().Add(firstFrame).UnixMilli()}
	if !g.sessions.reserve(s) {
		t.Fatal("no slot")
	}
	f := &fakeSocket{s: s, heard: time.Now()}
	g.metrics.moved(closed, opening)
	s.take(f, wire.JSONv1)
	s.opened()
	f.SetTimer(time.Now().Add(firstFrame))
	return f
}

func (f *fakeSocket) wants(t *testing.T, code int, frames ...string) {
	t.Helper()
	if got, gotCode := f.took(); !slices.Equal(got, frames) || gotCode != code {
		t.Fatalf("after %v:\n got %d %q\nwant %d %q", time.Now(), gotCode, got, code, frames)
	}
}

func bye(code wire.CloseCode) string {
	return string(wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.Goodbye, Bye: wire.ByeFor(code)}))
}

const connectedBob = `{"re":1,"ok":{"user":"bob","stream":"b1","n":7,"resumed":false,"replay":0,"unread":` + counts9 + `,"heartbeat_ms":25000}}`

// pass lets time go by, and all that it brings happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t)
		defer g.Close()
		late := attach(t, g)
		f := attach(t, g)
		pass(9 * time.Second)
		f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
		f.wants(t, 0, connectedBob)
		late.wants(t, 0)
		pass(time.Second)
		late.wants(t, 4201, bye(wire.CloseHeartbeat)) // 10 s and no first frame

		heard := time.Now()
		f.receive(`{"id":2,"op":"ping"}`)
		f.wants(t, 0, `{"re":2,"ok":{}}`)
		pass(heartbeatAfter - heartbeatSpan - 200*time.Millisecond)
		f.wants(t, 0)
		pass(heartbeatSpan + 200*time.Millisecond)
		f.wants(t, 0, `{"hb":7}`)

		f.receive(`{"ack":7}`) // is life, and tells that nothing was missed
		for frames := []string(nil); len(frames) == 0; frames, _ = f.took() {
			pass(7 * time.Millisecond)
		}
		f.receive(`{"ack":7}`) // at once: heard seems older than the heartbeat
		pass(heartbeatAfter)
		f.wants(t, 0, `{"hb":7}`)

		g.Deliver(feedengine.Delivery{Event: postEvent(1), To: []feedengine.Recipient{{Session: f.s.id, N: 8}}})
		f.took()
		f.receive(`{"ack":7}`) // from before 8: nothing was missed
		f.wants(t, 0)
		pass(heartbeatAfter)
		f.wants(t, 0, `{"hb":8}`)
		f.receive(`{"ack":7}`) // 8 was missed
		if n := g.metrics.acksBehind.Get(); n != 1 {
			t.Errorf("%d acks were behind", n)
		}
		pass(heartbeatAfter)
		f.wants(t, 0, `{"hb":8}`) // and no second one in the silence that follows
		pass(silenceLimit - heartbeatAfter - 200*time.Millisecond)
		f.wants(t, 0)
		pass(200 * time.Millisecond)
		f.wants(t, 4201, bye(wire.CloseHeartbeat))
		if time.Since(heard) < 130*time.Second {
			t.Errorf("ended after %v", time.Since(heard))
		}
	})
}

// A process that was starved sends a heartbeat when the client should have answered it
// long ago. The client is given its time all the same.
func TestHeartbeatLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t)
		defer g.Close()
		f := attach(t, g)
		f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
		f.wants(t, 0, connectedBob)
		f.timer.Stop() // the wheel does not turn
		pass(silenceLimit + 5*time.Second)
		f.s.Timer(time.Now())
		f.wants(t, 0, `{"hb":7}`)
		pass(answerWithin - time.Second)
		f.receive(`{"ack":7}`)
		pass(heartbeatAfter)
		f.wants(t, 0, `{"hb":7}`)
		pass(answerWithin + time.Second)
		f.wants(t, 4201, bye(wire.CloseHeartbeat))
	})
}

func TestHeartbeatsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t)
		defer g.Close()
		at := map[time.Duration]int{}
		var all []*fakeSocket
		for range 200 {
			f := attach(t, g)
			f.receive(`{"id":1,"op":"connect","token":"service:bob"}`)
			all = append(all, f)
		}
		for _, f := range all {
			early := heartbeatAfter - f.s.beatAt(f.heard).Sub(f.heard)
			if early < 0 || early >= heartbeatSpan {
				t.Fatalf("%v early", early)
			}
			at[early/(heartbeatSpan/10)]++
			f.Close(0, "")
		}
		if len(at) < 10 {
			t.Errorf("heartbeats fall into %v", at)
		}
	})
}

func TestTokenExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t)
		defer g.Close()
		g.verifier = expiring{20 * time.Second}
		f := attach(t, g)
		f.receive(`{"id":1,"op":"connect","token":"t"}`)
		f.wants(t, 0, connectedBob)
		pass(19 * time.Second)
		f.receive(`{"id":2,"op":"refresh","token":"t"}`)
		if frames, _ := f.took(); len(frames) != 1 {
			t.Fatal(frames)
		}
		pass(19 * time.Second)
		f.wants(t, 0)
		pass(time.Second)
		f.wants(t, 4203, bye(wire.CloseExpired))
	})
}

// TestSlowConsumer: a client that takes nothing gets one reset in place of what
// it missed, and is closed when it takes that neither.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t) // outboxes of 2,000 bytes
		defer g.Close()
		f := attach(t, g)
		f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
		f.took()
		deliver := func(n uint64) {
			g.Deliver(feedengine.Delivery{Event: postEvent(n), To: []feedengine.Recipient{
				{Session: f.s.id, N: n, Counts: feedengine.Counts{Feed: uint32(n), V: n}},
			}})
		}
		stick := func(stuck bool) {
			f.mu.Lock()
			f.stuck = stuck
			f.mu.Unlock()
		}
		stick(true)
		f.receive(`{"id":2,"op":"ping"}`)
		n := uint64(8)
		for ; g.metrics.outboxResets.Get() == 0; n++ {
			deliver(n)
		}
		dropped := n - 1
		stick(false)
		deliver(n)
		n++
		frames, code := f.took()
		if code != 0 || len(frames) != 3 || frames[0] != `{"re":2,"ok":{}}` {
			t.Fatalf("%d %q", code, frames)
		}
		reset, err := wire.DecodeServer([]byte(frames[1]))
		if err != nil || reset.Reset == nil || *reset.Reset != (wire.Reset{Stream: "b1", N: dropped, Reason: "slow_consumer"}) ||
			*reset.Unread != (wire.Counts{Feed: uint32(dropped), V: dropped}) {
			t.Fatalf("%s %v", frames[1], err)
		}
		if e, err := wire.DecodeServer([]byte(frames[2])); err != nil || e.N != dropped+1 {
			t.Fatalf("%s %v", frames[2], err)
		}

		stick(true)
		for range 3 { // counters are sent once, the latest
			g.Deliver(feedengine.Delivery{To: []feedengine.Recipient{{Session: f.s.id, Counts: feedengine.Counts{V: n}}}})
		}
		if c := g.metrics.outboxCoalesced.Get(); c != 2 {
			t.Fatalf("%d coalesced", c)
		}
		for ; g.metrics.outboxResets.Get() == 1; n++ {
			deliver(n)
		}
		pass(resetWait * time.Millisecond)
		for ; g.metrics.outboxFull.Get() == 0; n++ {
			deliver(n)
		}
		stick(false)
		f.Wake()
		f.wants(t, 4102, bye(wire.CloseSlow))
		deliver(n)
		f.Wake()
		f.wants(t, 4102)
		if g.metrics.outboxResets.Get() != 2 || g.metrics.dropNotLive.Get() != 1 {
			t.Errorf("%d resets, %d dropped", g.metrics.outboxResets.Get(), g.metrics.dropNotLive.Get())
		}
	})
}

// TestPublishToSocket: what is sent live is measured from the event's time on,
// what is replayed is not.
func TestPublishToSocket(t *testing.T) {
	g := newBareGateway(t)
	defer g.Close()
	f := attach(t, g)
	f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
	attached := time.Now()
	for i, at := range []time.Time{attached.Add(-time.Minute), attached.Add(time.Minute), attached.Add(time.Minute)} {
		e := *postEvent(uint64(i + 1))
		e.ID = feedengine.TickAt(at).ID(3)
		g.Deliver(feedengine.Delivery{Event: &e, To: []feedengine.Recipient{{Session: f.s.id, N: uint64(8 + i)}}})
	}
	if frames, _ := f.took(); len(frames) != 4 {
		t.Fatal(frames)
	}
	count := 0
	g.metrics.publishToSocket.VisitNonZeroBuckets(func(_ string, n uint64) { count += int(n) })
	if count != 2 {
		t.Errorf("%d were measured", count)
	}
}

// TestTable: an id finds its session and no later one in the same slot.
func TestTable(t *testing.T) {
	tab := newTable()
	one, two := &session{}, &session{}
	tab.reserve(one)
	if tab.get(one.id) != nil {
		t.Error("found before it was published")
	}
	tab.publish(one)
	if tab.get(one.id) != one || tab.size() != 1 {
		t.Error("not found")
	}
	tab.remove(one)
	tab.reserve(two)
	tab.publish(two)
	if tab.get(one.id) != nil || tab.get(two.id) != two || one.id == two.id {
		t.Errorf("%x was found for %x", two.id, one.id)
	}
	if slotMask&one.id != slotMask&two.id {
		t.Error("the slot was not used again")
	}
	var more []*session
	for range 3 * chunkSize {
		s := &session{}
		if !tab.reserve(s) {
			t.Fatal("full")
		}
		tab.publish(s)
		more = append(more, s)
	}
	n := 0
	for range tab.all() {
		n++
	}
	for _, s := range more {
		if tab.get(s.id) != s {
			t.Fatalf("%x is lost", s.id)
		}
	}
	if n != len(more)+1 || tab.get(feedengine.SessionID(slotMask)) != nil {
		t.Errorf("%d sessions", n)
	}
}

// expiring verifies everything, for a while.
type expiring struct{ life time.Duration }

func postEvent(seq uint64) *feedengine.Event {
	p := testPost("alice", "hi")
	p.ID += feedengine.ID(seq << 10)
	return &feedengine.Event{Shard: 3, Epoch: 1, Seq: seq, ID: p.ID, Kind: feedengine.KindPost, Actor: "alice", Post: p}
}

// TestIdleSession measures what a connected session costs beside its socket.
func TestIdleSession(t *testing.T) {
	g := newBareGateway(t)
	defer g.Close()
	const count = 20_000
	sockets := make([]quietSocket, count)
	names := make([]string, count)
	for i := range names {
		names[i] = "ok:user-" + strconv.Itoa(i)
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range sockets {
		s := &session{g: g, expires: time.Now().Add(firstFrame).UnixMilli()}
		if !g.sessions.reserve(s) {
			t.Fatal("no slot")
		}
		s.take(&sockets[i], wire.JSONv1)
		s.Frame([]byte(`{"id":1,"op":"connect","token":"` + names[i] + `"}`))
		s.fill(devNull{})
	}
	g.users.sweep(time.Now().Add(time.Minute)) // the limiters are full again
	per := (heap() - before) / count
	t.Logf("%d bytes per idle session", per)
	if per > 600 {
		t.Errorf("%d bytes per idle session, the budget is 600", per)
	}
	if g.users.size() != count {
		t.Errorf("%d users", g.users.size())
	}
	runtime.KeepAlive(sockets)
}

type quietSocket struct{ _ byte }

func (*quietSocket) Wake()              {}
func (*quietSocket) SetTimer(time.Time) {}
func (*quietSocket) Heard() time.Time   { return time.Time{} }
func (*quietSocket) Close(int, string)  {}

type devNull struct{}

func (devNull) Frame(_, _, _ []byte) {}
func (devNull) Deflates() bool       { return false }
func (devNull) Deflated(_, _ []byte) {}
func (devNull) Full() bool           { return false }

// TestDeliverAllocs: bringing an event to a session that takes it at once
// allocates nothing per recipient.
func TestDeliverAllocs(t *testing.T) {
	g := newBareGateway(t)
	defer g.Close()
	s := &session{g: g, expires: time.Now().Add(firstFrame).UnixMilli()}
	if !g.sessions.reserve(s) {
		t.Fatal("no slot")
	}
	s.take(&quietSocket{}, wire.JSONv1)
	s.Frame([]byte(`{"id":1,"op":"connect","token":"ok:bob"}`))
	s.fill(devNull{})
	to := []feedengine.Recipient{{Session: s.id, N: 7}}
	event := postEvent(1)
	if a := testing.AllocsPerRun(1000, func() {
		to[0].N++
		g.Deliver(feedengine.Delivery{Event: event, To: to})
		s.fill(devNull{})
		g.Deliver(feedengine.Delivery{To: to})
		s.fill(devNull{})
	}); a > poolLosses {
		t.Errorf("%v allocations", a)
	}
	if n := g.metrics.deliveries.Get(); n < 2000 {
		t.Errorf("%d deliveries", n)
	}
}

func BenchmarkDeliver(b *testing.B) {
	g := newBareGateway(b)
	defer g.Close()
	const sessions = 1000
	var all []*session
	to := make([]feedengine.Recipient, sessions)
	for i := range to {
		s := &session{g: g, expires: time.Now().Add(firstFrame).UnixMilli()}
		g.sessions.reserve(s)
		s.take(&quietSocket{}, wire.JSONv1)
		s.Frame([]byte(`{"id":1,"op":"connect","token":"service:bob"}`))
		s.fill(devNull{})
		all, to[i] = append(all, s), feedengine.Recipient{Session: s.id, N: 7}
	}
	event := postEvent(1)
	b.ReportAllocs()
	for b.Loop() {
		for i := range to {
			to[i].N++
		}
		g.Deliver(feedengine.Delivery{Event: event, To: to})
		for _, s := range all {
			s.fill(devNull{})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sessions, "ns/recipient")
}
