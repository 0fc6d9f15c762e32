package lean

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// serverFrame is a frame as a server sends it.
func serverFrame(first byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		return append([]byte{first, byte(n)}, payload...)
	case n < 1<<16:
		return append([]byte{first, 126, byte(n >> 8), byte(n)}, payload...)
	default:
		return append(binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n)), payload...)
	}
}

// script is a sink that writes down what it is given.
type script struct{ calls []string }

func (s *script) text(p []byte) { s.calls = append(s.calls, fmt.Sprintf("text %d %.20q", len(p), p)) }
func (s *script) control(op byte, p []byte) {
	s.calls = append(s.calls, fmt.Sprintf("control %d %q", op, p))
}

func (s *script) String() string { return strings.Join(s.calls, "\n") }

// feedIn gives p in pieces of at most size bytes and returns what came of it.
func feedIn(p []byte, size, limit int) (string, *inbound) {
	var s script
	in := &inbound{}
	for len(p) > 0 {
		n := min(size, len(p))
		closed, err := in.feed(bytes.Clone(p[:n]), limit, &s)
		if err != nil {
			return s.String() + "\n" + err.Error(), in
		}
		if closed {
			break
		}
		p = p[n:]
	}
	return s.String(), in
}

func TestFramesAreReadHoweverTheyAreSplit(t *testing.T) {
	const fin = bitFin
	long := bytes.Repeat([]byte("x"), 70_000)
	medium := bytes.Repeat([]byte("y"), 300)
	var all []byte
	for _, f := range [][]byte{
		serverFrame(fin|opText, []byte("a")),
		serverFrame(fin|opText, nil),
		serverFrame(fin|opPing, []byte("beat")),
		serverFrame(opText, []byte("b")),
		serverFrame(fin|opPong, nil),
		serverFrame(opContinuation, nil),
		serverFrame(fin|opContinuation, []byte("c")),
		serverFrame(fin|opText, medium),
		serverFrame(opText, nil),
		serverFrame(fin|opContinuation, nil),
		serverFrame(fin|opText, long),
		serverFrame(fin|opClose, []byte("\x03\xe8bye")),
		[]byte("noise after the close"),
	} {
		all = append(all, f...)
	}
	want := strings.Join([]string{
		`text 1 "a"`, `text 0 ""`, `control 9 "beat"`, `control 10 ""`, `text 2 "bc"`,
		`text 300 "yyyyyyyyyyyyyyyyyyyy"`, `text 0 ""`, `text 70000 "xxxxxxxxxxxxxxxxxxxx"`, `control 8 "\x03\xe8bye"`,
	}, "\n")
	for _, size := range []int{1, 2, 3, 7, 100, 65_536, len(all)} {
		if got, _ := feedIn(all, size, 1<<20); got != want {
			t.Errorf("in pieces of %d:\n%s\nwant\n%s", size, got, want)
		}
	}
	// Every single place to split a frame and what follows it.
	two := append(serverFrame(fin|opText, medium), serverFrame(fin|opText, []byte("z"))...)
	for at := range two {
		var s script
		in := &inbound{}
		for _, p := range [][]byte{two[:at], two[at:]} {
			if _, err := in.feed(p, 1<<20, &s); err != nil {
				t.Fatal(err)
			}
		}
		if len(s.calls) != 2 || in.part != nil || in.msg != nil {
			t.Errorf("split at %d: %v, %d bytes kept", at, s.calls, len(in.part))
		}
	}
}

func TestViolationsAreNoticed(t *testing.T) {
	frame := func(bytes ...byte) []byte { return bytes }
	for name, p := range map[string][]byte{
		"reserved bits":           frame(0xc1, 0),
		"reserved opcode":         frame(0x83, 0),
		"reserved control opcode": frame(0x8b, 0),
		"masked":                  frame(0x81, 0x81, 1, 2, 3, 4, 5),
		"fragmented ping":         frame(0x09, 0),
		"long ping":               frame(0x89, 126, 0, 126),
		"binary":                  serverFrame(bitFin|opBinary, []byte("x")),
		"16 bits for 125":         append(frame(0x81, 126, 0, 125), make([]byte, 125)...),
		"64 bits for 65535":       frame(0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
		"a negative length":       frame(0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0),
		"larger than we take":     frame(0x81, 127, 0, 0, 0, 0, 0, 1, 0, 1),
		"fragments too large":     append(serverFrame(opText, make([]byte, 60_000)), serverFrame(opContinuation, make([]byte, 5_537))...),
		"continuation of nothing": serverFrame(bitFin|opContinuation, nil),
		"text within a message":   append(serverFrame(opText, nil), serverFrame(bitFin|opText, nil)...),
		"text not UTF-8":          serverFrame(bitFin|opText, []byte("\xff")),
		"close of one byte":       serverFrame(bitFin|opClose, []byte{3}),
		"close 1005":              serverFrame(bitFin|opClose, []byte{3, 0xed}),
		"close 999":               serverFrame(bitFin|opClose, []byte{3, 0xe7}),
		"close 5000":              serverFrame(bitFin|opClose, []byte{0x13, 0x88}),
		"close not UTF-8":         serverFrame(bitFin|opClose, []byte{3, 0xe8, 0xff}),
	} {
		for _, size := range []int{1, len(p)} {
			if got, _ := feedIn(p, size, 1<<16); !strings.Contains(got, "broke the protocol") {
				t.Errorf("%s, in pieces of %d: %q", name, size, got)
			}
		}
	}
}

func TestOurFramesAreMasked(t *testing.T) {
	for _, n := range []int{0, 1, 3, 7, 8, 9, 125, 126, 65_535, 65_536} {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(i)
		}
		f := appendFrame(nil, bitFin|opText, 0x04030201, p)
		head := len(f) - n - 4
		if head != len(serverFrame(0, p))-n || f[1]&bitMask == 0 || !bytes.Equal(f[head:head+4], []byte{1, 2, 3, 4}) {
			t.Fatalf("%d bytes: header %x", n, f[:head+4])
		}
		for i := range p {
			if f[head+4+i] != p[i]^byte(i%4+1) {
				t.Fatalf("%d bytes: byte %d is %x", n, i, f[head+4+i])
			}
		}
	}
}

// FuzzInbound holds that what comes of a server's bytes does not depend on how
// they are split, and that no more is kept than a message may have.
func FuzzInbound(f *testing.F) {
	f.Add(append(serverFrame(opText, []byte("a")), serverFrame(bitFin|opContinuation, []byte("b"))...), uint64(1))
	f.Add(serverFrame(bitFin|opClose, []byte("\x03\xe8")), uint64(2))
	f.Add(serverFrame(bitFin|opPing, []byte("x")), uint64(3))
	f.Add(serverFrame(bitFin|opText, make([]byte, 300)), uint64(4))
	f.Fuzz(func(t *testing.T, p []byte, seed uint64) {
		const limit = 1000
		want, _ := feedIn(p, len(p)+1, limit)
		random := rand.New(rand.NewPCG(seed, 0))
		for _, size := range []int{1, 1 + random.IntN(20)} {
			got, in := feedIn(p, size, limit)
			if got != want {
				t.Errorf("in pieces of %d:\n%s\nin one:\n%s", size, got, want)
			}
			if len(in.part) > limit+10 || len(in.msg) > limit {
				t.Errorf("%d and %d bytes are kept", len(in.part), len(in.msg))
			}
		}
	})
}
