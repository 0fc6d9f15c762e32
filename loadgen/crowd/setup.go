package crowd

import (
	"fmt"

	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/scenario"
)

// Setup is what a process has to know to play its part.
type Setup struct {
	Run      uint32 // the run's number, in every post's text
	Seed     uint64 // of the schedule
	Graph    graph.Graph
	Scenario scenario.Scenario
	Conns    int // of all processes: users 0 … Conns-1 are connected
	From, To int // this process's share of them
	Targets  []string
	Secret   string // to sign the clients' tokens with
	Source   int    // loopback addresses to pass over: other processes'
}

func (s *Setup) validate() error {
	if err := s.Graph.Validate(); err != nil {
		return err
	}
	if err := s.Scenario.Validate(); err != nil {
		return err
	}
	if s.From < 0 || s.To <= s.From || s.To > s.Conns || s.Conns > s.Graph.Users {
		return fmt.Errorf("crowd: users %d to %d of %d connections and %d users", s.From, s.To, s.Conns, s.Graph.Users)
	}
	return nil
}

func parseTargets(raw []string) ([]*lean.Target, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("crowd: no target")
	}
	var targets []*lean.Target
	for _, r := range raw {
		t, err := lean.ParseTarget(r)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}
