package trial

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/liar"
	"github.com/feedgate/feedgate/loadgen/report"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/seed"
)

// selfTest is what is run against the liar: everything that a client does.
const selfTest = `{"name":"self-test","duration":"2500ms","quiet":"300ms","patience":"4s","ramp":500,"read_all":true,"talk":3,"steps":[
	{"do":"post","rate":80,"size":80},
	{"do":"message","rate":60,"size":80},
	{"do":"read_talk","rate":30},
	{"do":"read","rate":20},
	{"do":"feed","rate":5},
	{"do":"unfollow","rate":10,"for":"500ms"},
	{"do":"background","rate":5,"for":"200ms"},
	{"do":"drop","at":["1500ms"],"share":1}]}`

// Caught is what came of one lie.
type Caught struct {
	Lie    liar.Lie
	Told   bool // it came to it
	OK     bool // it was found; or nothing was, where there was no lie
	Report *report.Report
}

// SelfTest has the load generator face a server that lies, once for each lie, some
// at a time. done is called for each.
func SelfTest(ctx context.Context, atATime int, done func(Caught)) (ok bool, err error) {
	lies := liar.Kinds()
	results := make([]Caught, len(lies))
	errs := make([]error, len(lies))
	places := make(chan struct{}, atATime)
	var wg sync.WaitGroup
	for i, l := range lies {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			c := &results[i]
			c.Lie = l.Lie
			if c.Report, c.Told, errs[i] = face(ctx, l.Lie); errs[i] != nil {
				return
			}
			if l.Lie == liar.None {
				c.OK = c.Report.Verdict.Whole
				return
			}
			for k := range c.Report.Ledger.Faults {
				c.OK = c.OK || slices.Contains(l.Kinds, k)
			}
			c.OK = c.OK && c.Told && !c.Report.Verdict.Whole
		})
	}
	wg.Wait()
	ok = true
	for i, c := range results {
		if errs[i] != nil {
			return false, fmt.Errorf("the lie %q: %w", lies[i].Lie, errs[i])
		}
		done(c)
		ok = ok && c.OK
	}
	return ok, nil
}

// face does one small run, in this process, against a server with one lie.
func face(ctx context.Context, lie liar.Lie) (r *report.Report, told bool, err error) {
	const secret = "the liar's secret, of more than 32 bytes"
	server, err := liar.New(lie, secret)
	if err != nil {
		return nil, false, err
	}
	defer server.Close()
	s, err := scenario.Parse([]byte(selfTest))
	if err != nil {
		return nil, false, err
	}
	g := graph.Graph{Seed: 5, Users: 24, Following: 8}
	seeder, err := seed.New(seed.Options{Servers: []string{"http://" + server.Addr()}, Secret: secret, Graph: g, Workers: 4})
	if err != nil {
		return nil, false, err
	}
	defer seeder.Close()
	if _, err := seeder.Run(ctx); err != nil {
		return nil, false, err
	}
	r, err = Run(ctx, &Options{
		Command: "self-test", Targets: []string{"ws://" + server.Addr()}, Secret: secret, Scenario: s, Conns: g.Users, Graph: g,
		PerProcess: g.Users/2 + 1, Spawn: InProcess, Screen: Dark{},
	})
	return r, server.Told(), err
}

// InProcess is a fleet.Spawn that starts no process, only what would run in it.
func InProcess(int) (*fleet.Process, error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	served := make(chan error, 1)
	go func() { // Wait waits for it
		err := fleet.Serve(inR, outW)
		outW.Close()
		served <- err
	}()
	return &fleet.Process{In: inW, Out: outR, Wait: func() error { return <-served }}, nil
}

// Dark is a Screen that shows nothing.
type Dark struct{}

// Phase makes Dark a Screen.
func (Dark) Phase(string) {}

// Show makes Dark a Screen.
func (Dark) Show(*Standing) {}
