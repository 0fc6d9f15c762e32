package socket

import (
	"fmt"
	"testing"
)

// FuzzReceive feeds raw bytes after the handshake, at once and in pieces. However
// they are cut, the same messages and the same fault come of them; what goes out
// is whole frames, of which a close frame is the last; nothing large is kept.
func FuzzReceive(f *testing.F) {
	all, _ := legal()
	f.Add(all, uint16(1))
	f.Add(all[:len(all)/2], uint16(7))
	packed, _ := compressed()
	f.Add(packed, uint16(5))
	for i, v := range deflateViolations {
		f.Add(v.bytes, uint16(i))
	}
	for i, v := range violations {
		if len(v.bytes) < 2000 {
			f.Add(v.bytes, uint16(i))
			f.Add(join(clientFrame(opPing, []byte("x")), unfinished(clientFrame(opText, []byte("y"))), v.bytes), uint16(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, step uint16) {
		for _, deflate := range []bool{false, true} {
			whole, pieces := receiveAll(t, data, len(data), deflate), receiveAll(t, data, int(step%64)+1, deflate)
			if whole != pieces {
				t.Errorf("at once:   %s\nin pieces: %s", whole, pieces)
			}
		}
	})
}

// receiveAll returns all that came of data, in a form to compare.
func receiveAll(t *testing.T, data []byte, step int, deflate bool) string {
	const maxFrame = 512
	rec := new(recorder)
	srv, l := memSocket(t, Options{MaxFrame: maxFrame, Deflate: deflate}, func(*Socket) Handler { return rec })
	for rest := data; len(rest) > 0; {
		n := min(step, len(rest))
		l.receive(rest[:n])
		rest = rest[n:]
		if kept := len(l.s.in.part) + len(l.s.in.text); kept > 2*maxFrame+maxHeader && l.s.refs.Load() > 0 {
			t.Fatalf("%d bytes kept", kept)
		}
	}
	ended := checkFrames(t, l.out.Bytes())
	l.s.Abort("test over")
	l.settle()
	if len(rec.closed) != 1 || l.shut != 1 || srv.reg.count() != 0 {
		t.Fatalf("closed %v, link %d times, %d open", rec.closed, l.shut, srv.reg.count())
	}
	if ended != (len(rec.faults) > 0) && rec.closed[0] != ClosePeer {
		t.Fatalf("close frame sent: %v, faults %v, closed for %v", ended, rec.faults, rec.closed)
	}
	return fmt.Sprintf("%q %v", rec.got, rec.faults)
}

// checkFrames holds that out is whole frames as a server may send them, and says
// whether the last is a close frame.
func checkFrames(t *testing.T, out []byte) (ended bool) {
	for len(out) > 0 {
		h, ok := parseHead(out)
		if !ok || h.masked || h.first&bitFin == 0 || h.first&bitsRSV != 0 || h.header+int(h.payload) > len(out) {
			t.Fatalf("bad frame sent: %x", out)
		}
		if ended {
			t.Fatalf("sent after the close frame: %x", out)
		}
		switch h.op() {
		case opText, opPong:
		case opClose:
			ended = true
		default:
			t.Fatalf("opcode %d sent", h.op())
		}
		out = out[h.header+int(h.payload):]
	}
	return ended
}
