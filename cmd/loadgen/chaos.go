package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/feedgate/feedgate/loadgen/chaos"
	"github.com/feedgate/feedgate/loadgen/cluster"
	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/seed"
	"github.com/feedgate/feedgate/loadgen/trial"
)

// ownSecret signs the tokens for clusters that live for one run, on loopback.
const ownSecret = "loadgen: a secret for one run on loopback"

// Run is the command.
func (c *chaosCmd) Run(ctx context.Context, p *process) (err error) {
	faults, err := chaos.Parse(c.Fault)
	if err != nil {
		return &usageError{err}
	}
	s, err := scenario.Load(c.Scenario)
	if err != nil {
		return &usageError{err}
	}
	s.Duration = scenario.Duration(c.Duration)
	slots := chaos.Plan(faults, c.Every, c.Duration)
	if len(slots) == 0 {
		return &usageError{fmt.Errorf("with --every %v nothing happens in %v", c.Every, c.Duration)}
	}
	chaos.Prepare(s, slots)
	if err := s.Validate(); err != nil {
		return &usageError{err}
	}
	perProcess, err := fleet.PerProcess()
	if err != nil {
		return err
	}
	cl, err := cluster.New(cluster.Options{Gateway: c.Gateway, Secret: ownSecret, Redis: c.Nodes > 1, Env: c.Env})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	for range max(c.Nodes, 1) {
		if _, err := cl.Add(); err != nil {
			return err
		}
	}
	g := c.graph(c.Conns)
	if err := bring(ctx, p, seed.Options{Servers: cl.Servers(), Secret: ownSecret, Graph: g}, true); err != nil {
		return err
	}
	targets, metrics := cl.Targets()
	var disturbed error
	r, err := trial.Run(ctx, &trial.Options{
		Command: "loadgen " + strings.Join(p.Args, " "), Targets: targets, Metrics: metrics, Secret: ownSecret, Scenario: s, Conns: c.Conns,
		Graph: g, PerProcess: perProcess, Spawn: p.Spawn, Screen: newScreen(p.Stderr), Beside: cl.Beside,
		Disturb: func(stage *trial.Stage) { disturbed = chaos.Disturb(stage, cl, slots) },
	})
	if err = errors.Join(disturbed, err); err != nil {
		return err
	}
	return finish(p, r, c.Out, "chaos-"+r.Began.Format("20060102-150405"))
}
