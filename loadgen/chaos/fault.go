package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feedgate/feedgate/loadgen/scenario"
)

// Fault is something that happens to a cluster.
type Fault string

// The faults.
const (
	NodeKill        Fault = "node-kill"        // SIGKILL; the node is back after a while
	Drain           Fault = "drain"            // SIGTERM; likewise
	AddNode         Fault = "add-node"         // one more, for good
	RedisRestart    Fault = "redis-restart"    // killed, and back empty
	PostgresRestart Fault = "postgres-restart" // stopped, with all its sessions, and back
	SlowClients     Fault = "slow-clients"     // some read nothing for a while
)

// All is every fault.
var All = []Fault{NodeKill, RedisRestart, PostgresRestart, SlowClients, AddNode, Drain}

// Parse reads a list of names.
func Parse(names []string) (faults []Fault, err error) {
	for _, name := range names {
		f := Fault(strings.TrimSpace(name))
		if !slices.Contains(All, f) {
			return nil, fmt.Errorf("chaos: there is no fault %q; there are %v", name, All)
		}
		faults = append(faults, f)
	}
	if len(faults) == 0 {
		return nil, fmt.Errorf("chaos: no fault; there are %v", All)
	}
	return faults, nil
}

// Slot is when a fault happens, since the steps began.
type Slot struct {
	At    time.Duration
	Fault Fault
}

// Plan has one fault after the other happen, again and again, the last early enough
// for it to be over with the steps.
func Plan(faults []Fault, every, duration time.Duration) (slots []Slot) {
	for i := 0; ; i++ {
		at := every * time.Duration(i+1)
		if every <= 0 || at+every/2 > duration {
			return slots
		}
		slots = append(slots, Slot{at, faults[i%len(faults)]})
	}
}

// slowShare is the part of all clients that stop reading, slowFor for how long.
const (
	slowShare = 0.05
	slowFor   = 5 * time.Second
)

// Prepare adds to a scenario what clients do to themselves.
func Prepare(s *scenario.Scenario, slots []Slot) {
	step := scenario.Step{Do: scenario.Pause, Share: slowShare, For: scenario.Duration(slowFor)}
	for _, slot := range slots {
		if slot.Fault == SlowClients {
			step.At = append(step.At, scenario.Duration(slot.At))
		}
	}
	if len(step.At) > 0 {
		s.Steps = append(s.Steps, step)
	}
	s.Patience = max(s.Patience, scenario.Duration(2*time.Minute))
}
