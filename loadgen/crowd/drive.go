package crowd

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/loadgen/client"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/schedule"
)

// ReadAll has all clients mark everything as read, and waits until they have.
func (c *Crowd) ReadAll(ctx context.Context) error {
	const perSecond = 2_000 // marks are rows in the database
	i := 0
	err := c.until(ctx, 10*time.Millisecond, func() (bool, error) {
		for n := 0; n < perSecond/100 && i < len(c.clients) && c.clients[i].ReadAll(); n++ {
			i++
		}
		return i == len(c.clients), nil
	})
	if err != nil {
		return err
	}
	return c.until(ctx, 20*time.Millisecond, func() (bool, error) { return c.settled(), nil })
}

// Drive does the plan's tasks from a moment on, CLOCK_MONOTONIC, each at its time,
// and returns when the scenario's duration is over or ctx ends.
func (c *Crowd) Drive(ctx context.Context, start int64) error {
	c.run.Start(start)
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	wait := func(at int64) bool {
		d := time.Until(meter.At(at))
		if d <= 0 {
			return ctx.Err() == nil
		}
		t.Reset(d)
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	cursor := c.plan.Cursor()
	for {
		task, ok := cursor.Next()
		if !ok {
			break
		}
		if task.Actor != schedule.Everybody && c.own(task.Actor) == nil {
			continue
		}
		if !wait(c.run.Due(task.At)) {
			return ctx.Err()
		}
		c.do(task)
	}
	wait(c.run.Due(c.setup.Scenario.Duration.D()))
	return ctx.Err()
}

func (c *Crowd) do(t schedule.Task) {
	if t.Post >= 0 {
		if _, _, _, talks := c.plan.Talk(t.Actor); !t.Message() || talks {
			c.mail.post(t)
		}
		return
	}
	if t.Actor != schedule.Everybody {
		c.act(&t, c.own(t.Actor))
		return
	}
	for _, cl := range c.clients {
		if t.Picks(cl.User()) {
			c.act(&t, cl)
		}
	}
}

// send has its author publish what a task says.
func (c *Crowd) send(t *schedule.Task) {
	if t.Message() {
		c.own(t.Actor).Message(t.Post, c.run.Text(t))
		return
	}
	c.own(t.Actor).Publish(t.Post, c.run.Text(t))
}

// act has one client do something. Who cannot just now does not: the next will.
func (c *Crowd) act(t *schedule.Task, cl *client.Client) {
	undo := t.Step.For.D()
	switch t.Step.Do {
	case scenario.Read:
		cl.Read()
	case scenario.ReadTalk:
		cl.ReadTalk()
	case scenario.Feed:
		cl.Page()
	case scenario.Unfollow:
		if cl.Unfollow(t.Dice, meter.Now()) {
			c.undo(undo, cl.Follow)
		}
	case scenario.Background:
		if cl.Background(true) {
			c.undo(undo, func() bool { return cl.Background(false) || cl.Settled() })
		}
	case scenario.Drop:
		cl.Lose()
	case scenario.Pause:
		if cl.Slow(true) {
			c.undo(undo, func() bool { cl.Slow(false); return true })
		}
	}
}

// undo does something later, and until it works.
func (c *Crowd) undo(after time.Duration, do func() bool) {
	c.later.after(after, func() {
		if !do() {
			c.undo(200*time.Millisecond, do)
		}
	})
}

// settled: everybody is attached and wants nothing, and nothing is to be undone.
func (c *Crowd) settled() bool {
	if c.later.size() > 0 {
		return false
	}
	for _, cl := range c.clients {
		if !cl.Settled() {
			return false
		}
	}
	return true
}

// Settle waits until it is known what became of every post, and all clients are
// settled; at most for so long.
func (c *Crowd) Settle(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.until(ctx, 50*time.Millisecond, func() (bool, error) {
		_, open, _ := c.mail.counts()
		return open == 0 && c.settled(), nil
	})
}
