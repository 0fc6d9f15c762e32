package route

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// sink is a gateway, and links, that take nothing.
type sink struct{}

func (sink) Deliver(feedengine.Delivery)    {}
func (sink) Reset(feedengine.Reset)         {}
func (sink) Send(string, link.Message) bool { return true }

// fullTable is a router with so many whole sessions in one shard.
func fullTable(sessions int) (*Router, []feedengine.Recipient) {
	r := NewRouter(RouterOptions{
		Self: "me", Shards: 1, ShardOf: func(string) feedengine.ShardID { return 0 },
		Links: sink{}, Gateway: sink{}, Metrics: metrics.NewSet(), Log: quiet,
	})
	t := r.tables[0]
	t.owner, t.epoch = "p", 1
	to := make([]feedengine.Recipient, sessions)
	for i := range to {
		id := feedengine.SessionID(i)<<20 | feedengine.SessionID(i)
		t.add(id, "ann")
		t.sessions[id].state = whole
		to[i] = feedengine.Recipient{Session: id}
	}
	return r, to
}

func next(to []feedengine.Recipient) {
	for i := range to {
		to[i].N++
	}
}

// A delivery whose recipients are all whole allocates nothing, and neither do those
// of which some are not.
func TestDeliverAllocatesNothing(t *testing.T) {
	r, to := fullTable(100)
	defer r.Stop()
	d := feedengine.Delivery{Event: &feedengine.Event{ID: 7}, To: to}
	at := feedengine.Place{Epoch: 1}
	m := link.Message(link.Deliver{Place: at, Delivery: d}) // as it comes from the links
	from := link.Peer{Node: "p"}
	r.Receive(from, m)
	if n := testing.AllocsPerRun(100, func() {
		next(to)
		r.Receive(from, m)
	}); n != 0 {
		t.Errorf("%v allocations per delivery", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		next(to[1:])
		r.Receive(from, m) // a duplicate for one
	}); n != 0 {
		t.Errorf("%v allocations per delivery with a duplicate", n)
	}
	if n := r.metrics.forwarded.Get(); n < 100*101+99*101 {
		t.Errorf("%d were forwarded", n)
	}
}

// TestSessionBytes holds an attached session to its budget.
func TestSessionBytes(t *testing.T) {
	for _, sessions := range []int{57_000, 115_000} { // just below and above where a map grows
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, _ := fullTable(sessions)
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (int64(after.HeapAlloc) - int64(before.HeapAlloc) - int64(len(r.recent))*40) / int64(sessions)
		t.Logf("%d sessions: %d bytes each", sessions, each)
		if each > 120 {
			t.Errorf("%d sessions take %d bytes each, more than 120", sessions, each)
		}
		r.Stop() // which keeps it alive up to here
	}
}

// BenchmarkDeliver is the check of a delivery's recipients; x-floor is against
// looking each of them up in a map, which there is no way around.
func BenchmarkDeliver(b *testing.B) {
	for _, sessions := range []int{400, 100_000} {
		for _, n := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("sessions=%d/to=%d", sessions, n), func(b *testing.B) {
				r, all := fullTable(sessions)
				defer r.Stop()
				table := r.tables[0]
				d := feedengine.Delivery{Event: &feedengine.Event{ID: 7}}
				at := feedengine.Place{Epoch: 1}
				pick := func(i int) []feedengine.Recipient { first := i * n % (sessions - n); return all[first : first+n] }
				floor := func() float64 {
					began := time.Now()
					for i := range 20_000 {
						to := pick(i)
						next(to)
						for k := range to {
							table.sessions[to[k].Session].n = to[k].N
						}
					}
					return float64(time.Since(began)) / 20_000
				}
				floor() // warms up
				least := floor()
				b.ResetTimer()
				for i := range b.N {
					d.To = pick(i)
					next(d.To)
					table.deliver("p", at, d, false)
				}
				each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				b.ReportMetric(each/least, "x-floor")
				b.ReportMetric(each/float64(n), "ns/recipient")
			})
		}
	}
}
