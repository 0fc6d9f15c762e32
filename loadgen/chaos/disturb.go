package chaos

import (
	"fmt"
	"time"

	"github.com/feedgate/feedgate/loadgen/cluster"
)

// Stage is the run that is disturbed: *trial.Stage is one.
type Stage interface {
	Over() <-chan struct{}
	Mark(what string)
	Nodes(targets, metrics []string)
}

// downFor is how long what was stopped stays down.
const downFor = 2 * time.Second

// Disturb has the faults happen, each at its time, and everything that was stopped
// come back. It returns the first thing that did not.
func Disturb(stage Stage, c *cluster.Cluster, slots []Slot) error {
	began := time.Now()
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for i, slot := range slots {
		t.Reset(time.Until(began.Add(slot.At)))
		select {
		case <-t.C:
		case <-stage.Over():
			return nil
		}
		if err := do(stage, c, slot.Fault, i); err != nil {
			return fmt.Errorf("chaos: %s: %w", slot.Fault, err)
		}
	}
	return nil
}

func do(stage Stage, c *cluster.Cluster, f Fault, turn int) error {
	nodes := c.Nodes()
	switch f {
	case NodeKill, Drain:
		n := nodes[turn%len(nodes)]
		stage.Mark(fmt.Sprintf("%s %s", f, n.ID))
		stop := n.Kill
		if f == Drain {
			stop = n.Drain
		}
		return bounce(stop, func() error { return n.Start() })
	case AddNode:
		n, err := c.Add()
		if err != nil {
			return err
		}
		stage.Mark(fmt.Sprintf("%s %s", f, n.ID))
		stage.Nodes(c.Targets())
	case RedisRestart:
		if c.Redis == nil {
			return fmt.Errorf("there is no Redis with one node")
		}
		stage.Mark(string(f))
		return bounce(c.Redis.Kill, c.Redis.Start)
	case PostgresRestart:
		stage.Mark(string(f))
		return bounce(c.Postgres.Stop, c.Postgres.Start)
	case SlowClients: // a step of the scenario
	}
	return nil
}

// bounce stops something, and starts it again after a while.
func bounce(stop, start func() error) error {
	if err := stop(); err != nil {
		return err
	}
	t := time.NewTimer(downFor)
	defer t.Stop()
	<-t.C
	return start()
}
