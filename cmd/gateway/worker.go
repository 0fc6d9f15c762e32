package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/feedgate/feedgate/gateway"
)

// worker is one of the processes behind one address, as its parent tells it in
// the variable workerVariable.
type worker struct {
	Index  int      `json:"index"`
	Count  int      `json:"count"`
	Cores  int      `json:"cores"`  // what all of them share
	Node   string   `json:"node"`   // the parent's node id
	Addr   string   `json:"addr"`   // of the public listener, with its port
	Admin  string   `json:"admin"`  // path of the socket for the worker's own admin listener
	Passes []string `json:"passes"` // by worker: paths of the sockets by which they pass connections to one another
	Turns  uintptr  `json:"turns"`  // the worker's descriptor of what they take turns at handshakes in; 0: none, from a parent of before there was
	Shown  string   `json:"shown"`  // address of the parent's, for people
}

const workerVariable = "FEEDGATE_WORKER"

// workerOf is what this process's parent says, nil when it has none of this kind.
func workerOf(getenv func(string) string) *worker {
	text := getenv(workerVariable)
	if text == "" {
		return nil
	}
	var w worker
	if err := json.Unmarshal([]byte(text), &w); err != nil || w.Index < 0 || w.Index >= w.Count || w.Node == "" {
		return nil // not of our making
	}
	return &w
}

// handshakesPerCore is the gateway's default.
const handshakesPerCore = 1500

// beWorker makes the settings of a worker of what was set for all of them
// together: names of their own, and parts of what they share. In handshakes they take
// turns: shards are not the same number everywhere, nor are those who come.
func (c *Config) beWorker(w *worker) {
	c.Workers = 1
	c.NodeID = w.name(w.Index)
	c.Addr = w.Addr
	if c.HandshakeRate == 0 {
		c.HandshakeRate = float64(handshakesPerCore * w.Cores)
	}
	if w.Turns == 0 {
		c.HandshakeRate = max(1, c.HandshakeRate/float64(w.Count))
	}
	c.MemoryBudget /= byteSize(w.Count)
	c.ViewBudget /= byteSize(w.Count)
}

// procs is on how many cores at once a worker may run: twice its share, as what
// comes is never spread quite evenly, and not more than there are.
//
// Each process would otherwise be made for all cores. For each message that comes
// it then wakes a second thread, which looks for work that is not there, while the
// core that it takes is needed by another worker: a fifth of all CPU where seven
// workers share two cores.
func (w *worker) procs() int { return min(w.Cores, (2*w.Cores+w.Count-1)/w.Count) }

// sharing is how many processes share what was set for all of them. The methods
// of a nil worker are those of a process that is the only one.
func (w *worker) sharing() int {
	if w == nil {
		return 1
	}
	return w.Count
}

// takingTurns is how workers take turns at handshakes, and how many of them; nil for a
// process that takes all.
func (w *worker) takingTurns() (*gateway.Turns, int, error) {
	if w == nil || w.Turns == 0 {
		return nil, 1, nil
	}
	turns, err := turnsIn(os.NewFile(w.Turns, "turns"))
	return turns, w.Count, err
}

// listenPublic opens the public port, beside the other workers' if there are any.
func (w *worker) listenPublic(ctx context.Context, lc net.ListenConfig, addr string) (net.Listener, error) {
	if w != nil {
		lc.Control = sharePort
	}
	return lc.Listen(ctx, "tcp", addr)
}

// listenAdmin opens the admin port; a worker has a socket that its parent asks.
func (w *worker) listenAdmin(ctx context.Context, lc net.ListenConfig, addr string) (net.Listener, error) {
	if w == nil {
		return lc.Listen(ctx, "tcp", addr)
	}
	os.Remove(w.Admin) // of a worker that was killed; nobody else has this name
	return lc.Listen(ctx, "unix", w.Admin)
}

// shownAdmin is the address by which people reach the admin listener at own.
func (w *worker) shownAdmin(own net.Addr) string {
	if w == nil {
		return own.String()
	}
	return w.Shown
}

// What a parent writes to its worker's standard input. Its end says that the
// parent is gone.
const sayStop = "stop"

// obey calls stop when the parent says so, and ends the process at once when the
// parent is no more: others are to be started in its place, at the same address.
func (w *worker) obey(parent io.Reader, stop func()) {
	for lines := bufio.NewScanner(parent); lines.Scan(); {
		if lines.Text() == sayStop {
			stop()
		}
	}
	fmt.Fprintf(os.Stderr, "gateway: worker %d: the parent is gone: stopping at once\n", w.Index)
	os.Remove(w.Admin)
	if w.Index < len(w.Passes) {
		os.Remove(w.Passes[w.Index])
	}
	os.Remove(filepath.Dir(w.Admin)) // the last one can
	os.Exit(exitForced)
}
