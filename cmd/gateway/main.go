package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/feedgate/feedgate/feedengine"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it ran, or tried to, and failed
	exitUsage  = 2 // flags or settings that cannot be
	exitForced = 3 // a second signal cut the graceful stop short
	exitFenced = 4 // another process took the shards: to be started again by a person, not by a supervisor
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // a burst of more than two says no more than two
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	w := workerOf(os.Getenv)
	if w != nil {
		go w.obey(os.Stdin, cancel) // ends with the process
	}
	go func() { // likewise
		<-signals
		cancel()
		// A supervisor that signals all of a group reaches workers twice, by their
		// parent too: only that one's end cuts them short.
		for range signals {
			if w == nil {
				fmt.Fprintln(os.Stderr, "gateway: second signal: stopping at once")
				os.Exit(exitForced)
			}
		}
	}()
	err := run(ctx, process{Args: os.Args[1:], Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, feedengine.ErrFenced):
		return exitFenced
	}
	return exitFailed
}
