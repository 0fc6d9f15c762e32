package route

import (
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

func TestRouterForwardsWhatIsNext(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.event(1, 11)
		g.event(1, 12)
		g.event(1, 12)
		g.event(1, 9)
		g.want("event 1 n11, event 1 n12")
		g.event(1, 14) // 13 is missing
		g.event(1, 13) // perhaps of another stream: it is not taken before that is certain
		g.event(1, 15)
		g.want("")
		sleep(gatherd)
		r, to := the[link.Rejoin](g)
		if to != "p" || len(r.Sessions) != 1 || r.Sessions[0] != (feedengine.Rejoin{User: "ann", Session: 1, Stream: stream1, N: 12, V: 12}) {
			t.Fatalf("rejoin %+v to %s", r, to)
		}
		g.reset(1, stream1, 12, feedengine.Rejoined)
		g.event(1, 13)
		g.event(1, 14)
		g.want("event 1 n13, event 1 n14")
		sleep(time.Minute)
		g.wantNoLetter()
		if n := g.count(`feedgate_route_drops_total{reason="duplicate"}`); n != 2 {
			t.Errorf("%d duplicates were counted, want 2", n)
		}
	})
}

const gatherd = 3 * time.Millisecond

// A link that lost messages may have lost a reset: then the next event is one of
// another stream, however well its number fits.
func TestRouterTrustsNothingAfterALoss(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.r.Lost(g.from)
		g.event(1, 11)
		g.counts(1, 99)
		g.want("")
		sleep(gatherd)
		the[link.Rejoin](g)
		g.reset(1, stream2, 10, feedengine.ResetViewRebuilt)
		g.event(1, 11)
		g.want("reset 1 b2 n10, event 1 n11")
		g.r.Lost(link.Peer{Node: "q"}) // owns nothing
		g.event(1, 12)
		g.want("event 1 n12")

		g.attach(2, 10)
		g.event(1, 14) // one is lacking already
		g.r.Lost(g.from)
		g.event(2, 11)
		g.from.Node = "q"
		g.reset(2, stream1, 10, feedengine.Rejoined) // says who does not own the shard
		g.event(2, 11)
		g.want("")
	})
}

func TestRouterConfirmationsThatCrossed(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.r.Lost(g.from)
		sleep(gatherd)
		the[link.Rejoin](g)
		g.reset(1, stream2, 10, feedengine.Rejoined) // of some other stream
		g.event(1, 11)
		g.want("")
		g.reset(1, stream1, 10, feedengine.Rejoined)
		g.event(1, 11)
		g.want("event 1 n11")

		// The rejoin says 11, the sync that was sent before it takes the session back to 8.
		g.submit(feedengine.Sync{Session: 1, N: 8})
		a, _ := the[link.Ask](g)
		g.r.Lost(g.from)
		sleep(time.Second) // the pause between rejoins in rows
		g.letters()
		g.answer(a, feedengine.Result{})
		g.event(1, 9)
		g.reset(1, stream1, 11, feedengine.Rejoined) // nothing more comes by itself
		g.want("Sync ok")
		sleep(lastPaused)
		rejoins := g.letters()
		if len(rejoins) == 0 || rejoins[0].m.(link.Rejoin).Sessions[0].N != 8 {
			t.Fatalf("sent %+v", rejoins)
		}
		g.reset(1, stream1, 8, feedengine.Rejoined)
		g.event(1, 9)
		g.want("event 1 n9")

		// A reset crossed a rejoin: the second one says nothing new.
		g.r.Lost(g.from)
		g.reset(1, stream2, 3, feedengine.ResetViewRebuilt)
		g.reset(1, stream2, 3, feedengine.ResetViewRebuilt)
		g.event(1, 4)
		g.want("reset 1 b2 n3, event 1 n4")
	})
}

const lastPaused = 2 * time.Second

