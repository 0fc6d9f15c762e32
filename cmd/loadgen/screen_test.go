package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/report"
	"github.com/feedgate/feedgate/loadgen/trial"
)

var standing = &trial.Standing{Phase: "steps", Elapsed: 7 * time.Second, Conns: 10, Sample: report.Sample{Attached: 5, P99: 12.5},
	Faults: map[ledger.Kind]int64{ledger.Missing: 2, ledger.Doubled: 1}}

func TestATerminalIsWrittenOver(t *testing.T) {
	var b bytes.Buffer
	s := &screen{w: &b}
	s.Show(standing)
	first := b.String()
	if strings.Contains(first, "\x1b[5A") || strings.Count(first, "\n") != 5 || !strings.Contains(first, "attached 5 of 10 [##########..........]") ||
		!strings.Contains(first, "p99 12.5") || !strings.Contains(first, "faults 3") {
		t.Errorf("%q", first)
	}
	b.Reset()
	s.Show(standing)
	if got := b.String(); !strings.HasPrefix(got, "\x1b[5A\x1b[2K") {
		t.Errorf("%q", got)
	}
}

func TestWithoutATerminalThereArePlainLines(t *testing.T) {
	var b bytes.Buffer
	s := newScreen(&b)
	s.Phase("connect")
	for range 2 * plainEvery {
		s.Show(standing)
	}
	if got := b.String(); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 3 || !strings.Contains(got, ": connect\n") {
		t.Errorf("%q", got)
	}
}

func TestWhatALoadTestNeeds(t *testing.T) {
	for _, c := range []struct{ conns, want int }{{1000, 1}, {19_500, 1}, {20_000, 3}, {100_000, 7}} {
		if got := workersFor(c.conns, 19_500); got != c.want {
			t.Errorf("%d connections take %d workers, want %d", c.conns, got, c.want)
		}
	}
	var b bytes.Buffer
	n := needs(100_000, 7, 19_500)
	n.available, n.filesMax = 24<<30, 1<<30
	if !n.say(&b) || strings.Contains(b.String(), "NO") {
		t.Errorf("24 GiB are not enough:\n%s", &b)
	}
	for name, spoil := range map[string]func(n *need){
		"memory": func(n *need) { n.available = 2 << 30 }, "files": func(n *need) { n.filesMax = 100_000 }, "workers": func(n *need) { n.workers = 6; n.perProcess = 19_000 },
	} {
		b.Reset()
		m := n
		spoil(&m)
		if m.say(&b) || !strings.Contains(b.String(), "NO") {
			t.Errorf("%s: it is said to be enough:\n%s", name, &b)
		}
	}
}
