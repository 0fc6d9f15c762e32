package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/loadgen/trial"
)

// screen shows how a run goes: on a terminal a few lines that are written over, else
// a line now and then.
type screen struct {
	w     io.Writer
	lines int // written last time, to be written over; -1: it is no terminal

	mu    sync.Mutex
	shown int // guarded by mu: how often Show was called
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w}
	if !isTerminal(w) {
		s.lines = -1
	}
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// plainEvery is how many seconds pass between the lines where there is no terminal.
const plainEvery = 5

// Phase makes screen a trial.Screen.
func (s *screen) Phase(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines < 0 {
		fmt.Fprintf(s.w, "%s: %s\n", time.Now().Format("15:04:05"), name)
	}
}

// Show makes screen a trial.Screen.
func (s *screen) Show(st *trial.Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown++
	if s.lines < 0 {
		if s.shown%plainEvery == 0 {
			fmt.Fprintf(s.w, "%s: %s\n", time.Now().Format("15:04:05"), strings.Join(describe(st), "; "))
		}
		return
	}
	if s.lines > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA", s.lines)
	}
	lines := describe(st)
	for _, l := range lines {
		fmt.Fprintf(s.w, "\x1b[2K%s\n", l)
	}
	s.lines = len(lines)
}

// describe says where a run stands, the most important first.
func describe(st *trial.Standing) []string {
	x := &st.Sample
	attached := fmt.Sprintf("%s %4.0fs  attached %d of %d", st.Phase, st.Elapsed.Seconds(), x.Attached, st.Conns)
	if bar := st.Conns; bar > 0 {
		n := int(x.Attached * 20 / int64(bar))
		attached += " [" + strings.Repeat("#", n) + strings.Repeat(".", 20-n) + "]"
	}
	faults := int64(0)
	for _, n := range st.Faults {
		faults += n
	}
	return []string{
		attached,
		fmt.Sprintf("posts %.0f/s (%d)  deliveries %.0f/s (%d)", x.Posts, st.Sum.Accepted, x.Deliveries, st.Sum.Deliveries),
		fmt.Sprintf("latency p50 %.1f  p99 %.1f  max %.1f ms", x.P50, x.P99, x.Max),
		fmt.Sprintf("faults %d  resets %d  gaps %d  closed %d  retried %d", faults, st.Sum.Resets, st.Sum.Gaps, st.Sum.Closed, st.Sum.Retried),
		fmt.Sprintf("self %.2f CPUs, lag p99 %.1f ms  machine %.2f CPUs  server %.2f CPUs %d MiB", x.SelfCPUs, x.LagP99, x.MachineCPUs, x.ServerCPUs, x.ServerBytes>>20),
	}
}

// seedScreen shows how seeding goes.
type seedScreen struct {
	w     io.Writer
	users int
	tty   bool

	mu   sync.Mutex
	next time.Time // guarded by mu: when something is shown again
}

func newSeedScreen(w io.Writer, users int) *seedScreen {
	return &seedScreen{w: w, users: users, tty: isTerminal(w), next: time.Now().Add(time.Second)}
}

func (s *seedScreen) done(users, edges int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.After(s.next) {
		s.next = now.Add(time.Second)
		if s.tty {
			fmt.Fprintf(s.w, "\r\x1b[2Kseeding: %d of %d users, %d follows", users, s.users, edges)
			return
		}
		s.next = now.Add(plainEvery * time.Second)
		fmt.Fprintf(s.w, "%s: seeding: %d of %d users, %d follows\n", now.Format("15:04:05"), users, s.users, edges)
	}
}

func (s *seedScreen) end() {
	if s.tty {
		fmt.Fprint(s.w, "\r\x1b[2K")
	}
}
