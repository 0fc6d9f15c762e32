package crowd

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feedgate/feedgate/loadgen/meter"
)

func TestTheAgendaIsInTheOrderOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgenda()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.run(ctx)
		}()
		var got []int
		began := meter.Now()
		for _, seconds := range []int{3, 1, 2, 5, 4} {
			a.after(time.Duration(seconds)*time.Second, func() {
				got = append(got, seconds)
				if at := time.Duration(meter.Now() - began); at != time.Duration(seconds)*time.Second {
					t.Errorf("%d is done at %v", seconds, at)
				}
				if seconds == 2 { // what is added meanwhile is done in its turn
					a.after(0, func() { got = append(got, 0) })
				}
			})
		}
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		if want := []int{1, 2, 0, 3, 4}; !slices.Equal(got, want) || a.size() != 1 {
			t.Errorf("done are %v, want %v; %d are left", got, want, a.size())
		}
		cancel()
		<-done
		if len(got) != 5 {
			t.Error("something was done after the end")
		}
	})
}
