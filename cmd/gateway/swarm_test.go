package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// swarm is traffic over all nodes of a cluster: authors that publish all the
// time, each post under a key and again and again until it is acknowledged,
// readers that follow them all, and friends. A socket may be lost only when its
// node was given up; its user then resumes at another.
type swarm struct {
	t       *testing.T
	halt    chan struct{} // closed to end the authors
	end     chan struct{} // closed to end everybody
	writing sync.WaitGroup
	reading sync.WaitGroup
	acked   atomic.Int64
	refused atomic.Int64
	authors []*swarmAuthor
	readers []*swarmReader
	friends []*friend
	facts   facts

	mu     sync.Mutex
	nodes  []*node          // where sockets may be opened
	leftAt map[*node]bool   // nodes whose sockets may be lost
	open   map[*client]bool // sockets
	ending bool             // so may all
}

const (
	swarmAuthors = 4
	swarmReaders = 9
	// swarmPace is between an author's posts. A stream that lacks more than 64
	// events is reset, and rightly: that is 1.6 s of all authors.
	swarmPace = 100 * time.Millisecond
)

type swarmAuthor struct {
	name  string
	posts atomic.Int64 // acknowledged
	mu    sync.Mutex
	ids   []string // of them
}

// swarmReader keeps the ledger of what one user was sent. What comes in series,
// an author's posts for one, has a text of the series' name and a number.
type swarmReader struct {
	name  string
	take  func(*event)        // an event
	fetch func(*client) error // asks for all that is shown, nil when nothing is
	stale bool                // it is to be asked for; owned by read
	mu    sync.Mutex
	next  map[string]int  // by series: the one that comes next
	gap   map[string]bool // some may have been left out since the last one
	// again: what is in this range, from the first number of each series to before
	// the second, may come again. Nil: nothing.
	again   map[string][2]int
	resets  []string // their reasons
	resumed int      // connections that went on where the last one ended
	unread  unread
	broken  []string
}

func newSwarmReader(name string) *swarmReader {
	return &swarmReader{name: name, next: map[string]int{}, gap: map[string]bool{}}
}

func newSwarm(t *testing.T, nodes ...*child) *swarm {
	t.Helper()
	s := &swarm{t: t, halt: make(chan struct{}), end: make(chan struct{}), leftAt: map[*node]bool{}, open: map[*client]bool{}}
	for _, c := range nodes {
		s.nodes = append(s.nodes, &c.node)
	}
	for i := range swarmAuthors {
		s.authors = append(s.authors, &swarmAuthor{name: fmt.Sprint("author", i)})
	}
	for i := range swarmReaders {
		r := newSwarmReader(fmt.Sprint("reader", i))
		r.take = r.number
		s.readers = append(s.readers, r)
		c, n, err := s.connect(r.name, i, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range s.authors {
			c.follow(a.name)
		}
		s.reading.Go(func() { s.read(r, i, c, n) })
	}
	for i, a := range s.authors {
		s.writing.Go(func() { s.publish(a, i) })
	}
	s.befriend()
	t.Cleanup(s.stop)
	return s
}

// stop ends the traffic, whatever became of it.
func (s *swarm) stop() {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return
	}
	s.ending = true
	close(s.end)
	for c := range s.open {
		c.drop()
	}
	s.mu.Unlock()
	s.writing.Wait()
	s.reading.Wait()
}

// join has sockets opened at this node too.
func (s *swarm) join(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, &c.node)
}

// leave says that a node's sockets may be lost.
func (s *swarm) leave(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leftAt[&c.node] = true
	s.nodes = slices.DeleteFunc(s.nodes, func(n *node) bool { return n == &c.node })
}

// connect opens a socket at one of the nodes, the i-th of those that there are.
func (s *swarm) connect(user string, i int, with map[string]any) (*client, *node, error) {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return nil, nil, errEnding
	}
	n := s.nodes[i%len(s.nodes)]
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+n.addr+"/v1/ws", &websocket.DialOptions{Subprotocols: []string{"feedgate.v1.json"}})
	if err != nil {
		return nil, n, err
	}
	ws.SetReadLimit(1 << 20)
	c := &client{t: s.t, ws: ws}
	s.mu.Lock()
	s.open[c] = true
	s.mu.Unlock()
	fields := map[string]any{"token": token(s.t, user, false)}
	for k, v := range with {
		fields[k] = v
	}
	if c.hello, err = c.try("connect", fields); err != nil {
		s.closed(c)
		return nil, n, err
	}
	return c, n, nil
}

