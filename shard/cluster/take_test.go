package cluster

import (
	"bytes"
	"errors"
	"testing"
	"time"

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
