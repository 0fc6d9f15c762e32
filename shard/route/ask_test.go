package route

import (
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

func TestRouterHoldsWhileThereIsNoOwner(t *testing.T) {
	inRig(t, "", func(g *rig) {
		g.submit(feedengine.Publish{Text: "x"})
		g.submit(feedengine.Attach{Session: 1})
		g.submit(feedengine.Detach{Session: 2})
		g.want("Detach ok") // from nowhere
		sleep(9 * time.Second)
		g.wantNoLetter()
		g.want("")
		sleep(time.Second)
		g.want("Publish unavailable, Attach unavailable")

		g.submit(feedengine.Publish{Text: "y"})
		g.r.Owns("p", feedengine.Place{Epoch: 1})
		if a, to := the[link.Ask](g); to != "p" || a.Do.(feedengine.Publish).Text != "y" {
			t.Fatalf("asked %s %+v", to, a)
		}
		g.r.NodeGone("p")
		g.submit(feedengine.Publish{Text: "z"})
		sleep(time.Second)
		g.wantNoLetter()
		// A sign of life of the same owner, who may have forgotten everything.
		g.r.Receive(link.Peer{Node: "p"}, link.Heads{Owned: []link.OwnedHead{{Head: feedengine.Head{Epoch: 1}}}})
		if n := len(g.letters()); n != 2 {
			t.Errorf("%d asks were sent again, want 2", n)
		}
	})
}

func TestRouterAsksAgain(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Publish{Text: "x"})
		began := time.Now()
		var at []time.Duration
		var asks []link.Ask
		for time.Since(began) < 11*time.Second {
			for _, l := range g.letters() {
				at = append(at, time.Since(began))
				asks = append(asks, l.m.(link.Ask))
			}
			sleep(10 * time.Millisecond)
		}
		want := []time.Duration{0, 300, 900, 2100, 4100, 6100, 8100}
		if len(at) != len(want) {
			t.Fatalf("asked after %v", at)
		}
		for i := range at {
			if at[i].Round(50*time.Millisecond) != want[i]*time.Millisecond || asks[i] != asks[0] || asks[i].Key == "" {
				t.Fatalf("asked after %v: %+v", at[i], asks[i])
			}
		}
		g.want("Publish unavailable")
		if n := len(g.r.tables[0].asks); n != 0 {
			t.Errorf("%d asks are left", n)
		}
		g.answer(asks[0], feedengine.Result{})
		g.want("") // answered once
		g.submit(feedengine.Publish{Text: "y"})
		a, _ := the[link.Ask](g)
		sleep(10*time.Second + 100*time.Millisecond)
		g.answer(a, feedengine.Result{}) // begun in time
		g.want("Publish ok")
	})
}

// Answers may be among what a link lost.
// TestRouterAsksAgainLaterWhenAnswersAreSlow: a busy owner is not given everything
// to do twice.
func TestRouterAsksAgainLaterWhenAnswersAreSlow(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		publish := func(takes time.Duration) (sent int) {
			g.submit(feedengine.Publish{Text: "x"})
			sleep(takes)
			all := g.letters()
			g.answer(all[0].m.(link.Ask), feedengine.Result{})
			g.want("Publish ok")
			return len(all)
		}
		if n := publish(350 * time.Millisecond); n != 2 {
			t.Fatalf("sent %d times in 350 ms, want 2", n)
		}
		for range 10 {
			publish(350 * time.Millisecond)
		}
		if n := publish(350 * time.Millisecond); n != 1 {
			t.Errorf("sent %d times though answers take 350 ms, want 1", n)
		}
		for range 40 {
			publish(time.Millisecond)
		}
		if n := publish(350 * time.Millisecond); n != 2 {
			t.Errorf("sent %d times in 350 ms though answers take 1 ms, want 2", n)
		}
	})
}

