package shard

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

func TestClockFollowsTheWallAndNeverGoesBack(t *testing.T) {
	wall := feedengine.IDEpoch.Add(time.Hour)
	c := NewClock(func() time.Time { return wall })

	first := c.Next()
	if first != feedengine.TickAt(wall) {
		t.Fatalf("first tick %d, want the wall clock's %d", first, feedengine.TickAt(wall))
	}
	wall = wall.Add(-time.Minute)
	if got := c.Next(); got != first+1 {
		t.Fatalf("with the wall gone back: %d, want %d", got, first+1)
	}
	if got := c.Now(); got != first+1 {
		t.Fatalf("Now with the wall gone back: %d, want the last tick %d", got, first+1)
	}
	wall = wall.Add(2 * time.Minute)
	if got := c.Now(); got != feedengine.TickAt(wall) {
		t.Fatalf("Now: %d, want the wall clock's %d", got, feedengine.TickAt(wall))
	}
	if got := c.Next(); got != feedengine.TickAt(wall) {
		t.Fatalf("with the wall ahead again: %d, want %d", got, feedengine.TickAt(wall))
	}
}

func TestClockRunsOnIntoTheNextMillisecond(t *testing.T) {
	wall := feedengine.IDEpoch.Add(time.Hour)
	c := NewClock(func() time.Time { return wall })
	var last feedengine.Tick
	for range 4096 {
		last = c.Next()
	}
	if got := last.ID(0).Time(); !got.Equal(wall) {
		t.Fatalf("tick 4096 is of %v, want %v", got, wall)
	}
	next := c.Next()
	if got := next.ID(0).Time(); next != last+1 || !got.Equal(wall.Add(time.Millisecond)) {
		t.Fatalf("tick 4097 is %d of %v, want %d of the next millisecond", next, got, last+1)
	}
}

func TestClockIsAboveWhatItObserved(t *testing.T) {
	wall := feedengine.IDEpoch.Add(time.Hour)
	c := NewClock(func() time.Time { return wall })
	ahead := feedengine.TickAt(wall.Add(500 * time.Millisecond))
	c.Observe(ahead)
	c.Observe(ahead - 100)
	if got := c.Now(); got != ahead {
		t.Fatalf("Now %d, want the observed %d", got, ahead)
	}
	if got := c.Next(); got != ahead+1 {
		t.Fatalf("Next %d, want %d", got, ahead+1)
	}
}

func TestClockBeforeTheEpochOfIDs(t *testing.T) {
	c := NewClock(func() time.Time { return feedengine.IDEpoch.Add(-time.Hour) })
	if got := c.Next(); got != 1 {
		t.Fatalf("Next %d, want 1: an id of 0 means none", got)
	}
}

func TestClockGivesNoTickTwice(t *testing.T) {
	const goroutines, each = 8, 5000
	// A wall clock that jumps about.
	var calls atomic.Int64
	c := NewClock(func() time.Time {
		n := calls.Add(1)
		return feedengine.IDEpoch.Add(time.Duration(n/1000-(n%3)) * time.Millisecond)
	})
	got := make([][]feedengine.Tick, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				tick := c.Next()
				got[g] = append(got[g], tick)
				if i%100 == 0 {
					c.Observe(tick + 50)
				}
			}
		})
	}
	wg.Wait()
	var all []feedengine.Tick
	for g, ticks := range got {
		for i := 1; i < len(ticks); i++ {
			if ticks[i] <= ticks[i-1] {
				t.Fatalf("goroutine %d: %d after %d", g, ticks[i], ticks[i-1])
			}
			if (i-1)%100 == 0 && ticks[i] <= ticks[i-1]+50 {
				t.Fatalf("goroutine %d: %d after %d was observed", g, ticks[i], ticks[i-1]+50)
			}
		}
		all = append(all, ticks...)
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != goroutines*each {
		t.Fatalf("%d different ticks of %d", n, goroutines*each)
	}
}

func BenchmarkClockNext(b *testing.B) {
	c := NewClock(time.Now)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Next()
		}
	})
}
