package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts what happened: a simulation in which nothing does shows nothing.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) count(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[what] += n
}

func (t *tally) add(other *tally) {
	for what, n := range other.n {
		t.count(what, n)
	}
}

func (t *tally) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(t.n)) {
		fmt.Fprintf(&b, "\n%9d %s", t.n[what], what)
	}
	return b.String()
}
