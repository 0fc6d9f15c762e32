package gateway

import (
	"strings"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// TestEphemeral: a frame of the moment reaches who looks and is not behind, and
// nobody else.
func TestEphemeral(t *testing.T) {
	g := newBareGateway(t)
	defer g.Close()
	typing := &wire.Frame{Kind: wire.TypingFrame, Typing: &wire.Typing{Conversation: 77, User: "ann"}}
	const shown = `{"typing":{"conversation":"77","user":"ann"}}`
	dropped := uint64(0)
	tell := func(f *fakeSocket, took int, frames ...string) {
		t.Helper()
		if got := g.Ephemeral("bob", typing); got != took {
			t.Errorf("%d took it, want %d", got, took)
		}
		f.wants(t, 0, frames...)
		if dropped += uint64(1 - took); g.metrics.dropEphemeral.Get() != dropped {
			t.Errorf("%d dropped, want %d", g.metrics.dropEphemeral.Get(), dropped)
		}
	}
	if g.Ephemeral("bob", typing) != 0 {
		t.Error("nobody is there")
	}
	f := attach(t, g)
	f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
	f.took()
	tell(f, 1, shown)
	f.receive(`{"id":2,"op":"state","state":"background"}`)
	f.took()
	tell(f, 0)
	f.receive(`{"id":3,"op":"state","state":"active"}`)
	f.took()
	tell(f, 1, shown)

	stick := func(stuck bool) {
		f.mu.Lock()
		f.stuck = stuck
		f.mu.Unlock()
	}
	for name, pend := range map[string]func(){
		"an event": func() {
			g.Deliver(feedengine.Delivery{Event: postEvent(1), To: []feedengine.Recipient{{Session: f.s.id, N: 8}}})
		},
		"counters":       func() { g.Deliver(feedengine.Delivery{To: []feedengine.Recipient{{Session: f.s.id}}}) },
		"a reply":        func() { f.receive(`{"id":4,"op":"ping"}`) },
		"another of its": func() { g.Ephemeral("bob", typing) },
	} {
		stick(true)
		pend()
		tell(f, 0)
		stick(false)
		f.Wake()
		if frames, _ := f.took(); len(frames) != 1 && name != "an event" {
			t.Errorf("%s: %q", name, frames)
		}
	}
	f.s.end(wire.ByeFor(wire.CloseDraining))
	f.took()
	if g.Ephemeral("bob", typing) != 0 {
		t.Error("taken by one that closes")
	}
}

// TestConnectWithNames: the page comes with names, before all that follows, and
// without when they cannot be had.
func TestConnectWithNames(t *testing.T) {
	connect := `{"id":1,"op":"connect","token":"ok:bob","feed":1,"expand":true}`
	for name, unwell := range map[string]bool{"with names": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			gate := make(chan struct{})
			r.reads.gate = gate
			if unwell {
				r.reads.err = feedengine.ErrUnavailable
			}
			event := postBy(1, "alice")
			event.Name = "Alice"
			r.shards.set(nil, func(q feedengine.Request) {
				if a, ok := q.Do.(feedengine.Attach); ok {
					r.g.Deliver(feedengine.Delivery{Event: event, To: []feedengine.Recipient{{Session: a.Session, N: 8, Counts: counted(8)}}})
					close(gate)
				}
			})
			c := r.dial()
			c.send(connect)
			first := c.recv()
			if got := strings.Contains(string(first.OK), `"name":"Alice \u003ci>","avatar":`) || strings.Contains(string(first.OK), `"name":"Alice <i>","avatar":`); got == unwell {
				t.Errorf("got %s", first.OK)
			}
			if second := c.recv(); second.N != 8 || !strings.HasSuffix(string(second.Event), `"name":"Alice"}`) {
				t.Errorf("got %s", second.Event)
			}
		})
	}
}
