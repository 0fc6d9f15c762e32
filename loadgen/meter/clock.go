package meter

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// The runtime's monotonic clock is CLOCK_MONOTONIC with another zero, and is read
// without a system call.
var (
	zero   = time.Now()
	zeroNS = offset()
)

// offset is CLOCK_MONOTONIC at zero, read between two readings of the other clock: of
// some tries that in which least time passed, as a process may be put aside at any.
func offset() (ns int64) {
	least := int64(math.MaxInt64)
	for range 16 {
		before := monotonic()
		since := int64(time.Since(zero))
		if took := monotonic() - before; took < least {
			least, ns = took, before+took/2-since
		}
	}
	return ns
}

// Now is CLOCK_MONOTONIC in nanoseconds, the same for all processes of the machine.
func Now() int64 { return zeroNS + int64(time.Since(zero)) }

// At is a moment of Now as a time that timers understand.
func At(ns int64) time.Time { return zero.Add(time.Duration(ns - zeroNS)) }

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // not possible with a valid clock
	}
	return t.Nano()
}
