package crowd

import (
	"context"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/loadgen/client"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// Verdict is what a process's part of the ledger says.
type Verdict struct {
	Users    int
	Expected int64 // deliveries that there had to be
	Taken    int64 // that there were
	Whole    int64 // when everybody had everything, CLOCK_MONOTONIC; 0: that never was
	Faults   ledger.Faults
}

// grace is how old a post has to be at an unfollow to have come for sure.
const grace = 5 * time.Second

// Outcome is what became of this process's posts.
func (c *Crowd) Outcome() Outcome { return c.mail.outcome() }

// Seen gives the posts that came to somebody here the id that they came with, and
// leaves out the others.
func (c *Crowd) Seen(posts []ledger.Post) (seen []ledger.Post) {
	for _, p := range posts {
		if id, ok := c.run.Seen(p.Number); ok {
			p.ID = id
			seen = append(seen, p)
		}
	}
	return seen
}

// Verify compares all that came with all that was published. What is missing has
// until patience is over to come; then nothing may come for the time quiet, and what
// there is then is what counts.
func (c *Crowd) Verify(ctx context.Context, posts []ledger.Post, quiet, patience time.Duration) (*Verdict, error) {
	truth, err := ledger.NewTruth(posts)
	if err != nil {
		return nil, err
	}
	v := &Verdict{Users: len(c.clients)}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rest := append([]*client.Client(nil), c.clients...)
	c.until(wait, 100*time.Millisecond, func() (bool, error) { // when that is too long, Verify below finds out
		for len(rest) > 0 && rest[len(rest)-1].Whole(truth, grace) {
			rest = rest[:len(rest)-1]
		}
		return len(rest) == 0, nil
	})
	if len(rest) == 0 {
		v.Whole = max(c.run.Stats.LastArrival.Load(), 1)
	}
	// Whoever got all may still get more.
	c.until(wait, 20*time.Millisecond, func() (bool, error) {
		return meter.Now()-c.run.Stats.LastArrival.Load() > int64(quiet), nil
	})
	c.inquire(ctx)
	for _, cl := range c.clients {
		expected, taken := cl.Verify(truth, grace)
		v.Expected += int64(expected)
		v.Taken += int64(taken)
	}
	c.compare(posts)
	v.Faults = c.run.Faults()
	return v, nil
}

// inquire asks all clients' counters of the server.
func (c *Crowd) inquire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	const ahead = 500 // answers waited for at a time
	asked, answered := 0, 0
	c.until(ctx, time.Millisecond, func() (bool, error) { // who has no answer by then is told of by Verify
		for answered < asked && c.clients[answered].Answered() {
			answered++
		}
		for asked < len(c.clients) && asked < answered+ahead {
			c.clients[asked].Inquire()
			asked++
		}
		return answered == len(c.clients), nil
	})
}

// compare holds what came to what publish's ok said.
func (c *Crowd) compare(posts []ledger.Post) {
	ids := make(map[int]int64, len(posts))
	for _, p := range posts {
		ids[p.Number] = p.ID
	}
	c.run.EachSeen(func(number int, id int64) {
		if ids[number] != id {
			task, _ := c.plan.Post(number)
			c.run.Fault(ledger.Corrupted, task.Actor, fmt.Sprintf("post %d came with the id %d, publish's ok said %d", number, id, ids[number]))
		}
	})
}
