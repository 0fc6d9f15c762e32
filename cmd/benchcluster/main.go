//go:build linux

package main

import (
	"context"
	"errors"
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
	node     string // path of the gateway's binary
	lines    string
	duration time.Duration // of each line's traffic
	logs     string        // directory for the nodes' logs
	profile  string        // directory for CPU profiles of the nodes in the line cpu
}

func main() {
	var s settings
	flag.StringVar(&s.node, "node", "bin/gateway", "the gateway's binary")
	flag.StringVar(&s.lines, "lines", "latency,cpu,outage,moves,grow", "what to measure")
	flag.DurationVar(&s.duration, "for", 20*time.Second, "how long each line's traffic lasts")
	flag.StringVar(&s.logs, "logs", "", "directory to keep the nodes' logs in")
	flag.StringVar(&s.profile, "profile", "", "directory for CPU profiles of the nodes in the line cpu")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "benchcluster:", err)
		os.Exit(1)
	}
}

// measure runs the lines, each on a cluster of its own, and prints what they found.
func measure(ctx context.Context, s settings) error {
	var t table
	var errs []error
	for _, line := range []struct {
		name string
		do   func(context.Context, settings, *table) error
	}{
		{"latency", latency},
		{"cpu", processor},
		{"outage", outage},
		{"moves", moves},
		{"grow", grow},
	} {
		if !strings.Contains(s.lines, line.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", line.name)
		if err := line.do(ctx, s, &t); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", line.name, err))
		}
	}
	t.print(os.Stdout)
	return errors.Join(append(errs, ctx.Err())...)
}
