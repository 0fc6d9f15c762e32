package feedengine

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// footprint is what a cluster of engines occupies, measured on the heap.
type footprint struct {
	users, edges            int
	index, whole, estimated float64 // bytes
}

func (f footprint) perEdge() float64 { return f.index / float64(f.edges) }
func (f footprint) perUser() float64 { return f.whole / float64(f.users) }

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// population is a power-law follow graph: the nth most followed user has about
// n^-0.8 as many followers as the first. Names are of a usual length.
func population(users, follows int) (names []string, graph [][]int32) {
	r := rand.New(rand.NewPCG(1, 1))
	const exponent = 0.8
	names, graph = make([]string, users), make([][]int32, users)
	for i := range users {
		names[i] = fmt.Sprintf("user%07d", i)
		seen := map[int32]bool{int32(i): true}
		for len(graph[i]) < follows {
			// The inverse of the distribution function of a density of x^-0.8.
			a := int32(math.Pow(r.Float64(), 1/(1-exponent)) * float64(users))
			if !seen[a] {
				seen[a] = true
				graph[i] = append(graph[i], a)
			}
		}
	}
	return names, graph
}

// measure loads everybody and attaches a session each; nothing is unread. With
// edges false the same users follow nobody: the difference is the edges' cost.
func measure(users, follows, shards int, edges bool) footprint {
	names, graph := population(users, follows)
	seed := maphash.MakeSeed()
	byShard := make([][]int, shards)
	for i, name := range names {
		s := maphash.String(seed, name) % uint64(shards)
		byShard[s] = append(byShard[s], i)
	}
	before := heap()
	engines := make([]*Engine, shards)
	f := footprint{users: users}
	for s := range engines {
		e := New(Options{ShardOf: func(string) ShardID { return 0 }, Heads: make([]Head, shards)})
		engines[s] = e
		for _, batch := range batches(byShard[s], 200) {
			in := LoadedInput{Heads: make([]Head, shards)}
			for _, i := range batch {
				name := names[i]
				e.Step(0, AttachInput{User: name + "", Session: SessionID(i + 1), Gateway: 1})
				u := LoadedUser{User: name}
				if edges {
					for _, a := range graph[i] {
						u.Follows = append(u.Follows, Edge{Author: names[a]})
					}
				}
				in.Users = append(in.Users, u)
			}
			e.Step(0, in)
		}
		e.Step(0, EvictInput{}) // the effects of the last step are not kept
		f.edges += e.Stats().Edges
	}
	f.whole = heap() - before
	for _, e := range engines {
		f.estimated += float64(e.Bytes())
	}
	for i := range names { // a user's name is the engine's own, as it comes off the wire
		f.whole += float64((len(names[i]) + 7) &^ 7)
	}
	runtime.KeepAlive(engines)
	runtime.KeepAlive(graph)
	return f
}

func batches(all []int, n int) [][]int {
	var out [][]int
	for len(all) > n {
		out, all = append(out, all[:n]), all[n:]
	}
	return append(out, all)
}

func measureBoth(users, follows, shards int) footprint {
	none := measure(users, follows, shards, false)
	f := measure(users, follows, shards, true)
	f.index = f.whole - none.whole
	return f
}

// BenchmarkFootprint is architecture.md's budget: 24 bytes an edge, index and
// view together, 1,536 bytes an idle online user who follows 50.
func BenchmarkFootprint(b *testing.B) {
	var f footprint
	for b.Loop() {
		f = measureBoth(100_000, 50, 256)
	}
	b.ReportMetric(f.perEdge(), "B/edge")
	b.ReportMetric(f.perUser(), "B/user")
	b.ReportMetric(f.estimated/f.whole, "Bytes()/heap")
	b.ReportMetric(0, "ns/op")
}

func TestFootprint(t *testing.T) {
	f := measureBoth(20_000, 50, 51)
	t.Logf("%.1f bytes an edge, %.0f bytes a user, Bytes() says %.2f of that", f.perEdge(), f.perUser(), f.estimated/f.whole)
	if f.perEdge() > 24 {
		t.Errorf("%.1f bytes an edge", f.perEdge())
	}
	if f.perUser() > 1536 {
		t.Errorf("%.0f bytes a user", f.perUser())
	}
	if r := f.estimated / f.whole; r < 0.9 || r > 1.1 {
		t.Errorf("Bytes() says %.2f of what the heap says", r)
	}
}
