package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// traffic is authors that publish all the time, each post under a key and again
// and again until it is acknowledged, and a reader that follows them all. None
// of their sockets may be lost.
type traffic struct {
	t       *testing.T
	n       *node
	halt    chan struct{}
	running sync.WaitGroup
	acked   atomic.Int64
	refused atomic.Int64

	reader *client
	heard  chan heard // 1: what the reader got, when it has everything

	mu    sync.Mutex
	posts map[string]bool // acknowledged ids
}

// heard is what the reader's socket brought.
type heard struct {
	times  map[string]int // by post
	unread int
	err    error
}

func newTraffic(t *testing.T, n *node) *traffic {
	tr := &traffic{t: t, n: n, halt: make(chan struct{}), posts: map[string]bool{}, heard: make(chan heard, 1)}
	tr.reader = connect(t, n, "reader", nil)
	const authors = 6
	tr.reader.follow("probe")
	for a := range authors {
		tr.reader.follow(fmt.Sprint("author", a))
	}
	for a := range authors {
		c := connect(t, n, fmt.Sprint("author", a), nil)
		tr.running.Go(func() { tr.publish(c) })
	}
	go tr.listen() // ends with the reader's socket, at the latest with the test
	return tr
}

func (tr *traffic) publish(c *client) {
	for i := 0; ; i++ {
		for {
			select {
			case <-tr.halt:
				return
			default:
			}
			ok, err := c.try("publish", map[string]any{"text": fmt.Sprint("post ", i), "key": fmt.Sprint("k", i)})
			c.queued = nil
			if refused := refusal(err); refused != nil {
				if !refused.Retryable || refused.Code != "unavailable" && refused.Code != "overloaded" {
					tr.t.Errorf("refused with %+v", refused)
				}
				tr.refused.Add(1)
				continue
			}
			if err != nil {
				tr.t.Errorf("an author's socket was lost: %v", err)
				return
			}
			tr.acked.Add(1)
			tr.mu.Lock()
			tr.posts[ok.Post.ID] = true
			tr.mu.Unlock()
			break
		}
	}
}

// listen reads what the reader is sent until a post of its own comes, which
// finish publishes when all is over.
func (tr *traffic) listen() {
	h := heard{times: map[string]int{}}
	last := tr.reader.hello.N
	for {
		f, err := tr.reader.read()
		switch {
		case err != nil:
			h.err = err
		case f.Reset != nil:
			h.err = fmt.Errorf("reset: %+v", *f.Reset)
		case f.Event != nil && f.N != last+1:
			h.err = fmt.Errorf("event %d after %d", f.N, last)
		case f.Event != nil:
			last = f.N
			h.times[f.Event.ID]++
		}
		if f.Unread != nil {
			h.unread = f.Unread.Feed
		}
		if h.err != nil || f.Event != nil && f.Event.Author == "reader" {
			tr.heard <- h
			return
		}
	}
}

// flows waits until a good deal more has been acknowledged.
func (tr *traffic) flows() {
	tr.t.Helper()
	from := tr.acked.Load()
	eventually(tr.t, "posts are acknowledged", func() bool { return tr.acked.Load() >= from+50 })
}

// stops waits until posts are refused: to one more author, since those that are
// there may all be waiting to hear what became of a commit.
func (tr *traffic) stops() {
	tr.t.Helper()
	from := tr.refused.Load()
	probe := token(tr.t, "probe", false)
	eventually(tr.t, "posts are refused", func() bool {
		a := tr.n.http("POST", "/v1/posts", probe, map[string]any{"text": "a probe"})
		switch a.status {
		case 201:
			tr.mu.Lock()
			tr.posts[a.body["post"].(map[string]any)["id"].(string)] = true
			tr.mu.Unlock()
		case 503:
			tr.refused.Add(1)
		default:
			tr.t.Errorf("a probe: %d %v", a.status, a.body)
		}
		return tr.refused.Load() >= from+5
	})
}

// finish ends the authors and checks everything: who was told that a post is
// durable finds it, once; the reader was sent each post once, in order; the
// counter is right, and so are the facts after a restart, which check makes.
func (tr *traffic) finish(restart func() *node) {
	tr.t.Helper()
	tr.flows()
	close(tr.halt)
	tr.running.Wait()
	connect(tr.t, tr.n, "reader", nil).publish("the end")
	h := <-tr.heard
	if h.err != nil {
		tr.t.Fatalf("the reader: %v", h.err)
	}
	tr.n.sound()
	for _, n := range []*node{tr.n, nil} {
		if n == nil {
			n = restart()
		}
		feed := n.wholeFeed("reader")
		for id := range tr.posts {
			if feed[id] != 1 || h.times[id] != 1 {
				tr.t.Errorf("post %s was acknowledged, is there %d times and was delivered %d times", id, feed[id], h.times[id])
			}
		}
		for id, times := range feed {
			if times != 1 || h.times[id] != 1 {
				tr.t.Errorf("post %s is there %d times and was delivered %d times", id, times, h.times[id])
			}
		}
		if len(h.times) != len(feed) {
			tr.t.Errorf("%d posts delivered, %d there", len(h.times), len(feed))
		}
		want := min(len(feed)-1, 9999) // the last is the reader's own
		if got := connect(tr.t, n, "reader", nil).hello.Unread.Feed; got != want || h.unread != want {
			tr.t.Errorf("%d unread, %d at the end of the stream; want %d", got, h.unread, want)
		}
	}
	tr.t.Logf("%d acknowledged, %d refused", tr.acked.Load(), tr.refused.Load())
}
