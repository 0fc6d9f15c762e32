package feedengine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCounterModel drives counters with random operations beside a list of all
// that counts. What a counter says is exact unless it says that it is stale.
func TestCounterModel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		keep := 1 + r.IntN(4)
		var c counter
		var all []unread // ascending
		next := ID(0)
		for step := range 400 {
			switch op := r.IntN(20); {
			case op < 12:
				next += 10
				id := next - ID(r.IntN(3)*r.IntN(40)) // some come late
				if id <= 0 || slices.ContainsFunc(all, func(u unread) bool { return u.id == id }) {
					continue
				}
				u := unread{id, author(r.IntN(3))}
				c.add(u.id, u.by, keep)
				if u.id > c.mark {
					all = append(all, u)
					slices.SortFunc(all, func(a, b unread) int { return int(a.id - b.id) })
				}
			case op == 18: // one that may count already
				id := max(1, next-ID(r.IntN(12)*10))
				c.ensure(id, keep)
				if id > c.mark && !slices.ContainsFunc(all, func(u unread) bool { return u.id == id }) {
					all = append(all, unread{id, nobody})
					slices.SortFunc(all, func(a, b unread) int { return int(a.id - b.id) })
				}
			case op < 16:
				id := max(1, next-ID(r.IntN(12)*10))
				before := len(all)
				all = slices.DeleteFunc(all, func(u unread) bool { return u.id == id })
				if c.remove(id) && len(all) == before {
					t.Fatalf("seed %d step %d: removed %d, which did not count", seed, step, id)
				}
			case op < 17:
				by := author(r.IntN(3))
				c.removeAuthor(by)
				all = slices.DeleteFunc(all, func(u unread) bool { return u.by == by })
			default:
				mark := next - ID(r.IntN(200))
				c.moveTo(mark)
				all = slices.DeleteFunc(all, func(u unread) bool { return u.id <= mark })
			}
			if c.stale { // the recount
				kept := all[max(0, len(all)-keep):]
				c = counter{mark: c.mark, kept: slices.Clone(kept), below: int32(len(all) - len(kept))}
				if len(kept) > 0 {
					c.top = kept[len(kept)-1].id
				}
			}
			if int(c.total()) != len(all) {
				t.Fatalf("seed %d step %d: %d, want %d", seed, step, c.total(), len(all))
			}
			if !slices.Equal(c.kept, all[len(all)-len(c.kept):]) {
				t.Fatalf("seed %d step %d: keeps %v of %v", seed, step, c.kept, all)
			}
			if len(c.kept) > 2*keep {
				t.Fatalf("seed %d step %d: keeps %d, twice %d is enough", seed, step, len(c.kept), keep)
			}
		}
	}
}

// A log that was behind brings ids older than all that is kept: they are not kept.
func TestCounterLateIDs(t *testing.T) {
	var c counter
	const keep = 8
	for id := ID(100_000); id < 100_000+2*keep; id++ {
		c.add(id, 0, keep)
	}
	for id := ID(1); id <= 1000; id++ {
		c.add(id, 0, keep)
	}
	if c.total() != 1000+2*keep || len(c.kept) > 2*keep || c.stale {
		t.Errorf("total %d, keeps %d, stale %v", c.total(), len(c.kept), c.stale)
	}
}

// A mark that passes what is kept mends a counter that is stale, not a lost one.
func TestCounterLost(t *testing.T) {
	for _, lost := range []bool{false, true} {
		c := counter{kept: []unread{{5, 0}}, top: 5, below: 3, stale: true, lost: lost}
		if c.moveTo(5); c.total() != 0 || c.stale != lost {
			t.Errorf("lost %v: %+v", lost, c)
		}
	}
}

func TestCounterCap(t *testing.T) {
	var c counter
	for id := ID(1); id <= MaxUnread+50; id++ {
		c.add(id, 0, 256)
	}
	if c.total() != MaxUnread || !c.more || len(c.kept)+int(c.below) != MaxUnread {
		t.Fatalf("total %d, more %v, %d kept, %d below", c.total(), c.more, len(c.kept), c.below)
	}
	if !c.remove(MaxUnread+50) || !c.stale {
		t.Error("what is left of more than can be counted cannot be told")
	}
}

func TestCounterEqual(t *testing.T) {
	long := counter{mark: 1, kept: []unread{{2, 0}, {3, 0}, {4, 1}}}
	short := counter{mark: 1, kept: []unread{{3, 0}, {4, 1}}, below: 1}
	if !long.equal(&short) || !short.equal(&long) {
		t.Error("counters that keep differently are equal")
	}
	for name, other := range map[string]counter{
		"total": {mark: 1, kept: []unread{{3, 0}, {4, 1}}},
		"mark":  {mark: 2, kept: []unread{{2, 0}, {3, 0}, {4, 1}}},
		"ids":   {mark: 1, kept: []unread{{3, 0}, {5, 1}}, below: 1},
	} {
		if long.equal(&other) {
			t.Errorf("equal to one of another %s", name)
		}
	}
}
