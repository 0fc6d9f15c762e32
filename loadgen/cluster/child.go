package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a process that was started here.
type child struct {
	name  string
	log   string // path of the file that it writes to
	cmd   *exec.Cmd
	ended chan struct{} // closed when it is gone
}

// start starts a program. In a process group of its own: a Ctrl-C is for who started
// it, and it is ended even so when that dies.
func start(name, log string, cmd *exec.Cmd) (*child, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	defer f.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = f, f
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cluster: %s: %w", name, err)
	}
	c := &child{name: name, log: log, cmd: cmd, ended: make(chan struct{})}
	go func() { // who ends it waits for ended
		cmd.Wait() // how it ended is in ProcessState
		close(c.ended)
	}()
	return c, nil
}

// patience bounds how long a process may take to start or to end.
const patience = 60 * time.Second

// end sends a signal and waits until it is gone; what does not go is killed, and so
// is what it leaves behind.
func (c *child) end(s syscall.Signal) error {
	c.cmd.Process.Signal(s) // it may be gone
	defer syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-c.ended:
		return nil
	case <-time.After(patience):
	}
	c.cmd.Process.Kill()
	<-c.ended
	return fmt.Errorf("cluster: %s did not end with %v, and was killed", c.name, s)
}

// until waits until it answers, as ready says.
func (c *child) until(ready func() bool) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if ready() {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("cluster: %s ended: %v\n%s", c.name, c.cmd.ProcessState, c.tail())
		case <-t.C:
		}
	}
	return fmt.Errorf("cluster: %s is not ready after %v\n%s", c.name, patience, c.tail())
}

// tail is the end of what it wrote.
func (c *child) tail() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(len(b)-2000, 0):])
}

// freePort is a loopback port on which nothing listens, below the range that the
// system gives to outgoing connections.
func freePort() (int, error) {
	for range 1000 {
		port := 20_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("cluster: no free port")
}

// resident is the memory of a process and all its descendants in bytes, what they
// share counted once.
func resident(pid int) (sum int64) {
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				sum += kb << 10
			}
		}
	}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // a process that is gone has none
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(f); err == nil {
				sum += resident(child)
			}
		}
	}
	return sum
}
