package presence

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func TestOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		a := w.nodes["a"]
		a.open("ann")
		equal(t, "the answer", a.watch(1, "ann", "bob"), "ann on, bob off")
		a.open("bob")
		w.pass(time.Second)
		a.want(1, "bob on")

		// A second device changes nothing, nor does a quick return.
		a.open("bob")
		a.close("bob")
		w.pass(10 * time.Second)
		a.want(1, "")
		a.close("bob")
		w.pass(4 * time.Second)
		a.open("bob")
		w.pass(10 * time.Second)
		a.want(1, "")

		// Who is gone was last seen when the socket went, 25 s after the beginning.
		a.close("bob")
		w.pass(4 * time.Second)
		a.want(1, "")
		w.pass(3 * time.Second)
		a.want(1, "bob off 25")
		equal(t, "saved", since(w.saved["bob"]), "25")
		equal(t, "the next answer", a.watch(2, "bob"), "bob off 25")

		// Within the grace, who asks is told the same as who watches.
		a.close("ann")
		w.pass(time.Second)
		equal(t, "within the grace", a.watch(3, "ann"), "ann on")
		w.pass(6 * time.Second)
		a.want(3, "ann off 32")
		a.want(1, "ann off 32")

		// Nothing is shown after the end of a subscription.
		a.watch(1)
		a.Unwatch(2)
		a.Hide(3, "ann")
		a.open("ann")
		a.open("bob")
		w.pass(3 * time.Second)
		a.want(1, "")
		a.want(2, "")
		a.want(3, "")
		equal(t, "messages", w.messages(), 0)
	})
}

// TestAnswerComesFirst holds back what changes between the answer's making and its
// sending.
func TestAnswerComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		a := w.nodes["a"]
		now, answered, err := a.Watch(1, []string{"bob"})
		if err != nil || words(now) != "bob off" {
			t.Fatal(now, err)
		}
		a.open("bob")
		w.pass(3 * time.Second)
		a.want(1, "")
		answered()
		w.pass(time.Second)
		a.want(1, "bob on")
	})
}

// TestCoalesced has a user come and go between two rounds, and a session that takes
// nothing for a while: what is shown at last is what is so.
func TestCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		a := w.nodes["a"]
		a.watch(1, "ann", "bob", "cid")
		a.deaf[1] = true
		for range 5 {
			for _, u := range []string{"ann", "bob"} {
				a.open(u)
				w.pass(8 * time.Second)
				a.close(u)
				w.pass(8 * time.Second)
			}
		}
		a.open("ann")
		w.pass(2 * time.Second)
		w.mu.Lock()
		a.deaf[1] = false
		w.mu.Unlock()
		w.pass(2 * time.Second)
		a.want(1, "ann on")
		w.pass(10 * time.Second)
		a.want(1, "")
	})
}

func TestTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		a, b := w.nodes["a"], w.nodes["b"]
		b.open("bob")
		w.pass(10 * time.Second)
		equal(t, "messages while nobody watches, of two nodes", w.messages() <= 2*10/5, true)

		equal(t, "the answer", a.watch(1, "bob", "cid"), "bob off, cid off")
		w.pass(3 * time.Second)
		a.want(1, "bob on")
		b.open("cid")
		w.pass(3 * time.Second)
		a.want(1, "cid on")
		before := w.messages()
		w.pass(100 * time.Second)
		a.want(1, "")
		equal(t, "at most one message per second and node", w.messages()-before <= 2*100, true)

		b.close("bob") // 116 s after the beginning
		w.pass(8 * time.Second)
		a.want(1, "bob off 116")

		// Moving over to the other node is no going.
		b.close("cid")
		a.open("cid")
		w.pass(20 * time.Second)
		a.want(1, "")
		a.close("cid")
		b.open("cid")
		w.pass(20 * time.Second)
		a.want(1, "")
	})
}

// TestLook asks without a subscription: all nodes are waited for.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		a, b := w.nodes["a"], w.nodes["b"]
		b.open("bob")
		w.pass(10 * time.Second)
		look := func(want string, within time.Duration) {
			t.Helper()
			began := time.Now()
			all, err := a.Look(t.Context(), []string{"bob", "cid"})
			if err != nil || words(all) != want {
				t.Errorf("%s, %v, want %s", words(all), err, want)
			}
			if took := time.Since(began); took > within {
				t.Errorf("waited for %v of virtual time, want at most %v", took, within)
			}
		}
		look("bob on, cid off", 2*Every)
		look("bob on, cid off", 0) // and knows it from now on
		w.mu.Lock()
		w.nodes["c"].dead = true // nobody has noticed yet
		w.mu.Unlock()
		w.pass(time.Minute)
		look("bob on, cid off", lookWait)
		w.pass(time.Minute)
		a.mu.Lock()
		equal(t, "watched by nobody", len(a.state.watched), 0)
		a.mu.Unlock()
	})
}

// TestLostMessages loses each kind of message in turn; what was lost is repaired.
func TestLostMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		a, b := w.nodes["a"], w.nodes["b"]
		lose := func(from string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lose = func(f, _ string) bool { return f == from }
			if from == "" {
				w.lose = nil
			}
		}
		b.open("bob")
		lose("a") // the question
		a.watch(1, "bob")
		w.pass(4 * time.Second)
		lose("")
		a.want(1, "")
		w.pass(12 * time.Second)
		a.want(1, "bob on")

		lose("b") // that bob has gone
		b.close("bob")
		w.pass(8 * time.Second)
		lose("")
		a.want(1, "")
		w.pass(13 * time.Second)
		a.want(1, "bob off")

		lose("b") // that bob has come
		b.open("bob")
		w.pass(3 * time.Second)
		lose("")
		a.want(1, "")
		w.pass(13 * time.Second)
		a.want(1, "bob on")

		lose("b") // everything, for long
		w.pass(20 * time.Second)
		a.want(1, "bob off 53")
		lose("")
		w.pass(13 * time.Second)
		a.want(1, "bob on")
	})
}