// How long answers took while the bus was away says nothing of how long they take.
func TestRouterIsQuickAgainAfterALoss(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		for range 20 {
			g.submit(feedengine.Publish{Text: "x"})
			sleep(5 * time.Second)
			g.answer(g.letters()[0].m.(link.Ask), feedengine.Result{})
			g.want("Publish ok")
		}
		g.submit(feedengine.Publish{Text: "y"})
		sleep(4 * time.Second)
		under, _ := the[link.Ask](g)
		g.r.Lost(g.from)
		sleep(10 * time.Millisecond)
		g.letters() // it is sent again
		g.answer(under, feedengine.Result{})
		g.want("Publish ok")
		g.submit(feedengine.Publish{Text: "z"})
		sleep(350 * time.Millisecond)
		if n := len(g.letters()); n != 2 {
			t.Errorf("sent %d times in 350 ms, want 2", n)
		}
	})
}

func TestRouterAsksAgainAfterALoss(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Unread{})
		a, _ := the[link.Ask](g)
		sleep(10 * time.Millisecond)
		g.r.Lost(g.from)
		g.wantNoLetter() // it has hardly been sent
		sleep(50 * time.Millisecond)
		g.r.Lost(g.from)
		if again, _ := the[link.Ask](g); again.ID != a.ID || a.Key != "" {
			t.Fatalf("asked %+v, then %+v", a, again)
		}
	})
}

func TestRouterAsksWhoeverServes(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Unread{})
		a, _ := the[link.Ask](g)
		elsewhere := link.Answer{ID: a.ID, Place: feedengine.Place{}, Elsewhere: true}
		g.r.Receive(link.Peer{Node: "q"}, elsewhere) // was never asked
		g.r.Receive(link.Peer{Node: "q"}, link.Answer{ID: a.ID, Result: feedengine.Result{Err: errBusy}})
		sleep(200 * time.Millisecond)
		g.wantNoLetter()
		g.want("")
		g.r.Receive(g.from, elsewhere)
		sleep(90 * time.Millisecond)
		g.wantNoLetter()
		sleep(10 * time.Millisecond)
		the[link.Ask](g)
		g.r.Receive(g.from, elsewhere)
		g.r.Receive(g.from, link.Serving{Places: []feedengine.Place{g.at}})
		the[link.Ask](g) // at once
		g.answer(a, feedengine.Result{})
		g.want("Unread ok")
		g.submit(feedengine.Detach{Session: 9})
		a, _ = the[link.Ask](g)
		g.r.Receive(g.from, link.Answer{ID: a.ID, Elsewhere: true})
		sleep(100 * time.Millisecond)
		the[link.Ask](g) // who has the session may serve it again
		g.r.NodeGone("p")
		g.want("Detach ok")
	})
}

// A write that was refused may have been carried out when it was asked for before.
func TestRouterInsistsOnWrites(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Publish{Text: "x"})
		a, _ := the[link.Ask](g)
		g.answer(a, feedengine.Result{Err: errBusy})
		g.want("Publish overloaded") // asked once
		g.submit(feedengine.Publish{Text: "y"})
		a, _ = the[link.Ask](g)
		sleep(400 * time.Millisecond)
		again, _ := the[link.Ask](g)
		g.answer(again, feedengine.Result{Err: errBusy})
		g.want("")
		sleep(2 * time.Second)
		the[link.Ask](g)
		g.answer(a, feedengine.Result{})
		g.want("Publish ok")
	})
}

