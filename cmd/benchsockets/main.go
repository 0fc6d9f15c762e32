//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are what a run is made of.
type settings struct {
	node      string // path of the gateway's binary
	conns     int
	following int
	rate      float64       // connects per second
	rounds    int           // of one post to all
	posts     float64       // per second, in the overload
	overload  time.Duration // how long it lasts
	slow      int           // clients that never read
	steady    time.Duration // how long a p99 is taken over
	lines     string        // which of memory, deliver, beat, overload, reconnect, postgres, slow
	profile   string        // directory for profiles of the node
	keep      string        // directory of a seeded database, made when it is not there
}

func main() {
	var s settings
	flag.StringVar(&s.node, "node", "bin/gateway", "the gateway's binary")
	flag.IntVar(&s.conns, "conns", 15000, "connections")
	flag.IntVar(&s.following, "following", 50, "people that each follows")
	flag.Float64Var(&s.rate, "rate", 2500, "connects per second")
	flag.IntVar(&s.rounds, "rounds", 12, "single posts to all")
	flag.Float64Var(&s.posts, "posts", 20, "posts per second in the overload")
	flag.DurationVar(&s.overload, "overload", 10*time.Second, "how long the overload lasts")
	flag.IntVar(&s.slow, "slow", 1000, "clients that never read")
	flag.DurationVar(&s.steady, "steady", 8*time.Second, "how long each p99 is taken over")
	flag.StringVar(&s.lines, "lines", "memory,deliver,beat,overload,reconnect,postgres,slow", "what to measure")
	flag.StringVar(&s.profile, "profile", "", "directory for CPU and heap profiles of the node")
	flag.StringVar(&s.keep, "keep", "", "directory to keep the seeded database in, for the next run with the same numbers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch flag.Arg(0) {
	case roleClients:
		if err = beBatch(); err == nil {
			err = serveCommands(new(crowd))
		}
	case roleFloor:
		err = serveCommands(new(floor))
	case "":
		err = measure(ctx, s)
	default:
		err = fmt.Errorf("no such role: %q", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchsockets:", err)
		os.Exit(1)
	}
}

func (s *settings) wants(line string) bool { return strings.Contains(s.lines, line) }
