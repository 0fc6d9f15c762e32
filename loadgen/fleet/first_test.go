package fleet

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that measures goes first where it may.
func TestStartFirst(t *testing.T) {
	const zero = 20                                                                 // getpriority(2) tells 20 less the niceness
	may, err := exec.Command("nice", "-n", strconv.Itoa(niceness), "nice").Output() // 0 where it is not allowed
	if err != nil {
		t.Fatal(err)
	}
	want, err := strconv.Atoi(strings.TrimSpace(string(may)))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := startFirst(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if got, err := unix.Getpriority(unix.PRIO_PROCESS, cmd.Process.Pid); err != nil || zero-got != want {
		t.Errorf("its niceness is %d, want %d: %v", zero-got, want, err)
	}
	next := exec.Command("sleep", "60") // of the same thread, or of another
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	defer next.Wait()
	defer next.Process.Kill()
	if got, err := unix.Getpriority(unix.PRIO_PROCESS, next.Process.Pid); err != nil || got != zero {
		t.Errorf("the niceness of another process is %d: %v", zero-got, err)
	}
}
