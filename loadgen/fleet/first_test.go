package fleet

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that measures goes first where it may; who starts it does not.
func TestStartFirst(t *testing.T) {
	const zero = 20 // getpriority(2) tells 20 less the niceness
	before, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := zero - niceness
	var may unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NICE, &may); err != nil {
		t.Fatal(err)
	}
	if unix.Geteuid() != 0 && may.Cur < uint64(want) {
		want = before
	}
	cmd := exec.Command("sleep", "60")
	if err := startFirst(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if got, err := unix.Getpriority(unix.PRIO_PROCESS, cmd.Process.Pid); err != nil || got != want {
		t.Errorf("its niceness is %d, want %d: %v", zero-got, zero-want, err)
	}
	if after, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil || after != before {
		t.Errorf("ours is %d, was %d: %v", zero-after, zero-before, err)
	}
}
