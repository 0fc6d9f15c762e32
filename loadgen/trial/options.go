package trial

import (
	"errors"
	"fmt"

	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/scenario"
)

// Options are a run's.
type Options struct {
	Command    string // as it was typed, for the report
	Targets    []string
	Metrics    []string // http://host:port/metrics of the nodes; none: the report has no server
	Secret     string
	Scenario   *scenario.Scenario
	Conns      int
	Graph      graph.Graph
	PerProcess int // connections that a process may hold
	Spawn      fleet.Spawn
	Screen     Screen
	Beside     func() map[string]int64 // resident bytes of what else belongs to the server; may be nil
	Disturb    func(*Stage)            // is called, in a goroutine of its own, when the steps begin; may be nil
}

// Screen shows how it goes.
type Screen interface {
	// Phase: something else begins.
	Phase(name string)
	// Show shows where it stands, twice a second.
	Show(s *Standing)
}

func (o *Options) validate() error {
	if len(o.Targets) == 0 {
		return errors.New("trial: no target")
	}
	for _, t := range o.Targets {
		if _, err := lean.ParseTarget(t); err != nil {
			return err
		}
	}
	switch {
	case o.Secret == "":
		return errors.New("trial: no secret to sign tokens with")
	case o.Conns < 1 || o.Conns > o.Graph.Users:
		return fmt.Errorf("trial: %d connections of %d users", o.Conns, o.Graph.Users)
	case o.PerProcess < 1:
		return errors.New("trial: a process may hold no connection")
	}
	if err := o.Graph.Validate(); err != nil {
		return err
	}
	return o.Scenario.Validate()
}
