package graph

import (
	"slices"
	"testing"
)

func TestFollowingIsAscendingDistinctAndTheSameEveryTime(t *testing.T) {
	for _, g := range []Graph{{1, 1, 50}, {1, 2, 50}, {1, 40, 50}, {2, 1000, 50}, {3, 500, 1}, {4, 500, 0}, {5, 3000, 7}} {
		for u := range uint32(g.Users) {
			f := g.AppendFollowing(nil, u)
			if !slices.Equal(f, g.AppendFollowing(nil, u)) {
				t.Fatalf("%+v: user %d follows others the second time", g, u)
			}
			if slices.Contains(f, u) {
				t.Fatalf("%+v: user %d follows themselves", g, u)
			}
			for i := 1; i < len(f); i++ {
				if f[i-1] >= f[i] {
					t.Fatalf("%+v: user %d follows %v", g, u, f)
				}
			}
			if g.Following > 0 && u != Celebrity && !slices.Contains(f, Celebrity) {
				t.Fatalf("%+v: user %d does not follow the celebrity", g, u)
			}
			if len(f) > 0 && int(f[len(f)-1]) >= g.Users {
				t.Fatalf("%+v: user %d follows %d", g, u, f[len(f)-1])
			}
			for _, a := range f {
				if !g.Follows(u, a) {
					t.Fatalf("%+v: Follows(%d, %d) is false", g, u, a)
				}
			}
		}
	}
}

func TestTheAverageAndTheTail(t *testing.T) {
	g := Graph{Seed: 42, Users: 20_000, Following: 50}
	followers := make([]int, g.Users)
	edges := 0
	var f []uint32
	for u := range uint32(g.Users) {
		f = g.AppendFollowing(f[:0], u)
		edges += len(f)
		for _, a := range f {
			followers[a]++
		}
	}
	if mean := float64(edges) / float64(g.Users); mean < 49.5 || mean > 50.5 {
		t.Errorf("each follows %.2f on average", mean)
	}
	if followers[0] != g.Users-1 {
		t.Errorf("the celebrity has %d followers", followers[0])
	}
	// A power law: ten times the number, about a sixth of the followers.
	for _, at := range []int{100, 1000} {
		a, b := window(followers, at), window(followers, at*10)
		if ratio := a / b; ratio < 4.5 || ratio > 9 {
			t.Errorf("around %d there are %.1f followers, around %d %.1f: a ratio of %.2f", at, a, at*10, b, ratio)
		}
	}
	if last := window(followers, 18_000); last < 3 {
		t.Errorf("the least popular have %.1f followers", last)
	}
}

// window is the average around a place.
func window(n []int, at int) float64 {
	sum := 0
	for _, v := range n[at-at/20 : at+at/20] {
		sum += v
	}
	return float64(sum) / float64(at/20*2)
}

func TestOtherSeedsAreOtherGraphsAndOtherPeople(t *testing.T) {
	a, b := Graph{1, 1000, 50}, Graph{2, 1000, 50}
	if a.Name(7) == b.Name(7) || a.Name(7) == (Graph{1, 1001, 50}).Name(7) {
		t.Error("two graphs share a user")
	}
	if slices.Equal(a.AppendFollowing(nil, 7), b.AppendFollowing(nil, 7)) {
		t.Error("two seeds give the same graph")
	}
}

func TestValidate(t *testing.T) {
	for _, g := range []Graph{{1, 0, 5}, {1, MaxUsers + 1, 5}, {1, 5, -1}, {1, 5, MaxFollowing + 1}} {
		if g.Validate() == nil {
			t.Errorf("%+v is accepted", g)
		}
	}
	if err := (Graph{1, 5, 5}).Validate(); err != nil {
		t.Error(err)
	}
}

// FuzzIndex holds that exactly the names that Name gives are users.
func FuzzIndex(f *testing.F) {
	g := Graph{1, 1000, 50}
	for _, name := range []string{g.Name(0), g.Name(999), g.Name(7) + " ", "lg000000.1", "", "lg", g.Name(1)[:9] + "01", g.Name(1)[:9] + "+1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		u, err := g.Index(name)
		if err == nil && g.Name(u) != name {
			t.Errorf("%q is user %d, whose name is %q", name, u, g.Name(u))
		}
		for _, u := range []uint32{0, 9, 10, 99, 999} {
			if got, err := g.Index(g.Name(u)); err != nil || got != u {
				t.Errorf("%q is %d, %v", g.Name(u), got, err)
			}
		}
	})
}

func BenchmarkFollowing(b *testing.B) {
	g := Graph{42, 100_000, 50}
	var f []uint32
	for i := 0; b.Loop(); i++ {
		f = g.AppendFollowing(f[:0], uint32(i%g.Users))
	}
}
