package socket

import (
	"testing"
	"time"
)

// Every deadline, by a clock that the test moves: what is late ends the socket,
// what was done in time does not haunt it later.
func TestDeadlines(t *testing.T) {
	half := clientFrame(opText, []byte("hello"))[:8]
	rest := clientFrame(opText, []byte("hello"))[8:]
	blocking := func(l *memLink, rec *recorder) {
		l.room = 3
		rec.queue = append(rec.queue, []byte("some text"))
		l.s.Wake()
		l.settle()
	}
	takes := func(l *memLink, n int) {
		l.room = n
		l.s.writable()
		l.settle()
	}
	for _, tc := range []struct {
		name string
		do   func(*memLink, *recorder)
		why  CloseReason // "": still open
		code int         // of the fault
	}{
		{"idle for a day", func(l *memLink, _ *recorder) { l.pass(24 * time.Hour) }, "", 0},
		{"half a frame", func(l *memLink, _ *recorder) { l.receive(half); l.pass(10500 * time.Millisecond) }, "", CodeFrameTimeout},
		{"half a frame, almost too long", func(l *memLink, _ *recorder) { l.receive(half); l.pass(9 * time.Second) }, "", 0},
		{"half a frame a bit at a time", func(l *memLink, _ *recorder) {
			for _, b := range half[:6] {
				l.receive([]byte{b})
				l.pass(2 * time.Second)
			}
		}, "", CodeFrameTimeout},
		{"a frame in two halves", func(l *memLink, _ *recorder) {
			l.receive(half)
			l.pass(5 * time.Second)
			l.receive(rest)
			l.pass(time.Hour)
		}, "", 0},
		{"every frame in two halves", func(l *memLink, _ *recorder) {
			l.receive(half)
			for range 20 {
				l.pass(5 * time.Second)
				l.receive(join(rest, half))
			}
		}, "", 0},
		{"blocked", func(l *memLink, r *recorder) { blocking(l, r); l.pass(31 * time.Second) }, CloseWriteTimeout, 0},
		{"blocked, then not", func(l *memLink, r *recorder) { blocking(l, r); takes(l, -1); l.pass(time.Hour) }, "", 0},
		{"blocked, but moving", func(l *memLink, r *recorder) {
			blocking(l, r)
			for range 5 {
				l.pass(20 * time.Second)
				takes(l, 1)
			}
		}, "", 0},
		{"close not taken", func(l *memLink, r *recorder) { blocking(l, r); l.s.Close(4102, ""); l.pass(6 * time.Second) }, CloseTimeout, 0},
		{"close not answered", func(l *memLink, r *recorder) { l.s.Close(4102, ""); l.settle(); l.pass(6 * time.Second) }, CloseServer, 0},
		{"fault not answered", func(l *memLink, r *recorder) { l.receive(unmasked(opText, "x")); l.pass(6 * time.Second) }, CloseFault, CodeProtocol},
	} {
		rec := new(recorder)
		_, l := memSocket(t, Options{}, func(*Socket) Handler { return rec })
		tc.do(l, rec)
		if tc.why == "" && tc.code == 0 && len(rec.closed) > 0 || tc.why != "" && (len(rec.closed) != 1 || rec.closed[0] != tc.why) {
			t.Errorf("%s: closed %v, want %q", tc.name, rec.closed, tc.why)
		}
		if tc.code == 0 && len(rec.faults) > 0 || tc.code != 0 && (len(rec.faults) != 1 || rec.faults[0].Code != tc.code) {
			t.Errorf("%s: faults %v, want %d", tc.name, rec.faults, tc.code)
		}
	}
}

// punctual is a handler that sets its timer anew each time, a minute on.
type punctual struct {
	recorder
	s *Socket
}

func (h *punctual) Timer(now time.Time) {
	h.timers++
	h.s.SetTimer(now.Add(time.Minute))
}

func TestTimerSetAgain(t *testing.T) {
	h := new(punctual)
	srv, l := memSocket(t, Options{}, func(s *Socket) Handler { h.s = s; return h })
	l.s.SetTimer(srv.wheel.base.Add(time.Hour))
	l.s.SetTimer(srv.wheel.base.Add(time.Minute))
	l.receive(clientFrame(opText, []byte("hello"))[:8]) // another deadline beside it
	l.receive(clientFrame(opText, []byte("hello"))[8:])
	l.pass(10*time.Minute + time.Second)
	if h.timers != 10 {
		t.Errorf("%d calls in ten minutes, want 10", h.timers)
	}
	l.s.SetTimer(time.Time{})
	l.pass(time.Hour)
	if h.timers != 10 {
		t.Error("called after it was taken back")
	}
}
