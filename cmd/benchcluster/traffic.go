//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/loadgen/meter"
)

// author posts through one node.
type author struct {
	name      string
	at        *node
	followers int
}

// traffic is posts in an open loop: each has its moment, whatever became of
// those before.
type traffic struct {
	posted  atomic.Int64
	refused atomic.Int64
	due     atomic.Int64 // deliveries that the posts mean

	mu    sync.Mutex
	first error
}

// post has the authors post in turn, rate times a second, for so long, and waits
// for all answers. A post's text begins with its moment, in nanoseconds of meter.Now,
// and is 200 bytes long.
func (t *traffic) post(ctx context.Context, authors []author, rate float64, during time.Duration) {
	began := meter.Now()
	pause := time.Duration(float64(time.Second) / rate)
	var under sync.WaitGroup
	for i := range int(during / pause) {
		moment := began + int64(i)*int64(pause)
		timer := time.NewTimer(time.Until(meter.At(moment)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			under.Wait()
			return
		}
		a := authors[i%len(authors)]
		under.Go(func() { // bounded by the HTTP client's timeout
			text := fmt.Sprint(moment, " ")
			text += strings.Repeat("x", 200-len(text))
			if err := a.at.call(ctx, "POST", "/v1/posts", a.name, map[string]string{"text": text}); err != nil {
				t.refused.Add(1)
				t.mu.Lock()
				if t.first == nil {
					t.first = err
				}
				t.mu.Unlock()
				return
			}
			t.posted.Add(1)
			t.due.Add(int64(a.followers))
		})
	}
	under.Wait()
}

// follow has users follow authors, over one node.
func follow(ctx context.Context, n *node, users []string, whom []string) error {
	const atOnce = 16
	errs := make(chan error, len(users)) // one for each user at most
	slots := make(chan struct{}, atOnce)
	var under sync.WaitGroup
	for _, u := range users {
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			if err := n.call(ctx, "POST", "/v1/following", u, map[string]any{"users": whom}); err != nil {
				errs <- err
			}
		})
	}
	under.Wait()
	select {
	case err := <-errs:
		return fmt.Errorf("follow: %w", err)
	default:
		return nil
	}
}