var errEnding = errors.New("the traffic ends")

func (s *swarm) closed(c *client) {
	c.drop()
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

// mayLose reports whether a socket at the node may be lost.
func (s *swarm) mayLose(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leftAt[n] || s.ending
}

// reconnect opens a socket at a node that has not been given up, until it
// succeeds; nil when all ends.
func (s *swarm) reconnect(user string, i int, with map[string]any) (*client, *node) {
	for {
		c, n, err := s.connect(user, i, with)
		refused := refusal(err)
		switch {
		case err == nil:
			return c, n
		case errors.Is(err, errEnding):
			return nil, nil
		case refused != nil && !refused.Retryable, refused == nil && !s.mayLose(n):
			s.t.Errorf("%s cannot connect: %v", user, err)
			return nil, nil
		}
		select {
		case <-s.end:
			return nil, nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *swarm) publish(a *swarmAuthor, i int) {
	c, n := s.reconnect(a.name, i, nil)
	pace := time.NewTicker(swarmPace)
	defer pace.Stop()
	for c != nil {
		select {
		case <-s.halt:
			return
		case <-s.end:
			return
		case <-pace.C:
		}
		k := int(a.posts.Load())
		ok, err := c.try("publish", map[string]any{"text": fmt.Sprintf("%s/%d", a.name, k), "key": fmt.Sprint("k", k)})
		c.queued = nil
		refused := refusal(err)
		switch {
		case err == nil:
			a.mu.Lock()
			a.ids = append(a.ids, ok.Post.ID)
			a.mu.Unlock()
			a.posts.Add(1)
			s.acked.Add(1)
		case refused != nil:
			if !refused.Retryable {
				s.t.Errorf("%s's post %d was refused with %+v", a.name, k, refused)
				return
			}
			s.refused.Add(1)
		case !s.mayLose(n):
			s.t.Errorf("the socket of %s was lost: %v", a.name, err)
			return
		default:
			s.closed(c)
			c, n = s.reconnect(a.name, i, nil)
		}
	}
}

func (s *swarm) read(r *swarmReader, i int, c *client, n *node) {
	r.hello(c.hello, false)
	at := map[string]any{"stream": c.hello.Stream, "n": c.hello.N}
	for c != nil {
		var f frame
		var err error
		switch {
		case r.stale && r.fetch != nil:
			err = r.fetch(c)
			r.stale = err != nil
		case len(c.queued) > 0: // while it asked
			f, c.queued = c.queued[0], c.queued[1:]
		default:
			f, err = c.read()
		}
		if err != nil {
			s.closed(c)
			if s.mayLose(n) {
				if c, n = s.reconnect(r.name, i, map[string]any{"resume": at}); c == nil {
					return
				}
				r.hello(c.hello, true)
				if !c.hello.Resumed {
					at = map[string]any{"stream": c.hello.Stream, "n": c.hello.N}
				}
				continue
			}
			r.breaks("the socket was lost: %v", err)
			return
		}
		switch {
		case f.Reset != nil:
			at = map[string]any{"stream": f.Reset.Stream, "n": f.Reset.N}
			r.reset(f.Reset.Reason)
		case f.Event != nil:
			if last := at["n"].(uint64); f.N != last+1 {
				r.breaks("event %d after %d", f.N, last)
			}
			at["n"] = f.N
			r.take(f.Event)
		case f.Bye != nil && !s.mayLose(n):
			r.breaks("a bye from a node that stays: %+v", *f.Bye)
		}
		if f.Unread != nil {
			r.count(*f.Unread)
		}
	}
}

// hello takes in what a connection began with.
func (r *swarmReader) hello(h okay, again bool) {
	r.count(*h.Unread)
	switch {
	case again && h.Resumed:
		r.mu.Lock()
		r.resumed++
		r.mu.Unlock()
	case again:
		r.reset("reconnected")
	}
}

func (r *swarmReader) reset(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resets = append(r.resets, reason)
	for series := range r.next {
		r.gap[series] = true
	}
	r.stale = true
}

// number checks that what is in a series comes in order.
func (r *swarmReader) number(e *event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Type == "void" {
		return
	}
	series, number, _ := strings.Cut(e.Text, "/")
	k, err := strconv.Atoi(number)
	if by, _, _ := strings.Cut(series, ">"); err != nil || by != e.Author+e.From {
		r.broken = append(r.broken, fmt.Sprintf("%s %q by %s", e.Type, e.Text, e.Author+e.From))
		return
	}
	next, known := r.next[series]
	may := r.again[series]
	late := r.gap[series] || !known && len(r.resets) > 0
	if k < next && !(k >= may[0] && k < may[1]) || k > next && !late {
		r.broken = append(r.broken, fmt.Sprintf("%s %s when %d was due", e.Type, e.Text, next))
	}
	r.next[series], r.gap[series] = k+1, false
}

func (r *swarmReader) count(u unread) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unread = u
}

func (r *swarmReader) breaks(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, fmt.Sprintf(format, args...))
}

// has reports whether the reader has the last post of everybody.
func (r *swarmReader) has(authors []*swarmAuthor) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range authors {
		if r.next[a.name] < int(a.posts.Load()) {
			return false
		}
	}
	return true
}

