package meter

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets of 3 % width, from 1 µs to half an hour.
// The zero value is empty. It is not for use by several goroutines at once.
type Histogram struct {
	Counts []uint32 // by bucket, as far as there are any
	N      uint64
	Max    time.Duration
}

// Buckets: 0 to 63 µs are exact; above, each power of two has 32 buckets.
const (
	perPower = 32
	buckets  = perPower * 27
)

func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 2*perPower {
		return int(us)
	}
	power := bits.Len64(us) - 6 // of perPower·2 … : 1
	return min(power*perPower+int(us>>power), buckets-1)
}

// bounds are a bucket's: from low, up to but not including high.
func bounds(bucket int) (low, high time.Duration) {
	if bucket < 2*perPower {
		return time.Duration(bucket) * time.Microsecond, time.Duration(bucket+1) * time.Microsecond
	}
	power := bucket/perPower - 1
	at := uint64(bucket%perPower + perPower)
	return time.Duration(at<<power) * time.Microsecond, time.Duration((at+1)<<power) * time.Microsecond
}

// Add counts a duration. Below zero counts as zero.
func (h *Histogram) Add(d time.Duration) {
	b := bucketOf(d)
	if b >= len(h.Counts) {
		h.Counts = append(h.Counts, make([]uint32, b+1-len(h.Counts))...)
	}
	h.Counts[b]++
	h.N++
	h.Max = max(h.Max, d)
}

// Merge adds all that another has counted.
func (h *Histogram) Merge(o *Histogram) {
	if n := len(o.Counts) - len(h.Counts); n > 0 {
		h.Counts = append(h.Counts, make([]uint32, n)...)
	}
	for i, c := range o.Counts {
		h.Counts[i] += c
	}
	h.N += o.N
	h.Max = max(h.Max, o.Max)
}

// Quantile is what a part q of all durations does not exceed, by at most 3 % too
// much; 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.N == 0 {
		return 0
	}
	rank := uint64(q * float64(h.N))
	var sum uint64
	for i, c := range h.Counts {
		if sum += uint64(c); sum > rank {
			_, high := bounds(i)
			return min(high, h.Max)
		}
	}
	return h.Max
}

// Above is how many durations are above d, to a bucket's width.
func (h *Histogram) Above(d time.Duration) (n uint64) {
	for i := bucketOf(d) + 1; i < len(h.Counts); i++ {
		n += uint64(h.Counts[i])
	}
	return n
}

// Take gives what was counted so far, and begins anew.
func (h *Histogram) Take() Histogram {
	t := *h
	*h = Histogram{}
	return t
}
