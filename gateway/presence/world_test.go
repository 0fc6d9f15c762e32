package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// world is some nodes with users on them, in virtual time.
type world struct {
	t     *testing.T
	nodes map[string]*node
	// lose says which messages do not arrive; nil: all do.
	lose func(from, to string) bool

	mu    sync.Mutex
	sent  int
	saved map[string]time.Time
	saves []int // how many users each statement had
	down  bool  // nothing can be saved
}

type node struct {
	*Tracker
	w       *world
	name    string
	dead    bool
	sockets map[string]int
	shown   map[feedengine.SessionID][]string
	deaf    map[feedengine.SessionID]bool // sessions that take nothing
}

func newWorld(t *testing.T, names ...string) *world {
	w := &world{t: t, nodes: map[string]*node{}, saved: map[string]time.Time{}}
	for _, name := range names {
		w.start(name, len(names) > 1)
		w.pass(time.Millisecond) // so that no two nodes have their rounds at one time
	}
	w.pass(Every / 2) // so that nothing else happens at the time of a round
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.Close(context.Background())
		}
	})
	return w
}

func (w *world) start(name string, clustered bool) *node {
	n := &node{w: w, name: name, sockets: map[string]int{}, shown: map[feedengine.SessionID][]string{}, deaf: map[feedengine.SessionID]bool{}}
	o := Options{
		Node: name, Here: n.here, Show: n.show, Save: w.save,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(),
	}
	if clustered {
		o.Publish = n.publish
	}
	w.mu.Lock()
	w.nodes[name] = n
	w.mu.Unlock()
	n.Tracker = New(o)
	return n
}

func (n *node) here(user string) bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return n.sockets[user] > 0
}

func (n *node) show(s feedengine.SessionID, st Status) bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if n.deaf[s] {
		return false
	}
	n.shown[s] = append(n.shown[s], word(st))
	return true
}

func word(st Status) string {
	if st.Online {
		return st.User + " on"
	}
	if st.Seen.IsZero() {
		return st.User + " off"
	}
	return st.User + " off " + since(st.Seen)
}

// since is a virtual time, as whole seconds since the test's beginning.
func since(at time.Time) string {
	return fmt.Sprint(int(at.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds()))
}

func (n *node) publish(msg []byte) {
	n.w.mu.Lock()
	var to []*node
	n.w.sent++
	for name, other := range n.w.nodes {
		if other != n && !other.dead && !n.dead && (n.w.lose == nil || !n.w.lose(n.name, name)) {
			to = append(to, other)
		}
	}
	n.w.mu.Unlock()
	for _, other := range to {
		other.Receive(n.name, msg)
	}
}

// messages is how many were sent.
func (w *world) messages() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

func (w *world) save(ctx context.Context, seen []feedengine.LastSeen) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return errors.Join(errors.New("down"), feedengine.ErrUnavailable)
	}
	w.saves = append(w.saves, len(seen))
	for _, l := range seen {
		if l.At.After(w.saved[l.User]) {
			w.saved[l.User] = l.At
		}
	}
	return ctx.Err()
}

func (n *node) open(user string) {
	n.w.mu.Lock()
	n.sockets[user]++
	n.w.mu.Unlock()
	n.Joined(user)
}

func (n *node) close(user string) {
	n.w.mu.Lock()
	n.sockets[user]--
	last := n.sockets[user] == 0
	n.w.mu.Unlock()
	if last {
		n.Left(user)
	}
}

// watch subscribes a session and returns what it is answered.
func (n *node) watch(s feedengine.SessionID, users ...string) string {
	n.w.t.Helper()
	now, answered, err := n.Watch(s, users)
	if err != nil {
		n.w.t.Fatal(err)
	}
	answered()
	return words(now)
}

func words(all []Status) string {
	list := []string{}
	for _, st := range all {
		list = append(list, word(st))
	}
	return strings.Join(list, ", ")
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want compares what a session has been shown since it was last asked.
func (n *node) want(s feedengine.SessionID, want string) {
	n.w.t.Helper()
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	got := n.shown[s]
	n.shown[s] = nil
	slices.Sort(got)
	if strings.Join(got, ", ") != want {
		n.w.t.Errorf("%s: shown %q, want %q", since(time.Now()), strings.Join(got, ", "), want)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
