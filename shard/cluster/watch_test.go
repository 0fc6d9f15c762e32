package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// observer steps a watch through a script of rolls.
type observer struct {
	t       *testing.T
	watch   watch
	now     time.Time
	members map[string]*feedengine.Member
	beating map[string]bool

	deserted map[string]bool
}

func newObserver(t *testing.T, nodes ...string) *observer {
	o := &observer{t: t, now: time.Unix(1e9, 0), members: map[string]*feedengine.Member{}, beating: map[string]bool{}}
	for i, n := range nodes {
		o.join(n, uint64(i+1), feedengine.MemberServing)
	}
	return o
}

func (o *observer) join(node string, incarnation uint64, state feedengine.MemberState) {
	o.members[node] = &feedengine.Member{Node: node, Incarnation: incarnation, Shard: true, State: state}
	o.beating[node] = true
}

// after lets time pass, has everybody beat who does, and looks. It returns who is gone.
func (o *observer) after(d time.Duration) (gone []string) {
	o.now = o.now.Add(d)
	var roll []feedengine.Member
	for n, m := range o.members {
		if o.beating[n] {
			m.Beat++
		}
		roll = append(roll, *m)
	}
	for _, p := range o.watch.look(o.now, roll, o.deserted) {
		gone = append(gone, p.Node)
	}
	return gone
}

func (o *observer) suspects() []string {
	var roll []feedengine.Member
	for _, m := range o.members {
		roll = append(roll, *m)
	}
	return o.watch.suspects(o.now, roll)
}

func (o *observer) want(what string, got []string, want ...string) {
	o.t.Helper()
	if !slices.Equal(got, want) {
		o.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestWatchFindsTheDead(t *testing.T) {
	o := newObserver(t, "a", "b", "c")
	o.after(0)
	o.want("takers before anybody was seen to beat", o.watch.takers())
	o.want("heirs", o.watch.heirs(), "a", "b", "c")
	o.after(time.Second)
	o.want("takers", o.watch.takers(), "a", "b", "c")

	o.beating["b"] = false
	for left := 3; left > 1; left-- {
		if due, want := o.watch.due(o.now, time.Hour), time.Duration(left)*time.Second; due != want {
			t.Errorf("the next one would be dead after %v, want %v", due, want)
		}
		o.want("gone", o.after(time.Second))
	}
	o.want("gone after 3 s", o.after(time.Second), "b")
	if !o.watch.dead("b") || o.watch.dead("c") || !o.watch.dead("nobody") {
		t.Error("dead: want b and nobody")
	}
	o.want("takers", o.watch.takers(), "a", "c")
	o.want("heirs", o.watch.heirs(), "a", "c")
	o.want("gone again", o.after(time.Second))

	o.beating["b"] = true
	o.want("gone", o.after(time.Second))
	o.want("takers after it came back", o.watch.takers(), "a", "b", "c")
}

// Who looked away cannot tell who beat meanwhile: a store that is away, or a
// stalled observer, is nobody's death.
func TestWatchThatWasStalledBeginsAnew(t *testing.T) {
	o := newObserver(t, "a", "b")
	o.after(0)
	o.after(time.Second)
	o.beating["b"] = false
	o.want("gone after a stall", o.after(10*time.Second))
	for range 11 {
		o.want("gone", o.after(time.Second))
	}
	o.want("gone after 12 s", o.after(time.Second), "b")

	// Who has left the bus as well was not late.
	o = newObserver(t, "a", "b")
	o.after(0)
	o.after(time.Second)
	o.beating["b"] = false
	o.after(10 * time.Second)
	o.deserted = map[string]bool{"b": true}
	o.want("gone", o.after(time.Second))
	o.want("gone", o.after(time.Second))
	o.want("gone", o.after(time.Second), "b")

	// A late look is not a stall, and half a second late gives two more.
	o = newObserver(t, "a", "b")
	o.after(0)
	o.beating["b"] = false
	o.after(time.Second)
	o.want("gone", o.after(2*time.Second))
	o.want("suspects", o.suspects(), "b")
	o.want("gone", o.after(time.Second))
	o.want("gone after 5 s", o.after(time.Second), "b")
}

// A node that grows late step by step, and comes back each time, is not dead; what
// was late is forgotten after two minutes.
func TestWatchLearnsHowLateBeatsAre(t *testing.T) {
	o := newObserver(t, "a", "b")
	o.after(0)
	for _, missing := range []int{1, 2, 6, 10, 11} {
		o.beating["b"] = true
		o.after(time.Second)
		o.beating["b"] = false
		for range missing {
			o.want(fmt.Sprintf("gone after %d s", missing), o.after(time.Second))
		}
	}
	o.beating["b"] = true
	for range 120 {
		o.after(time.Second)
	}
	o.beating["b"] = false
	o.after(time.Second)
	o.after(time.Second)
	o.want("gone after 3 s", o.after(time.Second), "b")
}

func TestWatchSeesWhoLeftAndWhoWasReplaced(t *testing.T) {
	o := newObserver(t, "a", "b", "c")
	o.after(0)
	o.after(time.Second)
	delete(o.members, "b")
	o.want("gone", o.after(time.Second), "b")
	o.join("c", 9, feedengine.MemberStarting)
	o.want("gone", o.after(time.Second), "c")
	if o.watch.dead("c") || o.watch.seen["c"].Incarnation != 9 {
		t.Error("the new incarnation of c counts as dead")
	}
}

func TestWatchPlacesByState(t *testing.T) {
	o := newObserver(t, "a", "b")
	o.after(0)
	o.after(time.Second)
	o.members["b"].State = feedengine.MemberDraining
	o.join("new", 5, feedengine.MemberStarting)
	o.join("sockets", 6, feedengine.MemberServing)
	o.members["sockets"].Shard = false
	o.after(time.Second)
	o.want("takers", o.watch.takers(), "a")
	o.want("heirs", o.watch.heirs(), "a", "new")
	for range 6 {
		o.after(time.Second)
	}
	o.want("heirs when one does not get ready", o.watch.heirs(), "a")
}
