package bustest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feedgate/feedgate/shard/bus"
)

// World is what a kind of bus offers to be tried.
type World struct {
	Join func(t *testing.T) bus.Bus // the bus of one more node
	Down func()                     // begins an outage for all
	Up   func()                     // ends it
}

// Run runs the suite. make is called for each part of it.
func Run(t *testing.T, make func(t *testing.T) World) {
	parts := map[string]func(*testing.T, World){
		"order per publisher":              testOrder,
		"everybody who subscribed gets it": testFanOut,
		"unsubscribed is unsubscribed":     testUnsubscribe,
		"an outage, and the return":        testOutage,
		"big messages":                     testBig,
		"a slow handler holds up nobody":   testSlow,
		"who listens":                      testListeners,
		"close":                            testClose,
		"one handler at a time":            testOneAtATime,
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) { part(t, make(t)) })
	}
}

// join joins, and leaves at the end of the test.
func (w World) join(t *testing.T) bus.Bus {
	t.Helper()
	b := w.Join(t)
	t.Cleanup(func() { b.Close() })
	return b
}

// ready waits until all that was subscribed stands.
func ready(t *testing.T, buses ...bus.Bus) {
	t.Helper()
	for _, b := range buses {
		var err error
		if !Eventually(func() bool { err = b.Ping(context.Background()); return err == nil }) {
			t.Fatalf("not ready: %v", err)
		}
	}
}

// inbox keeps copies of what comes.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (in *inbox) handle(msg []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.got = append(in.got, string(msg))
}

func (in *inbox) all() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]string(nil), in.got...)
}

func (in *inbox) await(t *testing.T, n int) []string {
	t.Helper()
	if !Eventually(func() bool { return len(in.all()) >= n }) {
		t.Fatalf("%d messages came, want %d", len(in.all()), n)
	}
	return in.all()
}

func publish(t *testing.T, b bus.Bus, topic, msg string) {
	t.Helper()
	if !b.Publish(topic, []byte(msg)) {
		t.Fatalf("%q was refused on %q", msg, topic)
	}
}

// testListeners is of a bus that knows who is subscribed.
func testListeners(t *testing.T, w World) {
	a := w.join(t)
	roster, ok := a.(interface {
		Listeners(ctx context.Context, topics []string) ([]int, error)
	})
	if !ok {
		return
	}
	counts, err := roster.Listeners(t.Context(), []string{"here", "nowhere"})
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if err != nil || counts[0] != 0 {
		t.Fatalf("before anybody subscribed: %v, %v", counts, err)
	}
	b := w.Join(t)
	b.Subscribe("here", func([]byte) {})
	ready(t, a, b)
	listen := func(want int) {
		t.Helper()
		if !Eventually(func() bool {
			counts, err = roster.Listeners(t.Context(), []string{"nowhere", "here"})
			return err == nil && counts[0] == 0 && counts[1] == want
		}) {
			t.Errorf("%v, %v, want 0 and %d", counts, err, want)
		}
	}
	listen(1)
	b.Close()
	listen(0)
	w.Down()
	if counts, err := roster.Listeners(t.Context(), []string{"here"}); err == nil {
		t.Errorf("during an outage: %v", counts)
	}
	w.Up()
}

func testOrder(t *testing.T, w World) {
	const publishers, each = 3, 2000
	listener, in := w.join(t), new(inbox)
	listener.Subscribe("t", in.handle)
	senders := make([]bus.Bus, publishers)
	for i := range senders {
		senders[i] = w.join(t)
	}
	ready(t, append(senders, listener)...)
	var wg sync.WaitGroup
	for p, b := range senders {
		wg.Go(func() {
			for i := range each {
				publish(t, b, "t", fmt.Sprintf("%d %d", p, i))
			}
		})
	}
	wg.Wait()
	next := [publishers]int{}
	for _, msg := range in.await(t, publishers*each) {
		var p, i int
		if _, err := fmt.Sscanf(msg, "%d %d", &p, &i); err != nil {
			t.Fatalf("%q: %v", msg, err)
		}
		if i != next[p] {
			t.Fatalf("of publisher %d came %d, want %d", p, i, next[p])
		}
		next[p]++
	}
}

func testFanOut(t *testing.T, w World) {
	a, b, c := w.join(t), w.join(t), w.join(t)
	var onA, onB, onB2, other inbox
	a.Subscribe("x", onA.handle)
	b.Subscribe("x", onB.handle)
	b.Subscribe("x", onB2.handle)
	c.Subscribe("y", other.handle)
	ready(t, a, b, c)
	publish(t, a, "x", "one")
	publish(t, c, "x", "two")
	publish(t, b, "y", "three")
	for name, in := range map[string]*inbox{"the publisher": &onA, "another": &onB, "a second handler": &onB2} {
		if got := strings.Join(in.await(t, 2), " "); got != "one two" && got != "two one" {
			t.Errorf("%s got %q", name, got)
		}
	}
	if got := strings.Join(other.await(t, 1), " "); got != "three" {
		t.Errorf("who subscribed to another topic got %q", got)
	}
}

