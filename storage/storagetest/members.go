package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

// member is a node as it first beats. Databases keep microseconds.
func member(node string, incarnation uint64, started time.Time) feedengine.Member {
	return feedengine.Member{
		Node: node, Incarnation: incarnation, Gateway: true, Shard: true, State: feedengine.MemberServing,
		Admin: "127.0.0.1:9100", Version: "v1", Started: started.UTC().Truncate(time.Microsecond),
	}
}

// beat is a beat that must be taken.
func beat(t testing.TB, s Members, m feedengine.Member) feedengine.Roll {
	t.Helper()
	roll, err := s.Beat(t.Context(), m)
	if err != nil {
		t.Fatalf("beat of %s: %v", m.Node, err)
	}
	for i := range roll.Members {
		roll.Members[i].Started = roll.Members[i].Started.UTC()
	}
	return roll
}

// testRoll looks at what beats bring back.
func testRoll(t *testing.T, h MembersHarness) {
	s := h.Open(t, 4)
	now := time.Now()
	b := member("b", math.MaxUint64, now)
	a := feedengine.Member{
		Node: "a/1", Incarnation: 1, Shard: true, State: feedengine.MemberStarting,
		Version: "v2", Started: now.Add(-time.Hour).UTC().Truncate(time.Microsecond),
	}
	first := beat(t, s, b)
	for range 2 {
		beat(t, s, a)
	}
	Claim(t, s, "b", 2, 1)
	Claim(t, s, "a/1", 1)
	a.State, b.Admin = feedengine.MemberDraining, "[::1]:1"
	beat(t, s, a)
	roll := beat(t, s, b)

	a.Beat, b.Beat = 3, 2
	if diff := cmp.Diff([]feedengine.Member{a, b}, roll.Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	want := []feedengine.Owner{{Shard: 0}, {Shard: 1, Node: "a/1", Epoch: 2}, {Shard: 2, Node: "b", Epoch: 1}, {Shard: 3}}
	if diff := cmp.Diff(want, roll.Owners); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if first.Now.IsZero() || roll.Now.Before(first.Now) {
		t.Errorf("the store's clock goes from %v to %v", first.Now, roll.Now)
	}
}

// testNameTaken lets two processes beat by one name: the older start is told.
func testNameTaken(t *testing.T, h MembersHarness) {
	now := time.Now()
	for _, c := range []struct {
		name     string
		old, new feedengine.Member
	}{
		{"started earlier", member("n", 9, now.Add(-time.Second)), member("n", 3, now)},
		{"at the same time", member("n", math.MaxInt64, now), member("n", math.MaxInt64+1, now)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := h.Open(t, 2)
			other := member("other", 1, now)
			for range 3 {
				beat(t, s, c.old)
			}
			beat(t, s, c.new)
			for range 2 {
				if _, err := s.Beat(t.Context(), c.old); !errors.Is(err, feedengine.ErrFenced) {
					t.Fatalf("beat of the older process: %v, want ErrFenced", err)
				}
			}
			// The younger one goes on, and the older can't take its row away.
			if err := s.Leave(t.Context(), "n", c.old.Incarnation); err != nil {
				t.Fatal(err)
			}
			got := beat(t, s, other).Members
			c.new.Beat, other.Beat = 4, 1
			if diff := cmp.Diff([]feedengine.Member{c.new, other}, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

// testNameFree: who has not beaten for a while keeps nobody from the name,
// whatever its clock said.
func testNameFree(t *testing.T, h MembersHarness) {
	s := h.Open(t, 2)
	dead, next := member("n", 9, time.Now().Add(time.Hour)), member("n", 3, time.Now())
	beat(t, s, dead)
	if _, err := s.Beat(t.Context(), next); !errors.Is(err, feedengine.ErrFenced) {
		t.Fatalf("beat beside one that lives: %v, want ErrFenced", err)
	}
	h.Age(t, s, 11*time.Second)
	if got := beat(t, s, next).Members; len(got) != 1 || got[0].Incarnation != next.Incarnation {
		t.Errorf("members: %+v", got)
	}
}

func testLeave(t *testing.T, h MembersHarness) {
	s := h.Open(t, 2)
	a, b := member("a", 1, time.Now()), member("b", 2, time.Now())
	beat(t, s, a)
	beat(t, s, b)
	for _, name := range []string{"a", "a", "nobody"} {
		if err := s.Leave(t.Context(), name, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := beat(t, s, b).Members; len(got) != 1 || got[0].Node != "b" {
		t.Errorf("members after one has left: %+v", got)
	}
	if got := beat(t, s, a).Members; len(got) != 2 || got[0].Beat != 1 {
		t.Errorf("members after it has come back: %+v", got)
	}
}

// testForgotten: a row that nobody renews goes after an hour.
func testForgotten(t *testing.T, h MembersHarness) {
	s := h.Open(t, 2)
	gone, there := member("gone", 1, time.Now()), member("there", 2, time.Now())
	beat(t, s, gone)
	h.Age(t, s, 58*time.Minute)
	if got := beat(t, s, there).Members; len(got) != 2 {
		t.Errorf("members after 58 minutes: %+v", got)
	}
	h.Age(t, s, 3*time.Minute)
	if got := beat(t, s, there).Members; len(got) != 1 || got[0].Node != "there" {
		t.Errorf("members after 61 minutes: %+v", got)
	}
}

// testManyBeat lets nodes beat side by side, and claim meanwhile: no beat is lost,
// and none fails.
func testManyBeat(t *testing.T, h MembersHarness) {
	const nodes, beats = 6, 10
	s := h.Open(t, nodes)
	var wg sync.WaitGroup
	for n := range nodes {
		m := member(fmt.Sprintf("node-%d", n), uint64(n), time.Now())
		wg.Go(func() {
			for range beats {
				if _, err := s.Beat(t.Context(), m); err != nil {
					t.Errorf("beat beside others: %v", err)
				}
				if _, err := Take(t.Context(), s, m.Node, feedengine.ShardID(n)); err != nil {
					t.Errorf("claim beside beats: %v", err)
				}
			}
		})
	}
	wg.Wait()
	roll := beat(t, s, member("last", 1, time.Now()))
	if len(roll.Members) != nodes+1 {
		t.Fatalf("%d members, want %d", len(roll.Members), nodes+1)
	}
	for n, m := range roll.Members[1:] {
		if m.Node != fmt.Sprintf("node-%d", n) || m.Beat != beats {
			t.Errorf("member %d: %s with %d beats, want %d", n, m.Node, m.Beat, beats)
		}
	}
	for n, o := range roll.Owners {
		if o.Node != fmt.Sprintf("node-%d", n) || o.Epoch != beats {
			t.Errorf("shard %d belongs to %q under epoch %d", n, o.Node, o.Epoch)
		}
	}
}

// testNameRaced starts many processes by one name at once: in the end one beats,
// the one that was started last.
func testNameRaced(t *testing.T, h MembersHarness) {
	const processes = 6
	s := h.Open(t, 2)
	now := time.Now()
	fenced := make([]bool, processes)
	var wg sync.WaitGroup
	for p := range processes {
		m := member("n", uint64(processes-p), now.Add(time.Duration(p)*time.Millisecond))
		wg.Go(func() {
			for range 10 {
				_, err := s.Beat(t.Context(), m)
				if err != nil && !errors.Is(err, feedengine.ErrFenced) {
					t.Errorf("beat: %v", err)
				}
				if fenced[p] && err == nil {
					t.Errorf("process %d beats on after it was fenced", p)
				}
				fenced[p] = err != nil
			}
		})
	}
	wg.Wait()
	if slices.Contains(fenced[processes-1:], true) {
		t.Error("the youngest was fenced")
	}
	if roll := beat(t, s, member("n", 1, now.Add(time.Second))); len(roll.Members) != 1 {
		t.Errorf("members: %+v", roll.Members)
	}
}

func testBeatCancelled(t *testing.T, h MembersHarness) {
	s := h.Open(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Beat(ctx, member("a", 1, time.Now())); !errors.Is(err, context.Canceled) {
		t.Errorf("beat: %v, want context.Canceled", err)
	}
	if err := s.Leave(ctx, "a", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("leave: %v, want context.Canceled", err)
	}
	if got := beat(t, s, member("b", 1, time.Now())).Members; len(got) != 1 {
		t.Errorf("members: %+v", got)
	}
}
