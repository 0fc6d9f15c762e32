package memory

import "runtime/metrics"

// Sample is what the process holds at one moment, in bytes.
type Sample struct {
	Live    uint64 // objects that the last collection found in use
	Stacks  uint64 // of goroutines
	Runtime uint64 // the runtime's own: tables, free stacks, profiles
	Held    uint64 // of the system in all; what GOMEMLIMIT bounds
	Cycles  uint64 // collections so far
	Made    uint64 // of objects, since the process began
}

// Needed is what a collection would not free.
func (s Sample) Needed() uint64 { return s.Live + s.Stacks + s.Runtime }

// names are the metrics of which a Sample is made. Reading them stops nothing.
var names = [...]string{
	"/gc/heap/live:bytes",
	"/memory/classes/heap/stacks:bytes",
	"/memory/classes/total:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/unused:bytes",
	"/memory/classes/heap/free:bytes",
	"/gc/cycles/total:gc-cycles",
	"/gc/heap/allocs:bytes",
}

// Read takes a Sample of this process.
func Read() Sample {
	var m [len(names)]metrics.Sample
	for i, name := range names {
		m[i].Name = name
	}
	metrics.Read(m[:])
	of := func(i int) uint64 { return m[i].Value.Uint64() }
	held := of(2) - of(3)
	heap := of(1) + of(4) + of(5) + of(6)
	return Sample{Live: of(0), Stacks: of(1), Runtime: held - min(held, heap), Held: held, Cycles: of(7), Made: of(8)}
}
