package meter

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

func TestBucketsFollowEachOther(t *testing.T) {
	var last time.Duration
	for b := range buckets {
		low, high := bounds(b)
		if low != last || high <= low {
			t.Fatalf("bucket %d is %v to %v, the one before ends at %v", b, low, high, last)
		}
		if bucketOf(low) != b || bucketOf(high-1) != b {
			t.Fatalf("%v is in bucket %d, %v in %d; both should be in %d", low, bucketOf(low), high-1, bucketOf(high-1), b)
		}
		if b > 64 && float64(high-low)/float64(low) > 0.032 {
			t.Fatalf("bucket %d is %v to %v", b, low, high)
		}
		last = high
	}
	if last < 30*time.Minute {
		t.Errorf("the last bucket ends at %v", last)
	}
}

func TestQuantilesAreThoseOfTheSortedList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var a, b Histogram
	var list []time.Duration
	for i := range 10_000 {
		d := time.Duration(r.ExpFloat64() * float64(20*time.Millisecond))
		list = append(list, d)
		if i%2 == 0 {
			a.Add(d)
		} else {
			b.Add(d)
		}
	}
	a.Merge(&b)
	slices.Sort(list)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := list[min(int(q*10_000), 9_999)]
		got := a.Quantile(q)
		if got < want || float64(got) > float64(want)*1.04+1000 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if n := a.Above(20 * time.Millisecond); n < 3_400 || n > 3_900 {
		t.Errorf("%d of 10000 are above the mean", n)
	}
	taken := a.Take()
	if taken.N != 10_000 || a.N != 0 || a.Quantile(0.5) != 0 {
		t.Errorf("%d taken, %d left", taken.N, a.N)
	}
	a.Add(-time.Second)
	a.Add(24 * time.Hour)
	if a.N != 2 || a.Quantile(0) != time.Microsecond {
		t.Errorf("beyond the bounds: %d, %v", a.N, a.Quantile(0))
	}
}

func TestTheClockIsTheSystems(t *testing.T) {
	before := monotonic()
	now := Now()
	after := monotonic()
	if now < before-1000 || now > after+1000 {
		t.Errorf("between %d and %d it is %d", before, after, now)
	}
	if d := time.Until(At(Now() + int64(time.Hour))); d < time.Hour-time.Second || d > time.Hour {
		t.Errorf("in an hour is in %v", d)
	}
}

func TestSelfIsMeasured(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var lag Lag
	done := make(chan struct{})
	go func() {
		defer close(done)
		lag.Run(ctx)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		h := lag.Take()
		if h.N > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no lag was measured")
		}
	}
	cancel()
	<-done
	s := ReadSelf()
	if s.CPU <= 0 || s.RSS <= 0 || s.Peak < s.RSS/2 || RSS(os.Getpid()) <= 0 || RSS(-1) != 0 {
		t.Errorf("%+v", s)
	}
	if used, all := Busy(); used <= 0 || all < used {
		t.Errorf("%v used of %v", used, all)
	}
}
