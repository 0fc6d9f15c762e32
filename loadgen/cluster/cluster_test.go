package cluster

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// TestServicesComeAndGo starts real ones, stops them, and has them back where they
// were; afterwards nothing is left.
func TestServicesComeAndGo(t *testing.T) {
	c, err := New(Options{Gateway: os.Args[0], Redis: true}) // no node is started: any file will do
	if err != nil {
		t.Fatal(err)
	}
	pids := func() []int { return []int{c.Postgres.run.cmd.Process.Pid, c.Redis.run.cmd.Process.Pid} }
	old := pids()
	url := c.Postgres.URL() + c.Redis.URL()
	if m := c.Beside(); m["postgres"] < 1<<20 || m["redis"] < 1<<20 {
		t.Errorf("they hold %v", m)
	}
	for _, err := range []error{c.Postgres.Stop(), c.Postgres.Start(), c.Redis.Kill(), c.Redis.Start()} {
		if err != nil {
			t.Error(err)
		}
	}
	if c.Postgres.URL()+c.Redis.URL() != url || !c.Redis.answers() {
		t.Error("they are not back where they were")
	}
	now := pids()
	dir := c.dir
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range append(old, now...) {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left: %v", pid, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

func TestWhatDoesNotStartIsTold(t *testing.T) {
	if _, err := New(Options{Gateway: "/nowhere/gateway"}); err == nil {
		t.Error("there is a cluster without a gateway")
	}
	c, err := New(Options{Gateway: "/bin/false"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Add(); err == nil {
		t.Error("a node that ends at once is ready")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