func TestRouterRejoinsUntilItHelps(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		for id := range 600 {
			g.attach(feedengine.SessionID(id+1), 10)
		}
		g.r.Lost(g.from)
		g.r.Lost(g.from)
		sleep(gatherd)
		parts := g.letters()
		if len(parts) != 2 || len(parts[0].m.(link.Rejoin).Sessions) != rejoinPart || len(parts[1].m.(link.Rejoin).Sessions) != 600-rejoinPart {
			t.Fatalf("%d messages", len(parts))
		}
		for id := range 599 {
			g.reset(feedengine.SessionID(id+1), stream1, 10, feedengine.Rejoined)
		}
		began := time.Now()
		var at []time.Duration
		for len(at) < 6 {
			sleep(10 * time.Millisecond)
			for _, l := range g.letters() {
				if r := l.m.(link.Rejoin); len(r.Sessions) != 1 || r.Sessions[0].Session != 600 || r.Whole {
					t.Fatalf("rejoin %+v", r)
				}
				at = append(at, time.Since(began).Round(100*time.Millisecond))
			}
		}
		for i, want := range []time.Duration{300, 900, 2100, 4100, 6100, 8100} {
			if at[i] != want*time.Millisecond {
				t.Fatalf("rejoined after %v", at)
			}
		}
	})
}

// Whoever has been asked for is not asked for again because of others.
func TestRouterRejoinsEachOnce(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.attach(2, 10)
		g.event(1, 12)
		sleep(50 * time.Millisecond)
		g.letters()
		g.event(2, 12)
		sleep(50 * time.Millisecond)
		if r, _ := the[link.Rejoin](g); len(r.Sessions) != 1 || r.Sessions[0].Session != 2 {
			t.Fatalf("rejoin %+v", r)
		}
	})
}

func TestRouterCounters(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.counts(1, 12)
		g.counts(1, 11)
		g.counts(1, 12)
		g.counts(1, 13)
		g.want("counts 1 v12, counts 1 v12, counts 1 v13")
		g.r.Lost(g.from)
		g.reset(1, stream1, 10, feedengine.Rejoined) // v10
		g.r.Lost(g.from)
		g.r.Receive(g.from, link.Reset{Place: g.at, Reset: feedengine.Reset{Session: 1, Stream: stream1, N: 10, Counts: feedengine.Counts{V: 14}}})
		g.want("counts 1 v14") // some were lost
	})
}

// A link that loses all the time is not filled with rejoins.
func TestRouterRejoinsAtARate(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		for range 1000 {
			g.r.Lost(g.from)
			sleep(5 * time.Millisecond)
			for range g.letters() {
				g.reset(1, stream1, 10, feedengine.Rejoined)
			}
		}
		if n := g.count("feedgate_route_rejoins_total"); n < 5 || n > 20 {
			t.Errorf("%d rejoins in 5 s", n)
		}
	})
}

func TestRouterFollowsTheOwner(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.submit(feedengine.Publish{Text: "x"})
		first, _ := the[link.Ask](g)
		old := g.from

		g.r.Receive(link.Peer{Node: "q", Incarnation: 7}, link.Serving{Places: []feedengine.Place{{Epoch: 6}}})
		sent := g.letters()
		if len(sent) != 2 || sent[0].to != "q" || sent[1].to != "q" {
			t.Fatalf("sent %+v", sent)
		}
		if r, ok := sent[0].m.(link.Rejoin); !ok || !r.Whole || len(r.Sessions) != 1 {
			t.Fatalf("first came %+v", sent[0].m)
		}
		if again := sent[1].m.(link.Ask); again.ID != first.ID || again.Key == "" || again.Key != first.Key {
			t.Fatalf("asked %+v, then %+v", first, again)
		}
		g.event(1, 11) // of the old owner
		g.reset(1, stream2, 0, feedengine.ResetViewRebuilt)
		g.r.Receive(old, link.Answer{ID: first.ID, Place: g.at, Result: feedengine.Result{Err: errBusy}})
		g.want("")
		g.r.Owns("p", g.at) // the store's roll was late
		g.r.Receive(old, link.Serving{Places: []feedengine.Place{g.at}})
		g.wantNoLetter()

		g.from, g.at.Epoch = link.Peer{Node: "q", Incarnation: 7}, 6
		g.reset(1, stream1, 10, feedengine.Rejoined)
		g.event(1, 11)
		g.want("event 1 n11")
		g.r.Receive(old, link.Answer{ID: first.ID, Place: feedengine.Place{Epoch: 5}, Result: feedengine.Result{}})
		g.want("Publish ok") // it is durable, whoever says so

		// An owner turns up by what it delivers.
		g.from, g.at.Epoch = link.Peer{Node: "r"}, 8
		g.event(1, 12)
		g.want("")
		if _, to := the[link.Rejoin](g); to != "r" {
			t.Errorf("rejoined %s", to)
		}
	})
}

