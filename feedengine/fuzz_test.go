package feedengine

import "testing"

// bytesChooser makes a simulation's choices with the fuzzer's bytes, and chooses
// first once they are used up.
type bytesChooser struct{ rest []byte }

func (b *bytesChooser) intn(n int) int {
	if len(b.rest) == 0 || n <= 1 {
		return 0
	}
	c := int(b.rest[0])
	b.rest = b.rest[1:]
	return c % n
}

func (b *bytesChooser) done() bool { return len(b.rest) == 0 }

// FuzzEngine lets the fuzzer choose what happens in TestModel's simulation: any
// sequence of inputs that keeps to what input.go says. Everything is checked as there.
func FuzzEngine(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x02\x01\x03\x00\x01\x02\x00\x46\x01\x00\x01\x47\x00\x00\x00\x10\x05\x02\x01\x20\x00\x00\x40\x41"))
	f.Add([]byte("a follow, a post, a load that lags; and the rest of the day's work, 0123456789"))
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 8<<10 {
			return
		}
		s := newSim(t, &bytesChooser{choices})
		s.name = "the fuzzer has written the choices down"
		s.run()
	})
}
