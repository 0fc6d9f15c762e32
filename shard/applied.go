package shard

// appliedNotes is how many of its latest advances a shard remembers.
const appliedNotes = 32

// applied is when a shard had applied up to which position of the ring, for the
// last advances. It answers an operator's question, and costs a few bytes.
type applied struct {
	notes [appliedNotes]struct {
		upto   uint64 // position after the last event applied
		millis int64
	}
	next int
}

func (a *applied) note(upto uint64, millis int64) {
	a.notes[a.next%appliedNotes] = struct {
		upto   uint64
		millis int64
	}{upto, millis}
	a.next++
}

// of is when the event at a position was applied, on the engines' clock; 0 when
// that is no longer known.
func (a *applied) of(position uint64) (millis int64) {
	for i := max(0, a.next-appliedNotes); i < a.next; i++ {
		n := a.notes[i%appliedNotes]
		if n.upto > position {
			if i == max(0, a.next-appliedNotes) && a.next > appliedNotes {
				return 0 // at or before the oldest that is remembered
			}
			return n.millis
		}
	}
	return 0
}
