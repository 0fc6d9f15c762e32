package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/feedgate/feedgate/loadgen/fleet"
)

// process is what a command has from the outside world.
type process struct {
	Args   []string
	Getenv func(string) string
	Stdout io.Writer
	Stderr io.Writer
	Spawn  fleet.Spawn
}

// Exit codes.
const (
	exitNotOK = 1 // a run was not whole, or not valid
	exitUsage = 2
	exitNoRun = 3
)

// errNotOK: there was a run, and what is wrong with it has been printed.
var errNotOK = errors.New("not whole, or not valid")

// usageError is a mistake in the arguments.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNotOK):
		return exitNotOK
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitNoRun
}

// cli is the command line.
type cli struct {
	Run    runCmd    `cmd:"" help:"Run a scenario against a server, and check that everybody got exactly what they should."`
	Seed   seedCmd   `cmd:"" help:"Bring the follow graph to a server."`
	Report reportCmd `cmd:"" help:"Print runs beside each other, from their JSON files."`

	Chaos    chaosCmd    `cmd:"" help:"Run a scenario against a cluster that is started for it, and have faults happen."`
	Loadtest loadtestCmd `cmd:"" help:"Start all that is needed, and run steady, celebrity and storm with many connections."`
	Selftest selftestCmd `cmd:"" help:"Face a server that lies, once for each lie, and find every one of them. --self-test is the same."`
}

// world is who there are, the same for run and seed.
type world struct {
	Seed      uint64 `default:"1" help:"The follow graph and the schedule are functions of this number."`
	Users     int    `default:"0" help:"Users in the graph; as many as --conns without it."`
	Following int    `default:"50" help:"How many each follows, on average."`
}

// server is where it is.
type server struct {
	Target  []string `name:"target" aliases:"targets" sep:"," default:"ws://127.0.0.1:8080" help:"Where clients connect to; several nodes with commas."`
	Metrics []string `sep:"," placeholder:"URL" help:"The nodes' metrics, http://127.0.0.1:8081/metrics: adds memory and CPU of the server to the report."`
	Secret  string   `placeholder:"SECRET" help:"HS256 secret that tokens are signed with. A flag shows in the process list: prefer the variable FEEDGATE_JWT_SECRET."`
}

type runCmd struct {
	world
	server
	Scenario string        `default:"steady" help:"Its name, or the path of a .json file."`
	Conns    int           `default:"1000" help:"Connections."`
	Duration time.Duration `placeholder:"60s" help:"Instead of the scenario's."`
	Ramp     float64       `placeholder:"N" help:"Connects per second, instead of the scenario's."`
	Rate     float64       `placeholder:"N" help:"Posts per second, instead of those of the scenario's first step with a rate of posts."`
	Graph    string        `enum:"auto,always,never" default:"auto" help:"Bring the graph to the server first? auto: if it is not there."`
	Out      string        `default:"reports" help:"Directory for the report."`
	Name     string        `placeholder:"NAME" help:"Of the report's files; the scenario and the time without it."`
}

type chaosCmd struct {
	world
	gateway
	Scenario string        `default:"steady" help:"Its name, or the path of a .json file."`
	Conns    int           `default:"1000" help:"Connections."`
	Duration time.Duration `default:"75s" help:"Of the scenario's steps."`
	Fault    []string      `sep:"," default:"node-kill,redis-restart,postgres-restart,slow-clients,add-node,drain" help:"What happens, in turn."`
	Every    time.Duration `default:"10s" help:"How often something happens."`
	Nodes    int           `default:"3" help:"Nodes to begin with. With 1 there is no Redis."`
	Out      string        `default:"reports" help:"Directory for the report."`
}

type loadtestCmd struct {
	world
	gateway
	Conns     int      `default:"100000" help:"Connections."`
	Scenarios []string `sep:"," default:"steady,celebrity,storm" help:"What is run, in this order."`
	Workers   int      `default:"0" help:"Processes of the node; without it as many as hold the connections with one of them down."`
	Out       string   `default:"reports" help:"Directory for the reports."`
	Force     bool     `help:"Begin also where the machine has not what is needed."`
}

type selftestCmd struct {
	AtATime int `default:"6" help:"Lies faced at a time."`
}

// gateway is the binary of the nodes that are started here.
type gateway struct {
	Gateway string   `default:"bin/gateway" help:"Path of the gateway's binary."`
	Env     []string `name:"gateway-env" sep:"none" placeholder:"NAME=VALUE" help:"Setting of the nodes; may be repeated."`
}

type seedCmd struct {
	world
	server
	Workers int `default:"64" help:"Requests at a time."`
}

type reportCmd struct {
	Files []string `arg:"" help:"JSON files of runs."`
}

// run is the program: it parses, and runs the command until it is done.
func run(ctx context.Context, p process) error {
	var c cli
	printed := false
	parser, err := kong.New(&c,
		kong.Name("loadgen"),
		kong.Description("Drives a feedgate server with many clients, and proves that every one of them got exactly what it should."),
		kong.UsageOnError(),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(int) { printed = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&p),
	)
	if err != nil {
		return err
	}
	args := p.Args
	if slices.Contains(args, "--self-test") {
		args = []string{"selftest"}
	}
	parsed, err := parser.Parse(args)
	if printed {
		return nil
	}
	if err != nil {
		return &usageError{err}
	}
	return parsed.Run()
}
