package feedengine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestIdleList holds the list against a slice.
func TestIdleList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	e := New(Options{Heads: make([]Head, 1)})
	for _, user := range []string{"a", "b", "c", "d", "e", "f"} {
		e.newView(user)
	}
	var model []slot
	for step := range 3000 {
		e.now = int64(step)
		s := slot(1 + r.IntN(6))
		i := slices.Index(model, s)
		if i >= 0 {
			model = slices.Delete(model, i, i+1)
		}
		if r.IntN(2) == 0 {
			e.idle.add(e, s)
			model = append(model, s)
		} else {
			e.idle.remove(e, s)
		}
		var got []slot
		for at, before := e.idle.oldest, slot(0); at != 0; at = e.at(at).newer {
			if e.at(at).older != before || !e.at(at).idle {
				t.Fatalf("step %d: slot %d stands wrongly", step, at)
			}
			got, before = append(got, at), at
		}
		if !slices.Equal(got, model) || e.idle.n != len(model) {
			t.Fatalf("step %d: %v (%d), want %v", step, got, e.idle.n, model)
		}
		if len(model) > 0 && e.idle.newest != model[len(model)-1] {
			t.Fatalf("step %d: newest is %d, want %v", step, e.idle.newest, model)
		}
	}
}
