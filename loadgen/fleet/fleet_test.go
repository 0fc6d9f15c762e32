package fleet

import (
	"io"
	"strings"
	"testing"

	"github.com/feedgate/feedgate/loadgen/crowd"
	"github.com/feedgate/feedgate/loadgen/graph"
	"github.com/feedgate/feedgate/loadgen/scenario"
)

// inProcess is a process that is none, and that dies when told.
func inProcess(die *func()) Spawn {
	return func(int) (*Process, error) {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		served := make(chan error, 1)
		go func() { // Wait waits for it
			served <- Serve(inR, outW)
			outW.Close()
		}()
		*die = func() { outW.CloseWithError(io.ErrUnexpectedEOF); inR.CloseWithError(io.ErrClosedPipe) }
		return &Process{In: inW, Out: outR, Wait: func() error { return <-served }}, nil
	}
}

func start(t *testing.T, n int) (f *Fleet, die func()) {
	t.Helper()
	f, err := Start(n, inProcess(&die), func(int, *crowd.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, die
}

func setup(t *testing.T, conns int) crowd.Setup {
	t.Helper()
	s, err := scenario.Load("idle")
	if err != nil {
		t.Fatal(err)
	}
	return crowd.Setup{Run: 1, Graph: graph.Graph{Seed: 1, Users: 10, Following: 3}, Scenario: *s, Conns: conns,
		Targets: []string{"ws://127.0.0.1:1"}, Secret: "s"}
}

func TestOrdersAreRefusedWhereTheyCannotBeObeyed(t *testing.T) {
	f, _ := start(t, 2)
	if err := f.Connect(1); err == nil || !strings.Contains(err.Error(), "no crowd") {
		t.Errorf("connect before setup: %v", err)
	}
	if err := f.Setup(setup(t, 11)); err == nil {
		t.Error("more connections than users")
	}
	if err := f.Setup(setup(t, 1)); err == nil {
		t.Error("fewer connections than processes")
	}
}

func TestCancelEndsWhatIsBeingDone(t *testing.T) {
	f, _ := start(t, 2)
	if err := f.Setup(setup(t, 10)); err != nil {
		t.Fatal(err)
	}
	f.Targets([]string{"ws://127.0.0.1:2"})
	done := make(chan error, 1)
	go func() { done <- f.Connect(100) }() // nobody listens there: it would take a minute
	f.Cancel()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("cancelled: %v", err)
			}
			return
		default:
			f.Cancel() // the first may have come before the order
		}
	}
}

func TestAProcessThatDiesIsTold(t *testing.T) {
	f, die := start(t, 1)
	if err := f.Setup(setup(t, 10)); err != nil {
		t.Fatal(err)
	}
	die()
	if _, _, err := f.Posts(); err == nil {
		t.Error("a dead process answers")
	}
}

func TestProcesses(t *testing.T) {
	for _, c := range []struct{ conns, want int }{{1, 1}, {19_500, 1}, {19_501, 2}, {100_000, 6}} {
		if got := Processes(c.conns, 19_500); got != c.want {
			t.Errorf("%d connections take %d processes, want %d", c.conns, got, c.want)
		}
	}
	if n, err := PerProcess(); err != nil || n < 1 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestProcessesShareTheCores says how many each may use, of cores and processes.
func TestProcessesShareTheCores(t *testing.T) {
	for _, c := range []struct{ cores, of, want int }{{2, 1, 2}, {2, 2, 2}, {2, 6, 1}, {8, 3, 6}, {8, 32, 1}} {
		if got := procs(c.cores, c.of); got != c.want {
			t.Errorf("each of %d processes uses %d of %d cores, want %d", c.of, got, c.cores, c.want)
		}
	}
}