func TestRouterKeepsTheOrder(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.submit(feedengine.Follow{Users: []string{"bob"}})
		g.submit(feedengine.Unfollow{Users: []string{"bob"}})
		g.submit(feedengine.Sync{Session: 1, N: 10})
		g.submit(feedengine.SetState{Session: 1, Background: true})
		g.submit(feedengine.SetState{Session: 1})
		sent := g.letters()
		if len(sent) != 2 {
			t.Fatalf("sent %+v", sent)
		}
		follow, sync := sent[0].m.(link.Ask), sent[1].m.(link.Ask)
		g.answer(sync, feedengine.Result{})
		a, _ := the[link.Ask](g)
		if !a.Do.(feedengine.SetState).Background {
			t.Fatalf("asked %+v", a)
		}
		g.answer(a, feedengine.Result{})
		a, _ = the[link.Ask](g)
		g.answer(a, feedengine.Result{})
		sleep(400 * time.Millisecond)
		if again, _ := the[link.Ask](g); again.ID != follow.ID {
			t.Fatalf("asked %+v", again)
		}
		g.answer(follow, feedengine.Result{})
		if a, _ = the[link.Ask](g); len(a.Do.(feedengine.Unfollow).Users) != 1 {
			t.Fatalf("asked %+v", a)
		}
		g.want("Sync ok, SetState ok, SetState ok, Follow ok")
		sleep(11 * time.Second)
		g.want("Unfollow unavailable")
		if n := len(g.r.tables[0].lanes); n != 0 {
			t.Errorf("%d lanes are left", n)
		}
	})
}

func TestRouterDetachCrossesAttach(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Attach{Session: 1})
		attach, _ := the[link.Ask](g)
		g.submit(feedengine.Detach{Session: 1})
		g.want("Attach unavailable")
		detach, _ := the[link.Ask](g)
		g.answer(attach, feedengine.Result{Stream: stream1}) // late
		g.event(1, 1)
		sleep(10 * time.Second)
		for _, l := range g.letters() { // until it is answered, and the attach never again
			if a := l.m.(link.Ask); a.ID != detach.ID {
				t.Fatalf("asked %+v", a)
			}
		}
		g.want("")
		g.answer(detach, feedengine.Result{})
		g.want("Detach ok")
		if n := len(g.r.tables[0].sessions); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

// An attach that was not answered may have been granted: then nobody is there.
func TestRouterDetachesWhatWasGivenUp(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Attach{Session: 1})
		sleep(11 * time.Second)
		g.want("Attach unavailable")
		var last link.Ask
		for _, l := range g.letters() {
			last = l.m.(link.Ask)
		}
		if last.Do != (feedengine.Detach{Session: 1}) {
			t.Fatalf("asked %+v", last)
		}
		g.answer(last, feedengine.Result{})
		g.submit(feedengine.Attach{Session: 2}) // and refused, asked once: nothing is owed
		a, _ := the[link.Ask](g)
		g.answer(a, feedengine.Result{Err: errBusy})
		g.want("Attach overloaded")
		g.wantNoLetter()
		if n := len(g.r.tables[0].sessions); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestRouterAttachAnsweredByAnOldOwner(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Attach{Session: 1})
		a, _ := the[link.Ask](g)
		g.r.Receive(link.Peer{Node: "q"}, link.Serving{Places: []feedengine.Place{{Epoch: 6}}})
		if again, to := the[link.Ask](g); to != "q" || again.ID != a.ID {
			t.Fatalf("asked %s %+v", to, again)
		}
		g.answer(a, feedengine.Result{Stream: stream1, N: 10})
		g.want("Attach ok")
		g.from, g.at.Epoch = link.Peer{Node: "q"}, 6
		g.event(1, 11) // q has to say first whether it is that stream
		g.want("")
		sleep(gatherd)
		the[link.Rejoin](g)
		g.answer(a, feedengine.Result{Stream: stream2, N: 3}) // answered twice
		g.reset(1, stream2, 3, feedengine.ResetViewRebuilt)
		g.event(1, 4)
		g.want("reset 1 b2 n3, event 1 n4")
	})
}

func TestRouterRefusesTooMany(t *testing.T) {
	inRig(t, "", func(g *rig) {
		for range maxAsks {
			g.submit(feedengine.Unread{})
		}
		g.want("")
		g.submit(feedengine.Unread{})
		g.want("Unread overloaded")
		if n := g.count(`feedgate_route_refused_total{reason="too_many"}`); n != 1 {
			t.Errorf("%d were counted", n)
		}
		g.r.Stop()
		g.told()
		g.submit(feedengine.Unread{})
		g.submit(feedengine.Detach{Session: 1})
		g.want("Unread unavailable, Detach ok")
		if n := len(g.r.tables[0].asks); n != 0 {
			t.Errorf("%d asks are left", n)
		}
	})
}

