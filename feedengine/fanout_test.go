package feedengine

import (
	"fmt"
	"syscall"
	"testing"
)

// residents returns an engine in which n users with a session each follow alice,
// and a function that steps it with her next post.
func residents(tb testing.TB, n, keep int) (*Engine, func()) {
	e := New(Options{ShardOf: func(string) ShardID { return 0 }, Heads: make([]Head, 1), KeepUnread: keep})
	in := LoadedInput{Heads: make([]Head, 1)}
	for i := range n {
		user := fmt.Sprintf("user-%d", i)
		e.Step(0, AttachInput{User: user, Session: SessionID(i + 1), Gateway: GatewayID(i % 2)})
		in.Users = append(in.Users, LoadedUser{User: user, Follows: []Edge{{Author: "alice"}}})
	}
	e.Step(0, in)
	ev := Event{Kind: KindPost, Actor: "alice", Post: &Post{Author: "alice"}}
	post := func() {
		next := ev
		next.Seq = e.Heads()[0].Seq + 1
		next.ID = Tick(next.Seq).ID(0)
		got := 0
		for _, effect := range e.Step(0, LogInput{Event: &next}) {
			got += len(effect.(Deliver).To)
		}
		if got != n {
			tb.Fatalf("%d recipients of %d", got, n)
		}
	}
	// Until tails and counters have the room that they keep: from then on a post
	// grows nothing.
	for range 2*max(keep, DefaultKeepTail) + 2 {
		post()
	}
	return e, post
}

// BenchmarkFanOut is a post to 10,000 resident followers with a session each.
func BenchmarkFanOut(b *testing.B) {
	const followers = 10_000
	e, post := residents(b, followers, DefaultKeepUnread)
	b.ReportAllocs()
	cpu := cpuTime(b)
	for b.Loop() {
		post()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/followers, "ns/recipient")
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N)/followers, "cpu-ns/recipient")
	if err := e.Check(); err != nil {
		b.Fatal(err)
	}
}

// cpuTime is what the process has used, in nanoseconds: on a machine with other
// work, wall time says little.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func TestFanOutAllocs(t *testing.T) {
	const followers = 10_000
	_, post := residents(t, followers, 16)
	if n := testing.AllocsPerRun(130, post); n >= 10 {
		t.Errorf("%v allocations for a post to %d followers", n, followers)
	}
}
