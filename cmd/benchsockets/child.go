//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The roles that the program plays in its children.
const (
	roleClients = "clients"
	roleFloor   = "floor"
)

// command is what a child is to do; which fields count depends on Do.
type command struct {
	Do     string
	URL    string
	Secret string // to sign the clients' tokens with
	From   int    // the first user's number
	N      int
	Rate   float64
	Buffer int // bytes of the clients' receive buffers; 0: the system's
	Hello  bool
	First  int // loopback addresses to pass over
	Frame  []byte
	Rounds int
	For    time.Duration
}

// report is a child's answer.
type report struct {
	Err    string
	URL    string
	N      int
	Failed int
	Took   time.Duration
	At     time.Duration // CLOCK_MONOTONIC
	Events int64
	Resets int64
	Beats  int64
	Gaps   int64
	Closed int64
	P50    time.Duration
	P99    time.Duration
	Max    time.Duration
	Sample []byte
}

// beBatch makes the process batch work to the scheduler, with all threads it has
// and will have: being woken, it takes no processor from who runs. On a machine of
// their own, clients would not; here they preempt whoever writes to them, with a
// switch or two for each few writes, which is charged to the writer: 13 to 18 µs
// for a delivery in place of 9 to 13 (2 cores). Both crowds are.
func beBatch() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		attr := unix.SchedAttr{Policy: unix.SCHED_BATCH}
		if err := unix.SchedSetAttr(id, &attr, 0); err != nil {
			return fmt.Errorf("sched_setattr: %w", err)
		}
	}
	return nil
}

// servant carries out commands.
type servant interface {
	do(command) (report, error)
}

// serveCommands is a child's life: until its input ends.
func serveCommands(s servant) error {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var c command
		if err := in.Decode(&c); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r, err := s.do(c)
		if err != nil {
			r.Err = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// child is such a process, seen from the one that measures.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	enc  *json.Encoder
	dec  *json.Decoder
}

func startChild(role string) (*child, error) {
	c := &child{role: role, cmd: exec.Command("/proc/self/exe", role)}
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.in, c.enc, c.dec = in, json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))
	return c, nil
}

// do gives one command and waits for its answer.
func (c *child) do(cmd command) (report, error) {
	var r report
	if err := c.enc.Encode(cmd); err != nil {
		return r, fmt.Errorf("%s: %s: %w", c.role, cmd.Do, err)
	}
	if err := c.dec.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %s: %w", c.role, cmd.Do, err)
	}
	if r.Err != "" {
		return r, fmt.Errorf("%s: %s: %s", c.role, cmd.Do, r.Err)
	}
	return r, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the child by closing its input.
func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait() // all its work is done: how it ended says nothing
}
