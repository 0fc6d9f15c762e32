package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

func TestTrailsSayHowFarASocketHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t)
		defer g.Close()
		f := attach(t, g)
		f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
		f.took()
		pass(time.Second)
		g.Deliver(feedengine.Delivery{Event: postEvent(1), To: []feedengine.Recipient{{Session: f.s.id, N: 8}}})
		g.Deliver(feedengine.Delivery{Event: postEvent(2), To: []feedengine.Recipient{{Session: f.s.id, N: 9}}})
		want := Trail{
			Session: f.s.id, State: "live", Stream: "b1", Taken: 9, Sent: 9, SentAt: time.Now().UTC(), Heard: f.Heard(),
		}
		pass(time.Second)
		expectTrails(t, "sent", g.Trails("bob"), want)
		f.receive(`{"ack":8}`)
		want.Acked, want.Heard = 8, f.Heard()
		expectTrails(t, "acknowledged", g.Trails("bob"), want)
		expectTrails(t, "of somebody else", g.Trails("alice"))
	})
}

func expectTrails(t *testing.T, what string, got []Trail, want ...Trail) {
	t.Helper()
	if diff := cmp.Diff(append([]Trail{}, want...), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFiguresAreOfLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBareGateway(t)
		defer g.Close()
		f := attach(t, g)
		f.receive(`{"id":1,"op":"connect","token":"ok:bob"}`)
		f.took()
		if got := g.Figures(); got != (Figures{Connections: 1}) {
			t.Errorf("asked for the first time: %+v", got)
		}
		deliver := func(times int, latency time.Duration) {
			for range times {
				g.metrics.publishToSocket.Update(latency.Seconds())
				g.metrics.deliveries.Inc()
			}
		}
		deliver(98, 10*time.Millisecond)
		deliver(2, time.Second)
		pass(2 * time.Second)
		got := g.Figures()
		if got.Deliveries != 50 || got.P50 < 10*time.Millisecond || got.P50 > 12*time.Millisecond ||
			got.P99 < time.Second || got.P99 > 1200*time.Millisecond {
			t.Errorf("100 deliveries in 2 s, 2 of them slow: %+v", got)
		}
		deliver(100, time.Millisecond)
		if again := g.Figures(); again != got {
			t.Errorf("at once again: %+v, want %+v", again, got)
		}
		pass(time.Second)
		if got = g.Figures(); got.Deliveries != 100 || got.P99 > 2*time.Millisecond {
			t.Errorf("the slow ones are a while ago: %+v", got)
		}
		pass(time.Second)
		if got = g.Figures(); got != (Figures{Connections: 1}) {
			t.Errorf("nothing happened: %+v", got)
		}
	})
}
