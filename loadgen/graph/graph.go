package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Celebrity is the user whom everybody follows.
const Celebrity = 0

// skew is the power by which popularity falls with a user's number.
const skew = 0.8

// MaxUsers and MaxFollowing bound a graph. A user may follow 10,000 by the protocol.
const (
	MaxUsers     = 10_000_000
	MaxFollowing = 5_000
)

// Graph says who follows whom. Its zero value is nobody.
type Graph struct {
	Seed      uint64
	Users     int
	Following int // how many each follows, on average
}

// Validate says what is wrong with a graph, or nil.
func (g Graph) Validate() error {
	switch {
	case g.Users < 1 || g.Users > MaxUsers:
		return fmt.Errorf("graph: want 1 to %d users, got %d", MaxUsers, g.Users)
	case g.Following < 0 || g.Following > MaxFollowing:
		return fmt.Errorf("graph: want to follow 0 to %d, got %d", MaxFollowing, g.Following)
	}
	return nil
}

// tag tells the users of different graphs on one server apart.
func (g Graph) tag() uint64 {
	return mix(mix(mix(g.Seed)+uint64(g.Users))+uint64(g.Following)) & 0xffffff
}

// Name is a user's id on the server, "lg3fa9c1.42".
func (g Graph) Name(user uint32) string { return string(g.AppendName(nil, user)) }

// AppendName appends a user's name.
func (g Graph) AppendName(dst []byte, user uint32) []byte {
	dst = fmt.Appendf(dst, "lg%06x.", g.tag())
	return strconv.AppendUint(dst, uint64(user), 10)
}

var errStranger = errors.New("graph: not a user of this graph")

// Index is the number of a named user, or an error for who is not of this graph.
func (g Graph) Index(name string) (uint32, error) {
	const head = len("lg000000.")
	if len(name) <= head {
		return 0, errStranger
	}
	n, err := strconv.ParseUint(name[head:], 10, 32)
	if err != nil || n >= uint64(g.Users) || g.Name(uint32(n)) != name {
		return 0, errStranger
	}
	return uint32(n), nil
}

// AppendFollowing appends whom a user follows: ascending, each once, never the user.
func (g Graph) AppendFollowing(dst []uint32, user uint32) []uint32 {
	start := len(dst)
	want := g.degree(user)
	if want == 0 {
		return dst
	}
	if user != Celebrity {
		dst = append(dst, Celebrity)
	}
	r := mix(g.Seed ^ mix(uint64(user)+1))
	whole := g.whole()
	// The popular come up again and again where users are few: then the next that
	// is free is taken.
	for tries := 0; len(dst)-start < want; tries++ {
		r = mix(r + 1)
		candidate := g.draw(whole, r)
		if tries > 8*want {
			candidate = uint32(tries % g.Users)
		}
		at, there := slices.BinarySearch(dst[start:], candidate)
		if !there && candidate != user {
			dst = slices.Insert(dst, start+at, candidate)
		}
	}
	return dst
}

// Follows reports whether a user follows another.
func (g Graph) Follows(user, author uint32) bool {
	_, there := slices.BinarySearch(g.AppendFollowing(make([]uint32, 0, 2*g.Following), user), author)
	return there
}

// degree is how many a user follows: half to one and a half times the average.
func (g Graph) degree(user uint32) int {
	low := g.Following - g.Following/2
	n := low + int(mix(g.Seed+uint64(user)*3+7)%uint64(g.Following/2*2+1))
	return min(n, g.Users-1)
}

// draw makes a user of 64 random bits, by the inverse of the integral of x^-skew
// over 1 … Users+1. The power by which that ends is the fifth, as skew is 0.8:
// multiplied out, in the order in which math.Pow does it, it costs a tenth.
func (g Graph) draw(whole float64, bits uint64) uint32 {
	x := whole*(float64(bits>>11)/(1<<53)) + 1
	square := x * x
	return uint32(min(max(int(x*(square*square))-1, 0), g.Users-1))
}

// whole is the integral of x^-skew over 1 … Users+1, times what makes it end.
func (g Graph) whole() float64 { return math.Pow(float64(g.Users+1), 1-skew) - 1 }

// mix is the finalizer of splitmix64, by Sebastiano Vigna.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Mix spreads the bits of a number over all 64: what is drawn from a seed here and
// in a schedule is drawn with it.
func Mix(x uint64) uint64 { return mix(x) }
