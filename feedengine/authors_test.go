package feedengine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAuthorsModel holds the follow index against a map of maps.
func TestAuthorsModel(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		a := newAuthors()
		model := map[string]map[slot]bool{}
		names := 1 + r.IntN(3000)
		grow := true
		for step := range 20_000 {
			if step%4000 == 0 {
				grow = !grow || step == 0
			}
			user := fmt.Sprintf("user-%d-of-a-name-of-some-length", r.IntN(1+r.IntN(names)))
			v := slot(1 + r.IntN(100))
			at, ok := a.find(user)
			if ok != (len(model[user]) > 0) {
				t.Fatalf("seed %d step %d: find %q: %v", seed, step, user, ok)
			}
			if ok && string(a.name(at)) != user {
				t.Fatalf("seed %d step %d: %q is named %q", seed, step, user, a.name(at))
			}
			switch has := model[user][v]; {
			case !has && (grow || r.IntN(4) == 0):
				if got := a.add(user, v); ok && got != at {
					t.Fatalf("seed %d step %d: %q moved", seed, step, user)
				}
				if model[user] == nil {
					model[user] = map[slot]bool{}
				}
				model[user][v] = true
			case has && (!grow || r.IntN(4) == 0):
				a.remove(at, v)
				if delete(model[user], v); len(model[user]) == 0 {
					delete(model, user)
				}
			}
		}
		compareAuthors(t, &a, model)
		for user, followers := range model { // and down to nothing
			at, _ := a.find(user)
			for v := range followers {
				a.remove(at, v)
			}
			if _, ok := a.find(user); ok {
				t.Fatalf("seed %d: %q is still there", seed, user)
			}
		}
		if a.live != 0 || a.edges != 0 || a.stored-a.dead != 0 {
			t.Fatalf("seed %d: %d live, %d edges, %d bytes of names left", seed, a.live, a.edges, a.stored-a.dead)
		}
		checkRuns(t, &a.runs, nil)
	}
}

func compareAuthors(t *testing.T, a *authors, model map[string]map[slot]bool) {
	t.Helper()
	edges := 0
	taken := map[uint32]int{}
	for user, followers := range model {
		at, ok := a.find(user)
		if !ok {
			t.Fatalf("%q is not found", user)
		}
		got := slices.Clone(a.followers(at))
		slices.Sort(got)
		for i, v := range got {
			if !followers[v] || i > 0 && got[i-1] == v {
				t.Fatalf("%q: followers %v, want %v", user, got, followers)
			}
		}
		if len(got) != len(followers) {
			t.Fatalf("%q: %d followers, want %d", user, len(got), len(followers))
		}
		edges += len(followers)
		if n := a.count(at); n > 1 {
			taken[a.entry(at).run[0]] = classOf(uint32(n) + 1)
		}
	}
	if a.live != len(model) || a.edges != edges {
		t.Fatalf("%d live of %d, %d edges of %d", a.live, len(model), a.edges, edges)
	}
	checkRuns(t, &a.runs, taken)
}

// Names that were forgotten do not stay in memory.
func TestAuthorsForgetNames(t *testing.T) {
	a := newAuthors()
	for i := range 100_000 {
		user := fmt.Sprintf("somebody-%d", i)
		a.remove(a.add(user, 1), 1)
	}
	if a.bytes() > 32<<10 {
		t.Errorf("%d bytes for nobody", a.bytes())
	}
}

func TestAuthorsLongestName(t *testing.T) {
	a := newAuthors()
	long := fmt.Sprintf("%064d", 7)
	at := a.add(long, 3)
	if string(a.name(at)) != long || !slices.Equal(a.followers(at), []slot{3}) {
		t.Errorf("%q: %v", a.name(at), a.followers(at))
	}
}
