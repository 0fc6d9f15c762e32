package meter

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tick is how often Lag looks whether it wakes in time.
const tick = 5 * time.Millisecond

// Lag measures how late this process's goroutines run: how much longer than asked a
// short sleep takes.
type Lag struct {
	mu sync.Mutex
	h  Histogram // guarded by mu
}

// Run measures until ctx ends.
func (l *Lag) Run(ctx context.Context) {
	t := time.NewTimer(tick)
	defer t.Stop()
	for {
		due := Now() + int64(tick)
		t.Reset(tick)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		late := time.Duration(Now() - due)
		l.mu.Lock()
		l.h.Add(late)
		l.mu.Unlock()
	}
}

// Take gives what was measured since the last time.
func (l *Lag) Take() Histogram {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.h.Take()
}

// Self is what this process has used.
type Self struct {
	CPU  time.Duration // user and system, since it began
	RSS  int64         // bytes, now
	Peak int64         // bytes, the most so far
}

// ReadSelf asks the system.
func ReadSelf() (s Self) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil {
		s.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
		s.Peak = u.Maxrss << 10
	}
	s.RSS = RSS(os.Getpid())
	return s
}

// RSS is the resident memory of a process in bytes, 0 when there is none.
func RSS(pid int) int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// Busy is the machine's CPU time so far: used by anybody, and all there was.
func Busy() (used, all time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i > 8 { // guest time is in user time already
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64) // 0 for what is not a number: there is no such
		d := time.Duration(n) * (time.Second / 100)
		all += d
		if i != 4 && i != 5 { // idle, iowait
			used += d
		}
	}
	return used, all
}
