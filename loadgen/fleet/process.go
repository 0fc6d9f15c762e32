package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ChildArg is the argument with which the program calls itself, and has to call
// Serve.
const ChildArg = "child"

// Self starts the program that runs, once more, as one of so many processes. In a process group of its own: a
// Ctrl-C is for who gives the orders.
func Self(of int) (*Process, error) {
	cmd := exec.Command("/proc/self/exe", ChildArg)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "GOGC=50", // lean clients, leanly collected
		"GOMAXPROCS="+strconv.Itoa(procs(runtime.GOMAXPROCS(0), of)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	if err := startFirst(cmd); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return &Process{In: in, Out: out, Wait: cmd.Wait}, nil
}

// niceness is that of the processes with clients, where the system allows it. They
// measure; where they share a machine with all that is measured, a dozen processes would
// have their turn before a post that is due is sent.
const niceness = -5

// startFirst starts a process with that niceness, unless somebody has chosen another.
func startFirst(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	old, err := unix.SchedGetAttr(0, 0)
	if err != nil || old.Policy != unix.SCHED_NORMAL || old.Nice != 0 || unix.SchedSetAttr(0, &unix.SchedAttr{Nice: niceness}, 0) != nil {
		runtime.UnlockOSThread()
		return cmd.Start()
	}
	err = cmd.Start() // it inherits what this thread has
	if unix.SchedSetAttr(0, old, 0) == nil {
		runtime.UnlockOSThread() // else the thread ends with its goroutine
	}
	return err
}

// procs is on how many of the cores one of so many processes runs: twice its share,
// as they do not always have their work at the same time. Each would otherwise be
// made for all cores, and wake threads that find nothing to do and take the time of
// what is measured.
func procs(cores, of int) int { return min(cores, (2*cores+of-1)/of) }

// spare is how many descriptors a process keeps for other things than clients.
const spare = 500

// PerProcess is how many connections a process may hold here. It raises the limit
// as far as it may.
func PerProcess() (int, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("fleet: RLIMIT_NOFILE: %w", err)
	}
	if l.Cur < l.Max {
		raised := unix.Rlimit{Cur: l.Max, Max: l.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			l = raised
		}
	}
	n := int(min(l.Cur, 1<<20)) - spare
	if n < 1 {
		return 0, fmt.Errorf("fleet: a process may hold %d descriptors here, at least %d are needed", l.Cur, spare+1)
	}
	return n, nil
}

// Processes is how many a number of connections asks for.
func Processes(conns, perProcess int) int { return (conns + perProcess - 1) / perProcess }
