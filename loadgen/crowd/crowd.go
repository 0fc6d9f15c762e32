package crowd

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/client"
	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/schedule"
	"github.com/feedgate/feedgate/loadgen/token"
)

// Crowd is the clients of one process. Its orders (Connect, Drive …) are for one
// goroutine; Progress and Targets are for any.
type Crowd struct {
	// Set at construction.
	setup   Setup
	plan    *schedule.Plan
	run     *client.Run
	pool    *lean.Pool
	clients []*client.Client // by user, from setup.From
	dials   *agenda
	later   *agenda
	mail    *mail
	lag     meter.Lag
	bare    int64 // resident bytes before there were clients
	targets atomic.Pointer[[]*lean.Target]

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// opening is how many handshakes a process has under way at a time.
const opening = 256

// New makes the clients, which are offline, and starts what serves them.
func New(s Setup) (*Crowd, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	c := &Crowd{setup: s, dials: newAgenda(), later: newAgenda(), bare: meter.ReadSelf().RSS}
	if err := c.SetTargets(s.Targets); err != nil {
		return nil, err
	}
	var err error
	c.pool, err = lean.NewPool(lean.Options{Opening: opening, Timeout: 30 * time.Second, FirstSource: s.Source})
	if err != nil {
		return nil, err
	}
	c.plan = schedule.New(&c.setup.Scenario, s.Seed, s.Conns)
	c.run = &client.Run{ID: s.Run, Graph: s.Graph, Plan: c.plan, Host: c, Feed: s.Scenario.Feed, Began: time.Now()}
	c.mail = newMail(c)
	for u := s.From; u < s.To; u++ {
		c.clients = append(c.clients, client.New(c.run, uint32(u)))
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.wg.Go(func() { c.dials.run(ctx) })
	c.wg.Go(func() { c.later.run(ctx) })
	c.wg.Go(func() { c.lag.Run(ctx) })
	c.wg.Go(func() { c.janitor(ctx) })
	return c, nil
}

// Close drops all connections and waits until nothing moves any more.
func (c *Crowd) Close() {
	c.run.End()
	c.stop()
	c.pool.Close() // a Dial under way ends with it, or is done
	c.wg.Wait()
}

// SetTargets says where clients connect to from now on.
func (c *Crowd) SetTargets(raw []string) error {
	t, err := parseTargets(raw)
	if err == nil {
		c.targets.Store(&t)
	}
	return err
}

// own is the client of a user, nil when another process has it.
func (c *Crowd) own(user uint32) *client.Client {
	if i := int(user) - c.setup.From; i >= 0 && i < len(c.clients) {
		return c.clients[i]
	}
	return nil
}

// Connect connects all, so many per second, and waits until all are attached, ctx
// ends, or nothing has moved for a minute.
func (c *Crowd) Connect(ctx context.Context, rate float64) error {
	began := meter.Now()
	for i, cl := range c.clients {
		c.dials.add(began+int64(float64(i)/rate*float64(time.Second)), func() { c.dial(cl) })
	}
	const stuck = time.Minute
	last, since := int64(-1), time.Now()
	return c.until(ctx, 20*time.Millisecond, func() (bool, error) {
		n := c.run.Stats.Whole.Load()
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > stuck+time.Duration(float64(len(c.clients))/rate*float64(time.Second)) {
			return false, fmt.Errorf("crowd: %d of %d are attached, and for a minute no other was: %v", n, len(c.clients), c.run.Codes())
		}
		return n == int64(len(c.clients)), nil
	})
}

// until asks again and again whether it is so.
func (c *Crowd) until(ctx context.Context, every time.Duration, so func() (bool, error)) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// dial opens a client's connection. The dialer's goroutine waits here when too many
// handshakes are under way.
func (c *Crowd) dial(cl *client.Client) {
	fails, ok := cl.Dialing()
	if !ok {
		return
	}
	targets := *c.targets.Load()
	to := targets[(int(cl.User())+fails)%len(targets)]
	t, err := token.Mint(c.setup.Secret, c.setup.Graph.Name(cl.User()), false)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err = c.pool.Dial(ctx, to, t, cl)
		cancel()
	}
	if err != nil {
		cl.Failed(err)
	}
}

// Published, Attached and Lost make Crowd a client.Host.
func (c *Crowd) Published(number int, id int64, err *wire.Error) { c.mail.answered(number, id, err) }

// Attached sends what waits for the user's session.
func (c *Crowd) Attached(user uint32) { c.mail.attached(user) }

// Lost has the client come back.
func (c *Crowd) Lost(cl *client.Client, after time.Duration) {
	if after >= 0 {
		c.dials.after(after, func() { c.dial(cl) })
	}
}

// janitor looks after what takes too long.
func (c *Crowd) janitor(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		for _, cl := range c.clients {
			cl.Look()
		}
		c.mail.overdue()
	}
}
