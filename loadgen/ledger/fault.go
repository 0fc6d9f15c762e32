package ledger

import "slices"

// Kind is what is wrong with what a server did.
type Kind string

// The kinds of faults. Any one makes a run fail.
const (
	Missing     Kind = "missing"      // a post did not come, or not in time
	Doubled     Kind = "doubled"      // a post, or an n, came twice
	Swapped     Kind = "swapped"      // an author's posts came out of order, or n went back
	Unexpected  Kind = "unexpected"   // a post that was not for this user
	Corrupted   Kind = "corrupted"    // a post that is not as it was published
	Miscounted  Kind = "miscounted"   // an unread counter is not what it should be
	WrongMark   Kind = "wrong_mark"   // a read mark is not where it was put
	WrongResume Kind = "wrong_resume" // a resume's answer does not fit where the client was
	Unrepaired  Kind = "unrepaired"   // a client is not whole again: not attached, or in a gap
	Refused     Kind = "refused"      // a request was refused for good
	Protocol    Kind = "protocol"     // a frame or a close that the protocol does not have
)

// Kinds are all of them.
var Kinds = []Kind{Missing, Doubled, Swapped, Unexpected, Corrupted, Miscounted, WrongMark, WrongResume, Unrepaired, Refused, Protocol}

// Fault is one, with what a person needs to look for it.
type Fault struct {
	Kind Kind   `json:"kind"`
	User string `json:"user"`
	What string `json:"what"`
}

// samplesPerKind is how many faults of a kind are kept in full.
const samplesPerKind = 10

// Faults counts all and keeps the first of each kind. It is not for use by several
// goroutines at once.
type Faults struct {
	Counts  map[Kind]int64 `json:"counts"`
	Samples []Fault        `json:"samples"`
}

// Add notes a fault.
func (f *Faults) Add(x Fault) {
	if f.Counts == nil {
		f.Counts = map[Kind]int64{}
	}
	f.Counts[x.Kind]++
	if f.Counts[x.Kind] <= samplesPerKind {
		f.Samples = append(f.Samples, x)
	}
}

// Merge adds another's faults.
func (f *Faults) Merge(o *Faults) {
	if f.Counts == nil {
		f.Counts = map[Kind]int64{}
	}
	for k, n := range o.Counts {
		f.Counts[k] += n
	}
	for _, x := range o.Samples {
		same := 0
		for _, y := range f.Samples {
			if y.Kind == x.Kind {
				same++
			}
		}
		if same < samplesPerKind {
			f.Samples = append(f.Samples, x)
		}
	}
}

// Total is how many there are.
func (f *Faults) Total() (n int64) {
	for _, c := range f.Counts {
		n += c
	}
	return n
}

// Clone is a copy that later Adds do not change.
func (f *Faults) Clone() Faults {
	c := Faults{Samples: slices.Clone(f.Samples)}
	c.Merge(&Faults{Counts: f.Counts})
	return c
}
