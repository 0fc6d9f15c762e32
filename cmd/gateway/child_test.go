package main

import (
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asChild makes the test binary be the gateway.
const asChild = "FEEDGATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		// A write beyond the limit that a test sets is to fail, as on a full disk,
		// and not to end the process.
		signal.Ignore(syscall.SIGXFSZ)
		main()
		return
	}
	os.Exit(m.Run())
}

// child is a node in a process of its own.
type child struct {
	node
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended; its state is in cmd then
}

var readyLine = regexp.MustCompile(`msg=ready .*addr=(\S+) admin=(\S+)`)

// spawn starts a node as a process and waits until it is ready.
func spawn(t testing.TB, e env) *child {
	t.Helper()
	c := launch(t, e)
	eventually(t, "the child is ready", func() bool {
		select {
		case <-c.ended:
			t.Fatalf("the child ended: %v\n%s", c.cmd.ProcessState, c.logs)
		default:
		}
		m := readyLine.FindStringSubmatch(c.logs.String())
		if m != nil {
			c.addr, c.admin = m[1], m[2]
		}
		return m != nil
	})
	return c
}

// launch starts a node as a process, which is ended with the test at the latest.
func launch(t testing.TB, e env) *child {
	t.Helper()
	c := &child{ended: make(chan struct{})}
	c.t, c.env, c.logs = t, e, &logBuffer{}
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Stderr = c.logs
	c.cmd.Env = append(os.Environ(), asChild+"=1")
	for k, v := range e {
		c.cmd.Env = append(c.cmd.Env, k+"="+v)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.cmd.Wait() // the state says how it ended
		close(c.ended)
	}()
	c.stop = sync.OnceValue(func() error { return c.end(syscall.SIGTERM) })
	t.Cleanup(func() {
		c.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the child's log:\n%s", c.logs)
		}
		c.logs.noSecrets(t)
	})
	return c
}

func (c *child) signal(s syscall.Signal) { c.cmd.Process.Signal(s) }

// end sends the signal and waits for the process to be gone.
func (c *child) end(s syscall.Signal) error {
	c.signal(s)
	return c.wait()
}

func (c *child) wait() error {
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatal("the child does not end")
	}
	if !c.cmd.ProcessState.Success() {
		return &exec.ExitError{ProcessState: c.cmd.ProcessState}
	}
	return nil
}

// code is how it ended.
func (c *child) code() int { return c.cmd.ProcessState.ExitCode() }
