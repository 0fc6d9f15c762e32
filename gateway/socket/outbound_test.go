package socket

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// The peer takes the stream in pieces of every size: frames, pongs and the close
// frame stay whole, in order, and Fill is not asked while something is left over.
func TestPartialWrites(t *testing.T) {
	for piece := 1; piece < 200; piece++ {
		rec := new(recorder)
		_, l := memSocket(t, Options{}, func(*Socket) Handler { return rec })
		l.room = piece
		var want bytes.Buffer
		for i := range 5 {
			m := []byte(strings.Repeat(fmt.Sprint(i), 30*i))
			rec.queue = append(rec.queue, m)
			want.Write(append(appendTextHead(nil, len(m)), m...))
		}
		l.s.Wake()
		l.settle()
		if l.s.waking.Load() != blocked {
			t.Fatalf("piece %d: not blocked", piece)
		}
		// What comes while it is blocked goes behind: two pings get one pong.
		l.receive(clientFrame(opPing, []byte("old")))
		l.receive(clientFrame(opPing, []byte("new")))
		rec.queue = append(rec.queue, []byte("late"))
		l.s.Wake()
		if l.woken {
			t.Fatalf("piece %d: a blocked socket was woken", piece)
		}
		want.WriteString("\x8a\x03new\x81\x04late")
		l.s.Close(4102, "slow")
		for l.s.waking.Load() == blocked {
			if len(rec.queue) != 1 && l.out.Len() < want.Len()-11 {
				t.Fatalf("piece %d: filled with something left over", piece)
			}
			l.room = piece
			l.s.writable()
			l.settle()
		}
		want.WriteString("\x88\x06\x10\x06slow")
		if !bytes.Equal(l.out.Bytes(), want.Bytes()) {
			t.Fatalf("piece %d:\n%q\nwant\n%q", piece, l.out.Bytes(), want.Bytes())
		}
		l.receive(clientFrame(opClose, []byte{16, 6}))
		if len(rec.closed) != 1 || rec.closed[0] != CloseServer {
			t.Fatalf("closed %v", rec.closed)
		}
	}
}

// counter is a handler with always the same frame to send.
type counter struct {
	recorder
	body []byte
	left int
}

func (c *counter) Fill(b *Batch) {
	for ; c.left > 0 && !b.Full(); c.left-- {
		b.Frame([]byte("head"), c.body, []byte("tail"))
	}
}

// A wake, its flush and a batch of any size allocate nothing; nor does a text
// frame from the client, beyond what the library's reader does.
func TestNoAllocations(t *testing.T) {
	c := &counter{body: make([]byte, 200)}
	_, l := memSocket(t, Options{}, func(*Socket) Handler { return c })
	for _, frames := range []int{1, 10, 2 * batchFrames} {
		if n := testing.AllocsPerRun(100, func() {
			c.left = frames
			l.out.Reset()
			l.s.Wake()
			l.s.Wake()
			l.settle()
		}); n != 0 {
			t.Errorf("a flush of %d frames: %v allocations", frames, n)
		}
		if c.left != 0 {
			t.Errorf("%d of %d frames left", c.left, frames)
		}
	}
	at := l.s.srv.wheel.base
	if n := testing.AllocsPerRun(100, func() { at = at.Add(tick); l.s.SetTimer(at) }); n != 0 {
		t.Errorf("SetTimer: %v allocations", n)
	}
}

// While many producers wake one socket, it stands in the queue once.
func TestWakeCoalesces(t *testing.T) {
	rec := new(recorder)
	srv, l := memSocket(t, Options{}, func(*Socket) Handler { return rec })
	was := srv.metrics.wakes.Get()
	for i := range 100 {
		rec.queue = append(rec.queue, fmt.Append(nil, i))
		l.s.Wake()
	}
	l.settle()
	if n := srv.metrics.wakes.Get() - was; n != 1 {
		t.Errorf("%d wakes, want 1", n)
	}
	if n := srv.metrics.writes.Get(); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

// To a peer that sent its close frame nothing but the answer is sent; the frame
// under way is finished.
func TestNothingAfterPeersClose(t *testing.T) {
	rec := &recorder{}
	_, l := memSocket(t, Options{}, func(*Socket) Handler { return rec })
	l.room = 4
	rec.queue = [][]byte{[]byte("under way")}
	l.s.Wake()
	l.settle()
	rec.queue = [][]byte{[]byte("too late")}
	l.receive(clientFrame(opClose, []byte{3, 232}))
	l.room = -1
	l.s.writable()
	l.settle()
	if got, want := l.out.String(), "\x81\x09under way\x88\x02\x03\xe8"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	if len(rec.closed) != 1 || rec.closed[0] != ClosePeer {
		t.Fatalf("closed %v", rec.closed)
	}
}

func TestBatchFull(t *testing.T) {
	for _, tc := range []struct{ size, frames int }{
		{0, batchFrames}, {1, batchFrames}, {1 << 10, 64}, {batchBytes, 1}, {4 * batchBytes, 1},
	} {
		var b Batch
		n := 0
		for body := make([]byte, tc.size); !b.Full(); n++ {
			b.Frame(nil, body, nil)
		}
		if n != tc.frames {
			t.Errorf("%d frames of %d bytes fill a batch, want %d", n, tc.size, tc.frames)
		}
		if b.reset(); cap(b.buf) > batchKeep || b.Full() {
			t.Errorf("after a reset: room for %d bytes, full %v", cap(b.buf), b.Full())
		}
	}
}