func testUnsubscribe(t *testing.T, w World) {
	a, b := w.join(t), w.join(t)
	var left, stays inbox
	cancel := b.Subscribe("x", left.handle)
	ready(t, a, b)
	publish(t, a, "x", "before")
	left.await(t, 1)
	b.Subscribe("x", stays.handle)
	cancel()
	ready(t, b)
	publish(t, a, "x", "after")
	stays.await(t, 1)
	if got := left.all(); len(got) != 1 {
		t.Errorf("after cancel came %q", got)
	}
	// And the other way round: the last handler goes, a new one comes.
	var again inbox
	cancel = b.Subscribe("z", left.handle)
	cancel()
	b.Subscribe("z", again.handle)
	ready(t, b)
	publish(t, a, "z", "again")
	again.await(t, 1)
}

func testOutage(t *testing.T, w World) {
	a, b := w.join(t), w.join(t)
	var in inbox
	b.Subscribe("x", in.handle)
	ready(t, a, b)
	publish(t, a, "x", "before")
	in.await(t, 1)

	w.Down()
	if !Eventually(func() bool { return !a.Publish("x", []byte("meanwhile")) }) {
		t.Fatal("during the outage messages are still taken")
	}
	if a.Ping(context.Background()) == nil {
		t.Error("a Ping during the outage succeeds")
	}
	// Far more than any queue holds, at once: what cannot be sent must not pile up.
	start, taken := time.Now(), 0
	for range 200_000 {
		if a.Publish("x", []byte("meanwhile")) {
			taken++
		}
	}
	t.Logf("200,000 messages refused in %v", time.Since(start))
	if taken > 0 {
		t.Errorf("during the outage %d messages were taken", taken)
	}

	w.Up()
	ready(t, a, b)
	publish(t, a, "x", "after")
	got := in.await(t, 2)
	if last := got[len(got)-1]; len(got) != 2 || last != "after" {
		t.Errorf("after the return came %q", got)
	}
}

func testBig(t *testing.T, w World) {
	a, b := w.join(t), w.join(t)
	var in inbox
	b.Subscribe("x", in.handle)
	ready(t, a, b)
	sizes := []int{0, 1, 300 << 10, 5 << 20, 17}
	for i, size := range sizes {
		msg := bytes.Repeat([]byte{byte(i), 0, '\r', '\n', 0xff}, size/5+1)[:size]
		if !a.Publish("x", msg) {
			t.Fatalf("%d bytes are refused", size)
		}
	}
	for i, got := range in.await(t, len(sizes)) {
		want := bytes.Repeat([]byte{byte(i), 0, '\r', '\n', 0xff}, sizes[i]/5+1)[:sizes[i]]
		if got != string(want) {
			t.Errorf("message %d came with %d bytes, want %d and the same", i, len(got), sizes[i])
		}
	}
}

func testSlow(t *testing.T, w World) {
	a, slow, quick := w.join(t), w.join(t), w.join(t)
	begun, release := make(chan struct{}, 1), make(chan struct{})
	var in, late inbox
	slow.Subscribe("x", func(msg []byte) {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-release
		late.handle(msg)
	})
	quick.Subscribe("x", in.handle)
	ready(t, a, slow, quick)
	const n = 1000
	for i := range n {
		publish(t, a, "x", fmt.Sprint(i))
	}
	<-begun
	in.await(t, n)             // while the slow one stands
	publish(t, slow, "y", "z") // and it can still publish
	close(release)
	late.await(t, n)
}

func testOneAtATime(t *testing.T, w World) {
	a := w.join(t)
	var mu sync.Mutex
	var in inbox
	for _, topic := range []string{"x", "y", "z"} {
		a.Subscribe(topic, func(msg []byte) {
			if !mu.TryLock() {
				t.Error("two handlers at a time")
				return
			}
			defer mu.Unlock()
			in.handle(msg)
			runtime.Gosched()
		})
	}
	ready(t, a)
	var n [8]byte
	for i := range 600 {
		binary.BigEndian.PutUint64(n[:], uint64(i))
		publish(t, a, []string{"x", "y", "z"}[i%3], string(n[:]))
	}
	in.await(t, 600)
}

func testClose(t *testing.T, w World) {
	before := runtime.NumGoroutine()
	a := w.Join(t)
	var in inbox
	cancel := a.Subscribe("x", in.handle)
	ready(t, a)
	publish(t, a, "x", "one")
	in.await(t, 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a.Publish("x", []byte("two")) {
		t.Error("a closed bus takes messages")
	}
	if a.Ping(context.Background()) == nil {
		t.Error("a closed bus answers")
	}
	cancel() // harmless
	if !Eventually(func() bool { return runtime.NumGoroutine() <= before }) {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	}
}
