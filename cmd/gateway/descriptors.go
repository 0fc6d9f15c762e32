package main

import (
	"log/slog"
	"math"
)

// spareDescriptors are for what is no client's: the database's and the bus's
// connections, listeners, files, a margin for handshakes that are refused.
const spareDescriptors = 256

// announceDescriptors raises the process's limit of descriptors as far as it may
// and says how many connections that is enough for, for this many processes.
func announceDescriptors(processes int, log *slog.Logger) {
	limit, err := raiseDescriptors()
	if err != nil {
		log.Warn("the limit of descriptors cannot be raised", "err", err)
	}
	connections, ok := connectionsWithin(limit, processes)
	if !ok {
		return
	}
	log.Info("descriptors", "limit", limit, "processes", processes, "connections", connections,
		"for_more", "raise the hard limit: LimitNOFILE= (systemd), --ulimit nofile= (Docker), limits.conf; or set FEEDGATE_WORKERS")
}

// connectionsWithin is how many connections the processes may hold, each with
// that many descriptors; false when descriptors are no bound.
func connectionsWithin(limit uint64, processes int) (uint64, bool) {
	if limit == 0 || limit > math.MaxInt32 {
		return 0, false
	}
	return max(limit, spareDescriptors+1)*uint64(processes) - spareDescriptors*uint64(processes), true
}
