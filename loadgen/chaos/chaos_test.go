package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/feedgate/feedgate/loadgen/scenario"
)

func TestFaultsTakeTurns(t *testing.T) {
	faults, err := Parse([]string{"node-kill", " slow-clients"})
	if err != nil {
		t.Fatal(err)
	}
	got := Plan(faults, 10*time.Second, 36*time.Second)
	want := []Slot{{10 * time.Second, NodeKill}, {20 * time.Second, SlowClients}, {30 * time.Second, NodeKill}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Plan(faults, 10*time.Second, 34*time.Second); len(got) != 2 {
		t.Errorf("the last has no time to be over: %v", got)
	}
	if got := Plan(faults, 0, time.Minute); got != nil {
		t.Errorf("every 0s: %v", got)
	}
	for _, bad := range [][]string{nil, {"meteorite"}} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func TestSlowClientsAreAStep(t *testing.T) {
	s, err := scenario.Load("steady")
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.Steps)
	Prepare(s, []Slot{{time.Second, NodeKill}})
	if len(s.Steps) != before || s.Patience.D() < 2*time.Minute {
		t.Errorf("%+v", s)
	}
	Prepare(s, []Slot{{time.Second, SlowClients}, {3 * time.Second, SlowClients}})
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	last := s.Steps[len(s.Steps)-1]
	if last.Do != scenario.Pause || len(last.At) != 2 || last.Share == 0 {
		t.Errorf("%+v", last)
	}
}
