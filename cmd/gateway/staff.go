package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How long a worker that died is waited for before the next is started in its
// place: longer each time, from the beginning when one has lived for a minute.
const (
	restartLeast = 100 * time.Millisecond
	restartMost  = 30 * time.Second
	restartCalm  = time.Minute
)

// turnsFd is a worker's descriptor of workers.turns: the first after the standard ones.
const turnsFd = 3

// staff is a worker's place in its parent: one process after the other.
type staff struct {
	// Set before run.
	ws     *workers
	worker *worker

	restarts atomic.Int64
	ready    atomic.Bool // one was, once
	drained  atomic.Bool // there will be none any more
	err      error       // how the last one failed when it was told to stop; read after run

	mu     sync.Mutex
	cmd    *exec.Cmd      // the process there is, nil between two
	orders io.WriteCloser // its standard input
}

// run keeps a process going until the parent stops or there should be none any more.
func (s *staff) run() {
	pause := restartLeast
	for {
		began := time.Now()
		err := s.once()
		if s.ws.isStopping() {
			s.err = err
			return
		}
		if s.isOver(err) {
			return
		}
		if time.Since(began) > restartCalm {
			pause = restartLeast
		}
		s.ws.log.Error("a worker died and is started again", "worker", s.worker.Index, "err", err, "after", time.Since(began), "in", pause)
		select {
		case <-time.After(pause):
		case <-s.ws.stopped:
			return
		}
		pause = min(2*pause, restartMost)
		s.restarts.Add(1)
	}
}

// isOver reports whether there is to be no further process in this place, after
// one that nobody has told to stop.
func (s *staff) isOver(err error) bool {
	var exit *exec.ExitError
	switch {
	case err == nil:
		s.drained.Store(true)
		s.ws.log.Info("a worker was drained", "worker", s.worker.Index)
		return true
	case errors.As(err, &exit) && exit.ExitCode() == exitFenced:
		s.ws.fail(fenced{fmt.Errorf("worker %d: another process has its name or its shards", s.worker.Index)})
		return true
	case !s.ready.Load():
		// It has never worked: somebody should see that, and not only the log.
		s.ws.fail(err)
		return true
	}
	return false
}

// once runs a process until it ends, and says how it did; nil: well.
func (s *staff) once() error {
	if err := s.begin(); err != nil {
		return fmt.Errorf("worker %d: %w", s.worker.Index, err)
	}
	err := s.cmd.Wait() // only this goroutine changes cmd
	s.mu.Lock()
	s.cmd = nil
	s.orders.Close()
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("worker %d: %w", s.worker.Index, err)
	}
	return nil
}

// begin starts a process, unless the parent is stopping.
func (s *staff) begin() error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	told, err := json.Marshal(s.worker)
	if err != nil {
		return err
	}
	cmd := exec.Command(binary, s.ws.p.Args...)
	cmd.Stdout, cmd.Stderr = s.ws.p.Stdout, s.ws.p.Stderr
	cmd.SysProcAttr = apart()
	cmd.ExtraFiles = []*os.File{s.ws.turns} // turnsFd
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, workerVariable+"=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, workerVariable+"="+string(told), "GOMAXPROCS="+strconv.Itoa(s.worker.procs()))
	orders, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws.isStopping() {
		return errors.New("not started: asked to stop")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.orders = cmd, orders
	s.ws.log.Info("worker started", "worker", s.worker.Index, "pid", cmd.Process.Pid)
	return nil
}

// tellStop has the process there is stop gracefully.
func (s *staff) tellStop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		fmt.Fprintln(s.orders, sayStop) // if it does not hear any more, it is gone
	}
}

func (s *staff) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		s.cmd.Process.Kill() // likewise
	}
}

func (ws *workers) isStopping() bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.stopping
}
