package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// workers are the processes behind one address and, in their parent, what starts
// them, listens for them on the admin address, and ends them.
//
// A worker is a node of the cluster like any other; the parent is none. It holds
// the other end of each worker's standard input: what it writes there is an order,
// and its end, which comes with the parent's own, however that died, ends the
// worker at once.
type workers struct {
	// Set at construction.
	cfg     *Config
	p       process
	log     *slog.Logger
	turns   *os.File // see turnsIn
	dir     string   // of the sockets by which the workers are reached, by this process and one another
	all     []*staff
	stopped chan struct{}  // closed when no more may be started
	fatal   chan error     // 1: the first is enough
	running sync.WaitGroup // the staff
	left    chan struct{}  // closed when all have ended for good

	mu       sync.Mutex
	stopping bool
}

// killAfter is how long beyond their own bound workers may take to stop.
const killAfter = 5 * time.Second

// serveWorkers runs the settings' number of workers until ctx ends, all of them
// were drained, or one has found that it should not be there.
func serveWorkers(ctx context.Context, cfg *Config, p process) error {
	log := newLogger(cfg, p.Stderr)
	announceDescriptors(cfg.Workers, log)
	if _, err := cfg.secret(); err != nil { // made here, where one is: workers find it
		return err
	}
	addrs := Addrs{TLS: cfg.TLSCert != ""}
	if cfg.has(roleGateway) {
		var err error
		if addrs.Public, err = free(ctx, cfg.Addr); err != nil {
			return fmt.Errorf("FEEDGATE_ADDR: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "feedgate-")
	if err != nil {
		return fmt.Errorf("workers: %w", err)
	}
	defer os.RemoveAll(dir)
	ws := &workers{
		cfg: cfg, p: p, log: log, dir: dir,
		stopped: make(chan struct{}), fatal: make(chan error, 1), left: make(chan struct{}),
	}
	if ws.turns, err = makeTurns(); err != nil {
		return fmt.Errorf("workers: turns at handshakes: %w", err)
	}
	defer ws.turns.Close()
	admin, err := ws.listen(ctx)
	if err != nil {
		return err
	}
	defer admin.close()
	addrs.Admin = admin.listener.Addr()

	log.Info("starting", "version", version(), "workers", cfg.Workers, "addr", addrs.public(), "admin", addrs.Admin.String())
	ws.start(addrs)
	cause := ws.wait(ctx, admin, addrs)
	return errors.Join(cause, ws.stop())
}

// wait returns when it is time to stop, and why.
func (ws *workers) wait(ctx context.Context, admin *workersAdmin, addrs Addrs) error {
	ready := make(chan struct{})
	watching, enough := context.WithCancel(ctx)
	defer enough()
	go func() { // ends with watching
		if ws.awaitReady(watching) {
			close(ready)
		}
	}()
	for {
		select {
		case <-ready:
			ready = nil
			ws.log.Info("ready", "addr", addrs.public(), "admin", addrs.Admin.String(), "tls", addrs.TLS, "workers", len(ws.all))
			if ws.cfg.Dev != devOff && addrs.Public != nil {
				fmt.Fprintf(ws.p.Stdout, "feedgate is ready: open %s\n", addrs.url())
			}
			if ws.p.Ready != nil {
				ws.p.Ready(addrs)
			}
		case <-ctx.Done():
			ws.log.Info("asked to stop")
			return nil
		case <-ws.left:
			ws.log.Info("all workers have been drained")
			return nil
		case err := <-admin.failed:
			return fmt.Errorf("listener: %w", err)
		case err := <-ws.fatal:
			return err
		}
	}
}

// start starts everybody.
func (ws *workers) start(addrs Addrs) {
	var passes []string
	for i := range ws.cfg.Workers {
		passes = append(passes, ws.socket(i)+".pass")
	}
	for i := range ws.cfg.Workers {
		w := &worker{
			Index: i, Count: ws.cfg.Workers, Cores: runtime.GOMAXPROCS(0), Node: ws.cfg.NodeID,
			Admin: ws.socket(i), Passes: passes, Turns: turnsFd, Shown: addrs.Admin.String(),
		}
		if addrs.Public != nil {
			host, _, _ := net.SplitHostPort(ws.cfg.Addr) // it has been validated
			_, port, _ := net.SplitHostPort(addrs.Public.String())
			w.Addr = net.JoinHostPort(host, port)
		}
		s := ws.all[i]
		s.worker = w
		ws.running.Go(s.run)
	}
	go func() { // ends when the staff has, which stop sees to
		ws.running.Wait()
		close(ws.left)
	}()
}

// socket is the path of a worker's admin listener.
func (ws *workers) socket(i int) string { return filepath.Join(ws.dir, strconv.Itoa(i)) }

// stop tells everybody to stop and waits for them; who takes longer than a worker
// may is killed.
func (ws *workers) stop() error {
	ws.mu.Lock()
	ws.stopping = true
	close(ws.stopped)
	ws.mu.Unlock()
	for _, s := range ws.all {
		s.tellStop()
	}
	select {
	case <-ws.left:
	case <-time.After(ws.cfg.StopTimeout + killAfter):
		ws.log.Warn("workers do not stop and are killed")
		for _, s := range ws.all {
			s.kill()
		}
		<-ws.left
	}
	var errs []error
	for _, s := range ws.all {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

// fail says that there is no use in going on.
func (ws *workers) fail(err error) {
	select {
	case ws.fatal <- err:
	default:
	}
}

// free checks that nobody listens at addr, and finds a port where it leaves that
// open: workers share it with one another, and would share it with others of the
// same user too.
func free(ctx context.Context, addr string) (net.Addr, error) {
	lc := net.ListenConfig{}
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return l.Addr(), l.Close()
}

// fenced is the loss of a node's name or shards to another process.
type fenced struct{ error }

func (fenced) Is(target error) bool { return target == feedengine.ErrFenced }
