package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/report"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/seed"
	"github.com/feedgate/feedgate/loadgen/trial"
)

// graph is the world's, for so many connections.
func (w *world) graph(conns int) graph.Graph {
	users := w.Users
	if users == 0 {
		users = conns
	}
	return graph.Graph{Seed: w.Seed, Users: users, Following: w.Following}
}

func (s *server) secret(p *process) (string, error) {
	if s.Secret != "" {
		return s.Secret, nil
	}
	if v := p.Getenv("FEEDGATE_JWT_SECRET"); v != "" {
		return v, nil
	}
	return "", &usageError{errors.New("set FEEDGATE_JWT_SECRET to the server's secret")}
}

// http is the servers' addresses for requests.
func (s *server) http() (servers []string) {
	for _, t := range s.Target {
		rest := strings.TrimPrefix(t, "ws://")
		host, _, _ := strings.Cut(rest, "/")
		servers = append(servers, "http://"+host)
	}
	return servers
}

// scenario is the one that is asked for, with what else was.
func (c *runCmd) scenario() (*scenario.Scenario, error) {
	s, err := scenario.Load(c.Scenario)
	if err != nil {
		return nil, &usageError{err}
	}
	if c.Duration > 0 {
		s.Duration = scenario.Duration(c.Duration)
	}
	if c.Ramp > 0 {
		s.Ramp = c.Ramp
	}
	for i := range s.Steps {
		if c.Rate > 0 && s.Steps[i].Do == scenario.Post && s.Steps[i].Rate > 0 {
			s.Steps[i].Rate = c.Rate
			break
		}
	}
	if err := s.Validate(); err != nil {
		return nil, &usageError{err}
	}
	return s, nil
}

// Run is the command.
func (c *runCmd) Run(ctx context.Context, p *process) error {
	s, err := c.scenario()
	if err != nil {
		return err
	}
	secret, err := c.secret(p)
	if err != nil {
		return err
	}
	perProcess, err := fleet.PerProcess()
	if err != nil {
		return err
	}
	g := c.graph(c.Conns)
	if c.Graph != "never" {
		if err := bring(ctx, p, seed.Options{Servers: c.http(), Secret: secret, Graph: g}, c.Graph == "always"); err != nil {
			return err
		}
	}
	r, err := trial.Run(ctx, &trial.Options{
		Command: "loadgen " + strings.Join(p.Args, " "), Targets: c.Target, Metrics: c.Metrics, Secret: secret, Scenario: s, Conns: c.Conns,
		Graph: g, PerProcess: perProcess, Spawn: p.Spawn, Screen: newScreen(p.Stderr),
	})
	if err != nil {
		return err
	}
	return finish(p, r, c.Out, c.Name)
}

// finish writes a report and prints it.
func finish(p *process, r *report.Report, dir, name string) error {
	if name == "" {
		name = fmt.Sprintf("%s-%s", r.Scenario, r.Began.Format("20060102-150405"))
	}
	path, err := r.Write(dir, name)
	if err != nil {
		return err
	}
	if err := report.Compare(p.Stdout, []*report.Report{r}); err != nil {
		return err
	}
	for _, f := range r.Ledger.Samples {
		fmt.Fprintf(p.Stdout, "  %s: %s: %s\n", f.Kind, f.User, f.What)
	}
	fmt.Fprintf(p.Stdout, "written to %s and %s\n", path, strings.TrimSuffix(path, filepath.Ext(path))+".html")
	if !r.Verdict.OK() {
		return errNotOK
	}
	return nil
}

// Run is the command.
func (c *seedCmd) Run(ctx context.Context, p *process) error {
	secret, err := c.secret(p)
	if err != nil {
		return err
	}
	if c.Users == 0 {
		return &usageError{errors.New("how many --users?")}
	}
	return bring(ctx, p, seed.Options{Servers: c.http(), Secret: secret, Graph: c.graph(0), Workers: c.Workers}, true)
}

// bring brings the graph to the server, if it has to.
func bring(ctx context.Context, p *process, o seed.Options, always bool) error {
	began := time.Now()
	meter := newSeedScreen(p.Stderr, o.Graph.Users)
	o.Done = meter.done
	s, err := seed.New(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if !always {
		there, err := s.There(ctx)
		if err != nil {
			return err
		}
		if there {
			return nil
		}
	}
	edges, err := s.Run(ctx)
	meter.end()
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(p.Stderr, "seeded %d users with %d follows in %.1f s (%.0f follows/s)\n", o.Graph.Users, edges, took.Seconds(), float64(edges)/took.Seconds())
	return nil
}

// Run is the command.
func (c *reportCmd) Run(p *process) error {
	var runs []*report.Report
	for _, f := range c.Files {
		r, err := report.Read(f)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	return report.Compare(p.Stdout, runs)
}
