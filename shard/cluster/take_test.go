package cluster

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

func hand(move uint64, part, parts int, data string) link.Hand {
	return link.Hand{Move: move, Shard: 3, Epoch: 7, Part: part, Parts: parts, Data: []byte(data)}
}

func TestIntakes(t *testing.T) {
	now := time.Unix(1e9, 0)
	in := intakes{all: map[intakeKey]*intake{}}
	a, b := link.Peer{Node: "a", Incarnation: 1}, link.Peer{Node: "b", Incarnation: 1}

	// Pieces come in any order, twice, and beside those of others.
	for _, m := range []link.Hand{hand(1, 2, 3, "zz"), hand(1, 0, 3, "xx"), hand(1, 2, 3, "zz")} {
		if whole, why := in.add(a, m, now); whole != nil || why != nil {
			t.Fatalf("piece %d: %v, %v", m.Part, whole, why)
		}
	}
	if whole, why := in.add(b, hand(1, 1, 3, "other"), now); whole != nil || why != nil {
		t.Fatalf("another node's: %v, %v", whole, why)
	}
	whole, why := in.add(a, hand(1, 1, 3, "yy"), now)
	if whole == nil || why != nil || string(bytes.Join(whole.pieces, nil)) != "xxyyzz" || whole.shard != 3 || whole.epoch != 7 {
		t.Fatalf("the last piece: %+v, %v", whole, why)
	}
	if len(in.all) != 1 || in.size != len("other") {
		t.Errorf("%d intakes of %d bytes are left, want b's", len(in.all), in.size)
	}

	// What fits nothing.
	other := hand(1, 0, 3, "x")
	other.Epoch = 8
	for _, m := range []link.Hand{hand(2, 0, 0, ""), hand(2, 3, 3, ""), hand(2, -1, 3, ""), hand(2, 0, maxPieces+1, ""), hand(1, 0, 4, ""), other} {
		if whole, why := in.add(b, m, now); whole != nil || !errors.Is(why, errPiece) {
			t.Errorf("piece %d of %d: %v, %v", m.Part, m.Parts, whole, why)
		}
	}

	// What does not become whole goes.
	later := now.Add(intakePatience + 1)
	if whole, _ := in.add(a, hand(9, 0, 2, "x"), later); whole != nil || len(in.all) != 1 || in.size != 1 {
		t.Errorf("%d intakes of %d bytes are left after a while, want the new one", len(in.all), in.size)
	}
	for i := range uint64(maxIntakes) {
		_, why = in.add(a, hand(100+i, 0, 2, "x"), later)
	}
	if !errors.Is(why, errIntakesFull) {
		t.Errorf("one too many: %v", why)
	}
}

func TestWhole(t *testing.T) {
	log := func(seqs ...uint64) (events []*feedengine.Event) {
		for _, s := range seqs {
			events = append(events, &feedengine.Event{Seq: s, ID: feedengine.ID(s * 10)})
		}
		return events
	}
	head := func(seq uint64) feedengine.Head { return feedengine.Head{Seq: seq, ID: feedengine.ID(seq * 10)} }
	for _, c := range []struct {
		what        string
		events      []*feedengine.Event
		after       uint64
		before, now feedengine.Head
		want, hole  bool
	}{
		{"nothing new", log(5), 4, head(5), head(5), true, false},
		{"events since", log(5, 6, 7), 4, head(5), head(7), true, false},
		{"events since the look", log(5, 6, 7, 8), 4, head(5), head(7), true, false},
		{"the last one is gone", log(5, 6), 4, head(5), head(7), false, false},
		{"all are gone", nil, 4, head(5), head(5), false, false},
		{"one is gone and one came", log(5, 7), 4, head(5), head(7), false, true},
		{"another in its place", log(5, 6), 4, head(5), feedengine.Head{Seq: 6, ID: 61}, false, false},
		{"another log", log(5, 6), 4, feedengine.Head{Seq: 5, ID: 51}, head(6), false, false},
		{"opened since the last look", log(5), 4, feedengine.Head{}, head(5), true, false},
	} {
		if got, hole := whole(c.events, c.after, c.before, c.now); got != c.want || hole != c.hole {
			t.Errorf("%s: %v, %v", c.what, got, hole)
		}
	}
}
