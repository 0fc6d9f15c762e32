package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/feedgate/feedgate/loadgen/cluster"
	"github.com/feedgate/feedgate/loadgen/fleet"
	"github.com/feedgate/feedgate/loadgen/report"
	"github.com/feedgate/feedgate/loadgen/scenario"
	"github.com/feedgate/feedgate/loadgen/seed"
	"github.com/feedgate/feedgate/loadgen/trial"
)

// Run is the command.
func (c *loadtestCmd) Run(ctx context.Context, p *process) (err error) {
	perProcess, err := fleet.PerProcess()
	if err != nil {
		return err
	}
	if c.Workers == 0 {
		c.Workers = workersFor(c.Conns, perProcess)
	}
	var scenarios []*scenario.Scenario
	for _, name := range c.Scenarios {
		s, err := scenario.Load(name)
		if err != nil {
			return &usageError{err}
		}
		scenarios = append(scenarios, s)
	}
	n := needs(c.Conns, c.Workers, perProcess)
	if has := n.say(p.Stderr); !has && !c.Force {
		return errors.New("the machine has not what is needed; --force begins nevertheless, CONNS=… takes fewer connections")
	}
	cl, err := cluster.New(cluster.Options{Gateway: c.Gateway, Secret: ownSecret, Redis: c.Workers > 1, Workers: c.Workers, Env: c.Env})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	if _, err := cl.Add(); err != nil {
		return err
	}
	g := c.graph(c.Conns)
	if err := bring(ctx, p, seed.Options{Servers: cl.Servers(), Secret: ownSecret, Graph: g}, true); err != nil {
		return err
	}
	targets, metrics := cl.Targets()
	var runs []*report.Report
	ok := true
	for _, s := range scenarios {
		if ctx.Err() != nil {
			break
		}
		fmt.Fprintf(p.Stderr, "\n%s: %s\n", s.Name, s.About)
		r, err := trial.Run(ctx, &trial.Options{
			Command: "loadgen " + strings.Join(p.Args, " "), Targets: targets, Metrics: metrics, Secret: ownSecret, Scenario: s, Conns: c.Conns,
			Graph: g, PerProcess: perProcess, Spawn: p.Spawn, Screen: newScreen(p.Stderr), Beside: cl.Beside,
		})
		if err != nil {
			return err
		}
		if err := finish(p, r, c.Out, ""); err != nil {
			if !errors.Is(err, errNotOK) {
				return err
			}
			ok = false
		}
		runs = append(runs, r)
	}
	fmt.Fprintln(p.Stdout)
	if err := report.Compare(p.Stdout, runs); err != nil {
		return err
	}
	if !ok || len(runs) < len(scenarios) {
		return errNotOK
	}
	return nil
}

// workersFor is how many processes hold the connections with one of them down.
func workersFor(conns, perProcess int) int {
	n := fleet.Processes(conns, perProcess)
	if n == 1 {
		return 1 // there would have to be a Redis for the second
	}
	return n + 1
}

// need is what a load test takes, and what there is.
type need struct {
	conns, workers, clients, perProcess int
	memory                              int64 // bytes
	available                           int64 // bytes; 0: nobody knows
	files                               int64 // descriptors of all processes together
	filesMax                            int64 // 0: nobody knows
}

// What is counted on, in bytes: measured on a machine with two cores, with some room.
const (
	perServerConn = 15 << 10 // of the node, docs/operations.md
	perClientConn = 4 << 10
	perSocketPair = 8 << 10 // the kernel's, for both ends
	perNode       = 100 << 20
	perClients    = 30 << 20
	beside        = 1500 << 20 // Postgres, its files in the page cache, Redis
)

func needs(conns, workers, perProcess int) need {
	n := need{conns: conns, workers: workers, clients: fleet.Processes(conns, perProcess), perProcess: perProcess}
	n.memory = int64(conns)*(perServerConn+perClientConn+perSocketPair) + int64(workers)*perNode + int64(n.clients)*perClients + beside
	n.available = meminfo("MemAvailable:")
	n.files = int64(2*conns) + int64(workers+n.clients)*500
	if b, err := os.ReadFile("/proc/sys/fs/file-max"); err == nil {
		fmt.Sscan(string(b), &n.filesMax) // 0 where it is no number
	}
	return n
}

// say prints what is needed, and whether it is there.
func (n *need) say(w io.Writer) (has bool) {
	has = true
	row := func(what, need, there string, ok bool) {
		word := "yes"
		if !ok {
			word, has = "NO", false
		}
		fmt.Fprintf(w, "  %-34s %14s   there is %14s   %s\n", what, need, there, word)
	}
	fmt.Fprintf(w, "%d connections: a node of %d processes and %d processes of clients, %d connections in each at most\n",
		n.conns, n.workers, n.clients, n.perProcess)
	row("memory", gib(n.memory), gib(n.available), n.available == 0 || n.available > n.memory)
	row("open files, all processes together", fmt.Sprint(n.files), fmt.Sprint(n.filesMax), n.filesMax == 0 || n.filesMax > n.files)
	row("connections that the node may hold", fmt.Sprint(n.conns), fmt.Sprint(max(n.workers-1, 1)*n.perProcess), max(n.workers-1, 1)*n.perProcess >= n.conns)
	return has
}

func gib(b int64) string { return fmt.Sprintf("%.1f GiB", float64(b)/(1<<30)) }

// meminfo is a line of /proc/meminfo, in bytes.
func meminfo(name string) int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			var kb int64
			fmt.Sscan(f[1], &kb) // 0 where it is no number
			return kb << 10
		}
	}
	return 0
}
