package cluster

import (
	"fmt"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
)

const many = 1024 // shards

// A fourth node takes a quarter of the shards, from all three alike, and nothing
// else moves; and the same backwards.
func TestPlaceMovesOnlyWhatANewNodeTakes(t *testing.T) {
	for _, names := range [][]string{
		{"a", "b", "c", "d"},
		{"node-1", "node-2", "node-3", "node-4"},
		{"feedgate-0", "feedgate-1", "feedgate-2", "feedgate-3"},
		{"host-1001", "host-1002", "host-1003", "host-1004"},
		{"10.0.0.1-7", "10.0.0.2-7", "10.0.0.3-7", "10.0.0.4-7"},
	} {
		three, four := names[:3], names
		moved := map[string]int{} // by the node that they moved from
		total := 0
		for s := range feedengine.ShardID(many) {
			before, after := place(three, s), place(four, s)
			if before == after {
				continue
			}
			if after != names[3] {
				t.Errorf("%v: shard %d moved from %s to %s, which is not the new node", names, s, before, after)
			}
			moved[before]++
			total++
		}
		if percent := 100 * float64(total) / many; percent < 20 || percent > 30 {
			t.Errorf("%v: %.1f %% moved, want 25 ± 5", names, percent)
		}
		for _, n := range three {
			if percent := 100 * float64(moved[n]) / many; percent < 4 || percent > 13 {
				t.Errorf("%v: %.1f %% of all moved from %s, want about 8", names, percent, n)
			}
		}
	}
}

func TestPlaceSpreads(t *testing.T) {
	for n := 1; n <= 16; n++ {
		var nodes []string
		for i := range n {
			nodes = append(nodes, fmt.Sprint("node-", i))
		}
		count := map[string]int{}
		for s := range feedengine.ShardID(many) {
			count[place(nodes, s)]++
		}
		for _, node := range nodes {
			if even := many / n; count[node] < even/2 || count[node] > even*3/2+1 {
				t.Errorf("%s of %d nodes has %d shards, want about %d", node, n, count[node], even)
			}
		}
	}
}

func TestPlaceIsOfASet(t *testing.T) {
	if got := place(nil, 7); got != "" {
		t.Errorf("place without nodes: %q", got)
	}
	for s := range feedengine.ShardID(many) {
		if x, y := place([]string{"a", "b", "c"}, s), place([]string{"c", "a", "b"}, s); x != y {
			t.Fatalf("shard %d: %s or %s, depending on the order", s, x, y)
		}
	}
	if n := testing.AllocsPerRun(100, func() { place([]string{"a", "b", "c"}, 5) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
