package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// kill -9 in the middle of many publishes: whatever was acknowledged is there,
// once; what was not can be sent again under its key, and then everything is
// there once and the counters agree.
func TestKill(t *testing.T) {
	t.Parallel()
	const (
		authors = 8
		each    = 1250 // 10,000 in all
	)
	onEach(t, func(t *testing.T, e env) {
		e = e.with(env{"FEEDGATE_USER_RATE": "1000000", "FEEDGATE_USER_BURST": "1000000", "FEEDGATE_LOG_LEVEL": "info"})
		c := spawn(t, e)
		name := func(a int) string { return fmt.Sprint("author", a) }
		// Counters stop at 9,999: each reader follows half of the authors.
		for a := range authors {
			connect(t, &c.node, fmt.Sprint("reader", a%2), nil).follow(name(a))
		}

		posts := make([][each]string, authors) // ids, by author and number; "" is not acknowledged
		acked := new(atomic.Int64)
		var wg sync.WaitGroup
		var killed sync.Once
		for a := range authors {
			wg.Go(func() {
				publishAll(t, connect(t, &c.node, name(a), nil), posts[a][:], acked, func() { killed.Do(func() { c.signal(syscall.SIGKILL) }) })
			})
		}
		wg.Wait()
		if err := c.wait(); err == nil {
			t.Fatal("the node was not killed")
		}
		before := acked.Load()
		if before < authors*each/2 || before == authors*each {
			t.Fatalf("%d acknowledged: not in the middle", before)
		}

		again := spawn(t, e)
		for a := range authors {
			feed := again.node.wholeFeed(name(a))
			for i, id := range posts[a] {
				if id != "" && feed[id] != 1 {
					t.Errorf("%s's post %d was acknowledged and is there %d times", name(a), i, feed[id])
				}
			}
		}

		// Those without an answer are sent again, under the same keys.
		for a := range authors {
			wg.Go(func() { publishAll(t, connect(t, &again.node, name(a), nil), posts[a][:], acked, func() {}) })
		}
		wg.Wait()
		for a := range authors {
			feed := again.node.wholeFeed(name(a))
			if len(feed) != each {
				t.Errorf("%s has %d posts, want %d", name(a), len(feed), each)
			}
			for i, id := range posts[a] {
				if feed[id] != 1 {
					t.Errorf("%s's post %d is there %d times", name(a), i, feed[id])
				}
			}
		}
		for r := range 2 {
			if got := connect(t, &again.node, fmt.Sprint("reader", r), nil).hello.Unread.Feed; got != authors*each/2 {
				t.Errorf("reader%d has %d unread, want %d", r, got, authors*each/2)
			}
		}
		again.sound()
		t.Logf("%d of %d were acknowledged before the kill", before, authors*each)
		again.hangUpAndStop()
	})
}

// publishAll publishes what has no id yet, a few dozen at a time, until all
// have one or the connection is lost. It calls half when half of all authors'
// posts have been acknowledged.
func publishAll(t *testing.T, c *client, ids []string, acked *atomic.Int64, half func()) {
	const window = 50
	total := int64(8 * len(ids))
	open := map[int]int{} // request to post
	next := 0
	for {
		for len(open) < window && next < len(ids) {
			if ids[next] == "" {
				id, err := c.write("publish", map[string]any{"text": fmt.Sprint("post ", next), "key": fmt.Sprint("k", next)})
				if err != nil {
					return
				}
				open[id] = next
			}
			next++
		}
		if len(open) == 0 {
			return
		}
		f, err := c.read()
		if err != nil {
			return
		}
		i, ours := open[f.Re]
		if f.Re == 0 || !ours {
			continue
		}
		delete(open, f.Re)
		if f.Error != nil {
			t.Errorf("publish: %v", f.Error)
			continue
		}
		ids[i] = f.okay(t).Post.ID
		if acked.Add(1) == total*6/10 {
			half()
		}
	}
}
