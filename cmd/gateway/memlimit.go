package main

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// containerShare is the part of a container's limit that the Go runtime may use;
// the rest is for what it does not count: the embedded database's page cache, the
// binary's own pages.
const containerShare = 0.9

// garbageShare is how much garbage the Go runtime lets pile up before it collects, in
// percent of what is live; its own default is 100. What is live are views and sockets, which
// stay, and what is made meanwhile is little: with 100,000 connections on seven workers
// the collector takes 2 % of the CPU in a ramp and 0.1 % at 100 posts/s (perf), and
// garbage had 0.4 of 1.7 GB. It has a price: a heartbeat of 15,000 idle connections in one
// process took 36 to 43 µs, and 24 in one run with GOGC=100 (make bench-sockets).
const garbageShare = 50

// limitGarbage has the runtime hold less garbage, unless GOGC says how much.
func limitGarbage(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(garbageShare)
	}
}

// memoryLimiter is what limitMemory needs of the process.
type memoryLimiter struct {
	sharing   int // processes
	getenv    func(string) string
	container func() (uint64, error) // memlimit.ErrNoLimit: none
	set       func(int64) int64      // debug.SetMemoryLimit
}

// limitMemory has the Go runtime collect more often rather than let the process
// grow beyond what it may have: GOMEMLIMIT where it is given, else a share of the
// container's limit, and in no case more than the budget, which is this process's
// own; the rest it has in common with as many processes as share it.
func limitMemory(budget byteSize, sharing int, getenv func(string) string, log *slog.Logger) {
	l := memoryLimiter{sharing, getenv, memlimit.FromCgroup, debug.SetMemoryLimit}
	limit, from, err := l.limit(budget)
	if err != nil {
		log.Warn("the container's memory limit cannot be read: set GOMEMLIMIT", "err", err)
	}
	log.Info("memory", "limit", limit, "from", from, "budget", int64(budget))
}

// limit sets the runtime's limit and says what it is, in bytes, and where it
// comes from. An error is one of reading the container's limit, and not fatal.
func (l *memoryLimiter) limit(budget byteSize) (limit int64, from string, err error) {
	limit, from = l.set(-1), "GOMEMLIMIT" // which the runtime has read by itself
	if l.getenv("GOMEMLIMIT") == "" {
		limit, from = math.MaxInt64, "none"
		var most uint64
		switch most, err = l.container(); {
		case err == nil:
			limit, from = int64(float64(most)*containerShare), "container"
		case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
			err = nil
		}
	}
	if l.sharing > 1 && limit < math.MaxInt64 {
		limit /= int64(l.sharing)
		l.set(limit)
	}
	if budget > 0 && int64(budget) < limit {
		limit, from = int64(budget), "FEEDGATE_MEMORY_BUDGET"
	}
	if from != "none" && from != "GOMEMLIMIT" {
		l.set(limit)
	}
	return limit, from, err
}