func TestRouterMissesBodies(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		bare := link.Deliver{Place: g.at, Bare: true, Delivery: feedengine.Delivery{
			Event: &feedengine.Event{Seq: 4}, To: []feedengine.Recipient{{Session: 1, N: 11}},
		}}
		g.r.Receive(g.from, bare)
		g.want("")
		sleep(gatherd)
		if r, _ := the[link.Rejoin](g); r.Sessions[0].N != 10 {
			t.Fatalf("rejoin at %d", r.Sessions[0].N)
		}
	})
}

// What comes for a session that there is not has the owner told of all sessions,
// now and then, and not while one is attaching.
func TestRouterTellsOfAllSessions(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		sleep(5 * time.Second)
		for range 100 {
			g.event(2, 7)
		}
		sleep(gatherd)
		if r, _ := the[link.Rejoin](g); !r.Whole || len(r.Sessions) != 1 || r.Sessions[0].Session != 1 {
			t.Fatalf("rejoin %+v", r)
		}
		g.event(1, 11) // it was whole and stays so
		g.reset(1, stream1, 10, feedengine.Rejoined)
		g.want("event 1 n11")
		sleep(5 * time.Second)
		g.submit(feedengine.Attach{Session: 3})
		a, _ := the[link.Ask](g)
		g.event(2, 8)
		sleep(gatherd)
		g.wantNoLetter()
		g.answer(a, feedengine.Result{Stream: stream1})
		sleep(5 * time.Second)
		g.event(2, 9)
		sleep(gatherd)
		if r, _ := the[link.Rejoin](g); !r.Whole || len(r.Sessions) != 2 {
			t.Fatalf("rejoin %+v", r)
		}
	})
}

// A sync means the stream of which it was asked: the reset that came meanwhile has
// answered it.
func TestRouterResetCrossesSync(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.submit(feedengine.Sync{Session: 1, N: 2})
		a, _ := the[link.Ask](g)
		g.reset(1, stream2, 5, feedengine.ResetViewRebuilt)
		g.answer(a, feedengine.Result{})
		g.event(1, 6) // not 3
		g.want("reset 1 b2 n5, Sync ok, event 1 n6")

		g.r.Lost(g.from)
		g.submit(feedengine.Sync{Session: 1, N: 5}) // waits for the owner's word
		sleep(gatherd)
		the[link.Rejoin](g)
		g.reset(1, stream1, 3, feedengine.ResetViewRebuilt)
		g.event(1, 4)
		g.want("Sync ok, reset 1 a1 n3, event 1 n4")
		g.wantNoLetter()
	})
}

func TestRouterBackground(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.r.Lost(g.from)
		g.submit(feedengine.Sync{Session: 1, N: 10})
		sleep(gatherd)
		if sent := g.letters(); len(sent) != 1 { // the rejoin, and no sync of a session that p may not know
			t.Fatalf("sent %+v", sent)
		}
		g.reset(1, stream1, 10, feedengine.Rejoined)
		a, _ := the[link.Ask](g)
		g.answer(a, feedengine.Result{})
		g.want("Sync ok")
		g.submit(feedengine.SetState{Session: 1, Background: true})
		g.letters()
		g.r.Receive(link.Peer{Node: "q"}, link.Serving{Places: []feedengine.Place{{Epoch: 6}}})
		// Sent already: the rejoin must not undo it. It is asked again once q knows the session.
		if r, _ := the[link.Rejoin](g); !r.Sessions[0].Background {
			t.Fatalf("rejoin %+v", r)
		}
		g.from, g.at.Epoch = link.Peer{Node: "q"}, 6
		g.reset(1, stream1, 10, feedengine.Rejoined)
		a, _ = the[link.Ask](g)
		// q does not know it after all: it is brought to it once more.
		g.answer(a, feedengine.Result{Err: errNoSession})
		g.want("")
		sleep(10 * time.Millisecond)
		the[link.Rejoin](g)
		g.reset(1, stream1, 10, feedengine.Rejoined)
		a, _ = the[link.Ask](g)
		g.answer(a, feedengine.Result{})
		g.want("SetState ok")
	})
}
