package postgres

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// keyLife is how long an idempotency key is honoured.
const keyLife = 24 * time.Hour

// oldestKey is the first id that is young enough to be honoured at now.
func oldestKey(now time.Time) feedengine.ID { return feedengine.TickAt(now.Add(-keyLife)).ID(0) }

// rows are an append's rows by table, each column a slice, in the order in which
// the append's statements take them. Facts that the writes change more than once
// are here once, as they stand at the end, and in order of their keys: two
// appends then never wait for each other's rows crosswise.
type rows struct {
	fences []feedengine.Fence
	events []*feedengine.Event
	bodies []string
	keys   []*feedengine.Key
	marks  []feedengine.Mark
	facts
}

// newRows sorts the writes by table. It refuses those that could not be right
// whatever the database holds.
func newRows(fences []feedengine.Fence, writes []feedengine.Write) (*rows, error) {
	r := &rows{fences: slices.Clone(fences), facts: newFacts()}
	slices.SortFunc(r.fences, func(a, b feedengine.Fence) int { return cmp.Compare(a.Shard, b.Shard) })
	epochs := make(map[feedengine.ShardID]uint64, len(fences))
	for _, f := range fences {
		epochs[f.Shard] = f.Epoch
	}
	if len(epochs) != len(fences) {
		return nil, fmt.Errorf("%w: two fences of one shard", feedengine.ErrRefused)
	}
	marks := map[feedengine.Mark]feedengine.ID{} // by Mark without Upto
	for _, w := range writes {
		epoch, ok := epochs[w.Shard]
		if !ok {
			return nil, fmt.Errorf("%w: a write for shard %d without its fence", feedengine.ErrRefused, w.Shard)
		}
		if m := w.Mark; m != nil {
			of := feedengine.Mark{User: m.User, List: m.List}
			marks[of] = max(marks[of], m.Upto)
		}
		if e := w.Event; e != nil {
			if e.Shard != w.Shard || e.Epoch != epoch {
				return nil, fmt.Errorf("%w: event %d is of shard %d epoch %d, its fence of shard %d epoch %d",
					feedengine.ErrRefused, e.ID, e.Shard, e.Epoch, w.Shard, epoch)
			}
			if err := r.event(e); err != nil {
				return nil, err
			}
		}
		if w.Key != nil {
			r.keys = append(r.keys, w.Key)
		}
	}
	for m, upto := range marks {
		m.Upto = upto
		r.marks = append(r.marks, m)
	}
	r.sort()
	return r, nil
}

// event adds e's log row and what it means for the other tables.
func (r *rows) event(e *feedengine.Event) error {
	text, err := encode(e)
	if err != nil {
		return err
	}
	r.events = append(r.events, e)
	r.bodies = append(r.bodies, text)
	return r.add(e)
}

func (r *rows) sort() {
	slices.SortFunc(r.marks, func(a, b feedengine.Mark) int {
		return cmp.Or(strings.Compare(a.User, b.User), cmp.Compare(a.List, b.List))
	})
	slices.SortFunc(r.keys, func(a, b *feedengine.Key) int {
		return cmp.Or(strings.Compare(a.User, b.User), strings.Compare(a.Op, b.Op), strings.Compare(a.Key, b.Key))
	})
}

// firsts are the events of the lowest seq of each log.
func (r *rows) firsts() []*feedengine.Event {
	first := make(map[feedengine.ShardID]int, len(r.fences)) // index in events
	var events []*feedengine.Event
	for _, e := range r.events {
		i, ok := first[e.Shard]
		switch {
		case !ok:
			first[e.Shard] = len(events)
			events = append(events, e)
		case e.Seq < events[i].Seq:
			events[i] = e
		}
	}
	return events
}

// batch is the append as statements: the fence and those that have rows.
func (r *rows) batch(now time.Time) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(q.Fence,
		column(r.fences, func(f feedengine.Fence) int16 { return int16(f.Shard) }),
		column(r.fences, func(f feedengine.Fence) int64 { return int64(f.Epoch) }))
	if es := r.events; len(es) > 0 {
		first := r.firsts()
		b.Queue(q.Unbroken,
			column(first, func(e *feedengine.Event) int16 { return int16(e.Shard) }),
			column(first, func(e *feedengine.Event) int64 { return int64(e.Seq) }))
		b.Queue(q.InsertLog,
			column(es, func(e *feedengine.Event) int16 { return int16(e.Shard) }),
			column(es, func(e *feedengine.Event) int64 { return int64(e.Seq) }),
			column(es, func(e *feedengine.Event) int64 { return int64(e.Epoch) }),
			column(es, func(e *feedengine.Event) int64 { return int64(e.ID) }),
			column(es, func(e *feedengine.Event) int16 { return int16(e.Kind) }),
			column(es, func(e *feedengine.Event) string { return e.Actor }),
			r.bodies)
	}
	if ks := r.keys; len(ks) > 0 {
		b.Queue(q.InsertKeys,
			column(ks, func(k *feedengine.Key) string { return k.User }),
			column(ks, func(k *feedengine.Key) string { return k.Op }),
			column(ks, func(k *feedengine.Key) string { return k.Key }),
			column(ks, func(k *feedengine.Key) []byte { return k.Hash[:] }),
			column(ks, func(k *feedengine.Key) int64 { return int64(k.ID) }),
			int64(oldestKey(now)))
	}
	r.facts.queue(b)
	if ms := r.marks; len(ms) > 0 {
		b.Queue(q.MergeMarks,
			column(ms, func(m feedengine.Mark) string { return m.User }),
			column(ms, func(m feedengine.Mark) int16 { return int16(m.List) }),
			column(ms, func(m feedengine.Mark) int64 { return int64(m.Upto) }))
	}
	return b
}

// column is one column of the rows.
func column[R, V any](rows []R, value func(R) V) []V {
	values := make([]V, len(rows))
	for i, r := range rows {
		values[i] = value(r)
	}
	return values
}