// TestDeadNode kills a node with users on it, and starts it anew.
func TestDeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b", "c")
		a, b := w.nodes["a"], w.nodes["b"]
		b.open("bob")
		b.open("cid")
		a.watch(1, "bob", "cid")
		w.pass(5 * time.Second)
		a.want(1, "bob on, cid on")
		w.mu.Lock()
		b.dead = true
		w.mu.Unlock()
		w.pass(2 * time.Second)
		w.nodes["c"].open("cid") // who comes back elsewhere was never gone
		w.pass(30 * time.Second)
		a.want(1, "bob off 5")
		equal(t, "saved by who watched", since(w.saved["bob"]), "5")
		if at, ok := w.saved["cid"]; ok {
			t.Errorf("cid was saved as gone at %s", since(at))
		}

		again := w.start("b", true)
		defer b.cancel()
		again.open("bob")
		w.pass(15 * time.Second)
		a.want(1, "bob on")
	})
}

// TestStorm has all users of a node reconnect while nobody watches: it costs no
// message, no statement, and nothing is left of it.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		a := w.nodes["a"]
		const n = 5_000
		for i := range n {
			a.open(fmt.Sprint("u", i))
		}
		for i := range n {
			a.close(fmt.Sprint("u", i))
		}
		w.pass(3 * time.Second)
		for i := range n - 2_500 {
			a.open(fmt.Sprint("u", i))
		}
		w.pass(10 * time.Second)
		equal(t, "saved of those who stayed away", len(w.saved), 2_500)
		for i, size := range w.saves {
			if size > SaveMost {
				t.Errorf("statement %d: %d users", i, size)
			}
		}
		equal(t, "statements", len(w.saves), 3)
		a.mu.Lock()
		defer a.mu.Unlock()
		equal(t, "left", len(a.state.gone)+len(a.state.queue)+len(a.state.saving)+len(a.state.joined), 0)
	})
}

// TestJoinedAllocatesNothing holds that a connect costs nothing while nobody watches,
// and little while others are watched.
func TestJoinedAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newWorld(t, "a").nodes["a"]
		if n := testing.AllocsPerRun(100, func() { a.Joined("bob") }); n != 0 {
			t.Errorf("%v allocations while nobody watches", n)
		}
		a.watch(1, "ann")
		if n := testing.AllocsPerRun(100, func() { a.Joined("bob") }); n != 0 {
			t.Errorf("%v allocations while another is watched", n)
		}
	})
}

// TestStorageAway keeps who has left until it can be saved.
func TestStorageAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a")
		a := w.nodes["a"]
		w.down = true
		a.open("bob")
		a.close("bob")
		w.pass(30 * time.Second)
		equal(t, "saved", len(w.saved), 0)
		w.mu.Lock()
		w.down = false
		w.mu.Unlock()
		w.pass(2 * time.Second)
		equal(t, "saved", since(w.saved["bob"]), "0")
		// What is not saved at the end, is then.
		a.open("cid")
		a.close("cid")
		a.Close(t.Context())
		equal(t, "saved by Close", since(w.saved["cid"]), "32")
	})
}

// TestBounds holds what is refused or forgotten beyond the bounds.
func TestBounds(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newState("a", false, func(string) bool { return false }, now)
	id := 0
	users := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint("u", id)
			id++
		}
		return list
	}
	for i := range maxWatched / MaxUsers {
		if _, _, err := s.watch(feedengine.SessionID(i+1), users(MaxUsers), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.watch(1, users(1), now); err == nil {
		t.Error("one more than may be watched")
	}
	if all, _, err := s.watch(1, []string{"u0", "u1"}, now); err != nil || len(all) != 2 {
		t.Errorf("watched ones: %v, %v", all, err)
	}
	equal(t, "watched", len(s.watched), maxWatched)

	for i := range maxGone + 10 {
		s.leave(fmt.Sprint("g", i), now)
	}
	equal(t, "gone", len(s.gone), maxGone)
	equal(t, "forgotten", s.lost, 10)
	if b := s.takeSaving(); b != nil {
		t.Errorf("saved before the grace is over: %d", len(b))
	}
	s.depart(now.Add(Grace))
	equal(t, "one statement", len(s.takeSaving()), SaveMost)
}

// FuzzReceive reads anything at all.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"seq":7,"watch":["bob","ann"],"there":{"a":[0,1]},"on":["cid"],"off":[{"user":"dan","at":5}],"heard":{"a":3}}`))
	f.Add([]byte(`{"seq":7,"watch":["bob"],"there":{"a":[9]}}`))
	f.Add([]byte(`{"seq":7,"on":["a b"]}`))
	f.Fuzz(func(t *testing.T, p []byte) {
		m, err := decodeMessage(p)
		if err != nil {
			return
		}
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		s := newState("a", false, func(u string) bool { return u == "bob" }, now)
		s.watch(1, []string{"bob", "cid", "dan"}, now)
		for range 40 {
			s.receive("b", m, now)
			s.round(now)
			now = now.Add(Every)
			if again, err := decodeMessage((&message{Seq: m.Seq, Watch: m.Watch, On: m.On}).encode()); err != nil || again.Seq != m.Seq {
				t.Fatalf("%v: %v", again, err)
			}
		}
	})
}
