package gateway

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Figures are what an operator looks at first.
type Figures struct {
	Connections int
	Deliveries  float64       // per second, lately
	P50, P99    time.Duration // from accepting a post to writing it to a socket, lately; 0: none was
}

// window is what Figures are about at least, unless nobody asked for longer.
const window = time.Second

// figures keeps what they were when somebody last asked.
type figures struct {
	mu         sync.Mutex
	at         time.Time
	deliveries uint64
	buckets    map[string]uint64 // of publishToSocket
	last       Figures
}

// Figures tells how the node does. What it says of deliveries is about the time
// since it was asked before, a second at least.
func (g *Gateway) Figures() Figures {
	f, now := &g.figures, time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if since := now.Sub(f.at); since >= window {
		deliveries, buckets := g.metrics.deliveries.Get(), map[string]uint64{}
		g.metrics.publishToSocket.VisitNonZeroBuckets(func(vmrange string, count uint64) { buckets[vmrange] = count })
		if !f.at.IsZero() {
			f.last.Deliveries = float64(deliveries-f.deliveries) / since.Seconds()
			f.last.P50, f.last.P99 = quantile(f.buckets, buckets, 0.5), quantile(f.buckets, buckets, 0.99)
		}
		f.at, f.deliveries, f.buckets = now, deliveries, buckets
	}
	f.last.Connections = g.Sockets()
	return f.last
}

// quantile is the upper bound of the bucket in which the quantile lies of what
// a histogram took in from before to after. Buckets are about 14 % wide.
func quantile(before, after map[string]uint64, q float64) time.Duration {
	type bucket struct {
		upto  float64
		count uint64
	}
	var list []bucket
	total := uint64(0)
	for vmrange, count := range after {
		_, upto, _ := strings.Cut(vmrange, "...")
		bound, err := strconv.ParseFloat(upto, 64)
		if err == nil && count > before[vmrange] {
			list = append(list, bucket{bound, count - before[vmrange]})
			total += count - before[vmrange]
		}
	}
	slices.SortFunc(list, func(a, b bucket) int { return cmp.Compare(a.upto, b.upto) })
	seen := uint64(0)
	for _, b := range list {
		if seen += b.count; float64(seen) >= q*float64(total) {
			return time.Duration(b.upto * float64(time.Second))
		}
	}
	return 0
}
