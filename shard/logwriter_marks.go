package shard

import (
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	// maxKeptMarks is how many of the latest read marks are remembered; beyond,
	// the oldest go.
	maxKeptMarks = 8192
	// keepMarks is for how long they may be needed: a store that lost more than
	// this has lost beats of its nodes too, who build all views anew then.
	keepMarks = 15 * time.Second
)

// keptMarks are the read marks that have lately been answered as durable.
type keptMarks struct {
	of   []keptMark // at most maxKeptMarks
	next int        // where the next one goes, once of is full
}

type keptMark struct {
	write feedengine.Write
	at    time.Time
}

func (k *keptMarks) add(w feedengine.Write) {
	m := keptMark{w, time.Now()}
	if len(k.of) < maxKeptMarks {
		k.of = append(k.of, m)
		return
	}
	k.of[k.next] = m
	k.next = (k.next + 1) % maxKeptMarks
}

// before lists the marks that were answered within keepMarks before t.
func (k *keptMarks) before(t time.Time) (writes []feedengine.Write) {
	for _, m := range k.of {
		if m.at.Before(t) && t.Sub(m.at) <= keepMarks {
			writes = append(writes, m.write)
		}
	}
	return writes
}

// saveAgain writes the marks of the seconds before the last doubt once more:
// they merge by maximum, so where nothing was lost nothing changes. It waits for a
// time when nobody else wants to write.
func (w *Writer) saveAgain() bool {
	if w.again.IsZero() {
		return true
	}
	writes := w.marks.before(w.again)
	for len(writes) > 0 {
		piece := writes[:min(len(writes), w.MaxRows)]
		batch := make([]*entry, len(piece))
		for i, mark := range piece {
			batch[i] = &entry{Pending: Pending{Write: mark, Done: func(Outcome) {}}, life: w.tail(mark.Shard).life}
		}
		if !w.commit(batch) {
			return false
		}
		writes = writes[len(piece):]
	}
	w.again = time.Time{}
	return true
}
