package graph

import (
	"math"
	"testing"
)

// TestDrawIsTheFifthPower holds what is multiplied out against math.Pow, to the bit:
// a graph that has been brought to a server must stay the same.
func TestDrawIsTheFifthPower(t *testing.T) {
	for _, users := range []int{1, 2, 1000, 100_000, MaxUsers} {
		g := Graph{Seed: 7, Users: users, Following: 50}
		for i := range uint64(50_000) {
			bits := mix(i)
			x := float64(bits>>11) / (1 << 53)
			whole := math.Pow(float64(g.Users+1), 1-skew) - 1
			want := uint32(min(max(int(math.Pow(whole*x+1, 1/(1-skew)))-1, 0), g.Users-1))
			if got := g.draw(g.whole(), bits); got != want {
				t.Fatalf("of %d users %x draws %d, want %d", users, bits, got, want)
			}
		}
	}
}