// The host's answer may lie in the inbox when its next delivery comes.
func TestRouterAttachedBeforeDelivered(t *testing.T) {
	inRig(t, "me", func(g *rig) {
		g.submit(feedengine.Attach{Session: 1})
		mu := &g.r.tables[0].mu
		mu.Lock() // by somebody else, who has just looked into the inbox
		g.submitted[0].Done(feedengine.Result{Stream: stream1, N: 10})
		mu.Unlock()
		g.r.Deliver(g.at, feedengine.Delivery{Event: &feedengine.Event{}, To: []feedengine.Recipient{{Session: 1, N: 11}}})
		g.want("Attach ok, event 1 n11")
	})
}

// The own host answers everything once: nothing is sent to it twice, or elsewhere
// before it has refused.
func TestRouterOwnHost(t *testing.T) {
	inRig(t, "me", func(g *rig) {
		g.submit(feedengine.Publish{Text: "x"})
		g.submit(feedengine.Attach{Session: 1})
		if len(g.submitted) != 2 || g.submitted[0].key != "" {
			t.Fatalf("the host was asked %+v", g.submitted)
		}
		g.submitted[1].Done(feedengine.Result{Stream: stream1, N: 10})
		g.want("Attach ok")
		g.r.Deliver(g.at, feedengine.Delivery{Event: &feedengine.Event{}, To: []feedengine.Recipient{{Session: 1, N: 11}}})
		g.want("event 1 n11")
		g.r.NodeGone("me") // it knows better
		g.submit(feedengine.Unread{})
		if len(g.submitted) != 3 {
			t.Fatal("the host was not asked")
		}
		g.submitted = g.submitted[:2]
		g.r.Owns("me", feedengine.Place{Epoch: 6}) // raised by its writer
		if len(g.rejoins) != 1 || g.rejoins[0].Sessions[0].N != 11 {
			t.Fatalf("rejoins %+v", g.rejoins)
		}
		g.r.Reset(feedengine.Place{Epoch: 6}, feedengine.Reset{Session: 1, Stream: stream1, N: 11})
		g.r.Owns("q", feedengine.Place{Epoch: 7})
		sleep(time.Minute)
		if len(g.submitted) != 2 {
			t.Fatalf("the host was asked again")
		}
		for _, l := range g.letters() {
			if a, ok := l.m.(link.Ask); ok {
				t.Fatalf("%s was asked %+v", l.to, a)
			}
		}
		g.submit(feedengine.Publish{Text: "y"})
		g.letters()
		g.r.Owns("me", feedengine.Place{Epoch: 8})
		if len(g.submitted) != 3 || g.submitted[2].key == "" {
			t.Fatalf("the host was asked without the key that q may know")
		}
		g.submitted[2].Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		g.r.Owns("q", feedengine.Place{Epoch: 9})
		if a, to := the[link.Ask](g); to != "q" || a.Key != g.submitted[2].key {
			t.Fatalf("%s was asked %+v", to, a)
		}
		g.submitted[0].Done(feedengine.Result{}) // at last
		g.want("Publish ok")
	})
}

func TestRouterDeleteGoesToThePost(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.Delete{Post: feedengine.Tick(1).ID(0)})
		if a, _ := the[link.Ask](g); a.Key == "" {
			t.Error("a delete without a key")
		}
		g.submit(feedengine.Delete{Post: feedengine.Tick(1).ID(7)})
		g.want("Delete not_found")
		g.submit(feedengine.Publish{Key: "mine"})
		if a, _ := the[link.Ask](g); a.Key != "" {
			t.Error("two keys for one publish")
		}
	})
}