// flows waits until a good deal more of each author has been acknowledged.
func (s *swarm) flows() {
	s.t.Helper()
	from := s.marks()
	var did []int64
	for _, f := range s.friends {
		did = append(did, f.done.Load())
	}
	eventually(s.t, "posts of everybody are acknowledged", func() bool {
		for i, a := range s.authors {
			if a.posts.Load() < int64(from[i]+10) {
				return false
			}
		}
		for i, f := range s.friends {
			if f.done.Load() < did[i]+4 {
				return false
			}
		}
		return true
	})
}

// marks is how many posts of each author have been acknowledged.
func (s *swarm) marks() (m []int) {
	for _, a := range s.authors {
		m = append(m, int(a.posts.Load()))
	}
	return m
}

// ledgers are the readers and the friends.
func (s *swarm) ledgers() []*swarmReader {
	all := slices.Clone(s.readers)
	for _, f := range s.friends {
		all = append(all, f.swarmReader)
	}
	return all
}

// reasons are all resets that readers and friends had, by reason.
func (s *swarm) reasons() map[string]int {
	all := map[string]int{}
	for _, r := range s.ledgers() {
		r.mu.Lock()
		for _, why := range r.resets {
			all[why]++
		}
		r.mu.Unlock()
	}
	return all
}

// forgive lets posts of the range from one mark to before another be lost, and
// come again: the database has forgotten them.
func (s *swarm) forgive(from, to []int) {
	for _, r := range s.readers {
		r.mu.Lock()
		r.again = map[string][2]int{}
		for i, a := range s.authors {
			r.again[a.name] = [2]int{from[i], to[i]}
		}
		r.mu.Unlock()
	}
	s.forgiveFriends()
}

// finish ends the authors and checks everything: who was told that a post is
// durable finds it, once; each reader was sent each post once, in order, but for
// what a reset has told of; counters are right. lost is the range of each
// author's posts that the database has forgotten, nil when there is none.
func (s *swarm) finish(lost [][2]int, nodes ...*child) {
	s.t.Helper()
	s.flows()
	close(s.halt)
	s.writing.Wait()
	eventually(s.t, "all readers have the last posts", func() bool {
		return !slices.ContainsFunc(s.readers, func(r *swarmReader) bool { return !r.has(s.authors) })
	})
	for i, r := range s.readers {
		n := &nodes[i%len(nodes)].node
		feed := n.wholeFeed(r.name)
		for i, a := range s.authors {
			for k, id := range a.ids {
				forgotten := lost != nil && k >= lost[i][0] && k < lost[i][1]
				if feed[id] != 1 && !forgotten {
					s.t.Errorf("%s's post %d was acknowledged and is there %d times for %s", a.name, k, feed[id], r.name)
				}
			}
		}
		if lost == nil && len(feed) != int(s.acked.Load()) {
			s.t.Errorf("%s's feed has %d posts, %d were acknowledged", r.name, len(feed), s.acked.Load())
		}
		want := len(feed)
		eventually(s.t, fmt.Sprintf("%s's counter is %d", r.name, want), func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.unread.Feed == want
		})
		if c, _, err := s.connect(r.name, i+1, nil); err != nil || c.hello.Unread.Feed != want {
			s.t.Errorf("%s has a counter of %d on another node, want %d (%v)", r.name, c.hello.Unread.Feed, want, err)
		}
	}
	s.finishFriends()
	for _, c := range nodes {
		c.sound()
	}
	s.stop()
	resumed := 0
	for _, r := range s.ledgers() {
		for _, what := range r.broken {
			s.t.Errorf("%s: %s", r.name, what)
		}
		resumed += r.resumed
	}
	s.t.Logf("%d posts acknowledged, %v; %d refused on the way, %d connections resumed, resets: %v",
		s.acked.Load(), &s.facts, s.refused.Load(), resumed, s.reasons())
}
