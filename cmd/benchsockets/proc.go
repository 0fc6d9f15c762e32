//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is USER_HZ, which Linux has fixed for all processes to see.
const clockTick = time.Second / 100

// cpu is what a process has used.
type cpu struct{ user, system time.Duration }

func (c cpu) total() time.Duration { return c.user + c.system }
func (c cpu) plus(d cpu) cpu       { return cpu{c.user + d.user, c.system + d.system} }
func (c cpu) minus(d cpu) cpu      { return cpu{c.user - d.user, c.system - d.system} }

// cpuOf is what a process has used so far, to 10 ms.
func cpuOf(pid int) (c cpu, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return c, err
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return c, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	for i, to := range []*time.Duration{&c.user, &c.system} {
		ticks, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return c, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		*to = time.Duration(ticks) * clockTick
	}
	return c, nil
}

// statusOf is a size in /proc/PID/status, such as VmRSS or VmHWM, in bytes.
func statusOf(pid int, name string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var kb int64
			_, err := fmt.Sscanf(rest, "%d kB", &kb)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no %s", pid, name)
}

// clearPeak lets VmHWM begin anew.
func clearPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// now is CLOCK_MONOTONIC, the same for all processes of the machine.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // not possible with a valid clock
	}
	return time.Duration(t.Nano())
}