// TestRouterKeysWhatIsNotTheSameTwice: whatever goes to another node may be sent
// again.
func TestRouterKeysWhatIsNotTheSameTwice(t *testing.T) {
	post := feedengine.Tick(1).ID(0)
	for _, c := range []struct {
		do    feedengine.Action
		keyed bool
	}{
		{feedengine.Publish{}, true},
		{feedengine.Publish{Key: "mine"}, false},
		{feedengine.Delete{Post: post}, true},
		{feedengine.AddComment{Post: post}, true},
		{feedengine.AddComment{Post: post, Key: "mine"}, false},
		{feedengine.Send{Conversation: post}, true},
		{feedengine.Send{Conversation: post, Key: "mine"}, false},
		{feedengine.Edit{Post: post}, false},
		{feedengine.LikePost{Post: post}, false},
		{feedengine.Received{Conversation: post}, false},
		{feedengine.Read{Of: feedengine.ListMessages, Conversation: post}, false},
		{feedengine.HideUser{User: "bob"}, false},
		{feedengine.PutProfile{}, false},
		{feedengine.Follow{Users: []string{"bob"}}, false},
	} {
		inRig(t, "p", func(g *rig) {
			g.submit(c.do)
			if a, _ := the[link.Ask](g); (a.Key != "") != c.keyed {
				t.Errorf("%T %+v was asked with the key %q", c.do, c.do, a.Key)
			}
		})
	}
}

// TestRouterFindsTheShard: what names a shard that there is not is not found.
func TestRouterFindsTheShard(t *testing.T) {
	nowhere := feedengine.Tick(1).ID(7)
	inRig(t, "p", func(g *rig) {
		for want, do := range map[string]feedengine.Action{
			"Delete not_found":     feedengine.Delete{Post: nowhere},
			"Edit not_found":       feedengine.Edit{Post: nowhere},
			"LikePost not_found":   feedengine.LikePost{Post: nowhere},
			"AddComment not_found": feedengine.AddComment{Post: nowhere},
			"Send not_found":       feedengine.Send{Conversation: nowhere},
		} {
			g.submit(do)
			g.want(want)
		}
	})
}

// TestRouterKeepsTheOrderOfWhatCanBeTakenBack: a like and its end, messages.
func TestRouterKeepsTheOrderOfWhatCanBeTakenBack(t *testing.T) {
	post := feedengine.Tick(1).ID(0)
	inRig(t, "p", func(g *rig) {
		g.submit(feedengine.LikePost{Post: post})
		first, _ := the[link.Ask](g)
		g.submit(feedengine.LikePost{Post: post, Off: true})
		g.wantNoLetter()
		g.answer(first, feedengine.Result{})
		if a, _ := the[link.Ask](g); !a.Do.(feedengine.LikePost).Off {
			t.Errorf("then %+v", a)
		}
	})
}

func TestRouterExplains(t *testing.T) {
	inRig(t, "p", func(g *rig) {
		g.attach(1, 10)
		g.attach(2, 10)
		sleep(20 * time.Millisecond)
		now := time.Now()
		g.event(1, 11)
		sleep(time.Second)
		g.event(2, 13)
		e := g.r.Explain("ann", 11)
		if e.Owner != "p" || e.Epoch != 5 || !e.First.Equal(now) || e.Recipients != 1 || len(e.Sessions) != 2 {
			t.Fatalf("%+v", e)
		}
		if s := e.Sessions[0]; s.Session != 1 || s.N != 11 || s.State != "whole" || now.Sub(s.At).Abs() > 10*time.Millisecond || s.Stream != "a1" {
			t.Errorf("%+v", s)
		}
		if s := e.Sessions[1]; s.State != "lacking" || s.N != 10 || !s.At.IsZero() {
			t.Errorf("%+v", s)
		}
		if e := g.r.Explain("bob", 12); len(e.Sessions) != 0 || !e.First.IsZero() {
			t.Errorf("%+v", e)
		}
	})
}
