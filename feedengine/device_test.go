package feedengine

import (
	"fmt"
	"maps"
	"slices"
)

// device is a client that believes nothing: it keeps what it was sent and holds
// it against the protocol.
type device struct {
	user    string
	gateway GatewayID

	session    SessionID // 0 when it has none
	waiting    bool      // for the reply to attach
	background bool
	deaf       bool // what it is sent is lost, or the engine does not know it: until a rejoin
	stream     StreamID
	n          uint64
	counts     Counts
	got        []numbered
	// from is what it did not need to be sent: what its page, or the view at the
	// time of its attach or reset, contained.
	from   []Head
	since  []Head            // likewise of what no page has
	hidden map[string]uint64 // authors who were unfollowed, and the stream's n then
	veiled map[string]bool   // whose hides have changed
}

type numbered struct {
	n  uint64
	ev *Event
}

func (d *device) String() string {
	return fmt.Sprintf("device of %s, session %d of gateway %d", d.user, d.session, d.gateway)
}

// gone ends the session.
func (d *device) gone() { d.session, d.waiting, d.background, d.deaf = 0, false, false, false }

// attached takes the reply to an attach. heads are those of its page, or what
// the engine had applied; follows are the user's.
func (d *device) attached(r Result, heads, applied []Head, follows []Edge) error {
	d.waiting = false
	if r.Resumed {
		if r.Stream != d.stream || r.N != d.n+uint64(r.Replay) {
			return fmt.Errorf("resumed %s/%d with %s", d.stream, d.n, printResult(r))
		}
		for _, g := range d.got {
			ev := g.ev
			followed := slices.ContainsFunc(follows, func(e Edge) bool { return e.Author == ev.Actor })
			if r.Page != nil && ev.onPages() && !d.veiled[ev.Actor] && ev.Seq > heads[ev.Shard].Seq && (followed || ev.Actor == d.user) {
				return fmt.Errorf("page is older than n: lacks %s", printEvent(ev))
			}
		}
	} else {
		d.stream, d.n, d.got, d.from, d.counts = r.Stream, r.N, nil, slices.Clone(heads), Counts{}
		d.since = slices.Clone(applied)
		clear(d.hidden)
		clear(d.veiled)
	}
	return d.shown(r.Counts)
}

func (d *device) shown(c Counts) error {
	if c.V < d.counts.V {
		return fmt.Errorf("counters go back from v=%d to v=%d", d.counts.V, c.V)
	}
	if c.V == d.counts.V && c != d.counts {
		return fmt.Errorf("counters of v=%d differ: %s and %s", c.V, printCounts(d.counts), printCounts(c))
	}
	d.counts = c
	return nil
}

// delivered takes one delivery.
func (d *device) delivered(ev *Event, r Recipient) error {
	switch {
	case d.waiting:
		return fmt.Errorf("delivery before the reply to attach")
	case ev == nil && r.N != 0:
		return fmt.Errorf("counters with a number")
	case ev != nil && d.background:
		return fmt.Errorf("event in the background")
	case ev != nil && r.N != d.n+1:
		return fmt.Errorf("number %d after %d", r.N, d.n)
	}
	if ev != nil {
		d.n = r.N
		if r.N > d.hidden[ev.Actor] || ev.Actor == d.user || !ev.onPages() {
			d.got = append(d.got, numbered{r.N, ev})
		}
	}
	return d.shown(r.Counts)
}

func (d *device) reset(r Reset, heads []Head) error {
	switch {
	case d.waiting:
		return fmt.Errorf("reset before the reply to attach")
	case r.Reason == Rejoined && (r.Stream != d.stream || r.N != d.n):
		return fmt.Errorf("rejoined %s/%d at %s/%d", d.stream, d.n, r.Stream, r.N)
	case r.Reason == Rejoined:
		return d.shown(r.Counts)
	}
	if r.Stream != d.stream {
		d.counts = Counts{}
	}
	d.stream, d.n, d.got, d.from = r.Stream, r.N, nil, slices.Clone(heads)
	d.since = d.from
	clear(d.hidden)
	clear(d.veiled)
	return d.shown(r.Counts)
}

// rewind makes the device one that has got only what came up to n.
func (d *device) rewind(n uint64) {
	d.got = slices.DeleteFunc(d.got, func(g numbered) bool { return g.n > n })
	d.n = n
}

// hide forgets what an unfollow hid at number n: it may come again after a new
// follow. What is replayed of it later (deletions) does not matter either.
func (d *device) hide(authors []string, n uint64) {
	for _, a := range authors {
		d.hidden[a] = n
	}
	d.got = slices.DeleteFunc(d.got, func(g numbered) bool {
		return g.ev.onPages() && g.ev.Actor != d.user && slices.Contains(authors, g.ev.Actor)
	})
}

// complete holds what the device was sent against the facts: all that is
// addressed to it, once, in the order of its author's log.
func (d *device) complete(f *facts) error {
	times := map[*Event]int{}
	last := map[string]uint64{}
	for _, g := range d.got {
		ev := g.ev
		if ev.Seq == 0 {
			continue // a read mark or a void
		}
		times[ev]++
		of := fmt.Sprint(ev.Shard, ev.Kind) // these come in the order of their logs
		switch {
		case ev.onPages():
			of = ev.Actor
		case ev.Kind == KindNoteGone: // several of one deletion
			continue
		}
		if last[of] >= ev.Seq {
			return fmt.Errorf("%s after one of seq %d", printEvent(ev), last[of])
		}
		last[of] = ev.Seq
	}
	heads := f.heads()
	veiled, _ := f.hiddenFrom(d.user, heads)
	maps.Copy(veiled, d.veiled)
	if err := d.completeSocial(f, veiled); err != nil {
		return err
	}
	authors := append(f.follows(d.user, heads), Edge{Author: d.user})
	for _, edge := range authors {
		followed := uint64(0)
		for _, ev := range f.log(d.user, heads) {
			if ev.ID == edge.Since {
				followed = ev.Seq
			}
		}
		fresh := followed > d.from[f.shardOf(d.user)].Seq
		standing := f.posts(edge.Author, heads, 0)
		for _, ev := range f.log(edge.Author, heads) {
			if ev.Actor != edge.Author || !ev.onPages() {
				continue
			}
			n := times[ev]
			delete(times, ev)
			stands := slices.ContainsFunc(standing, func(p *Event) bool { return ev.Post != nil && p.ID == ev.Post.ID })
			owed := ev.ID > edge.Since && (fresh || ev.Seq > d.from[ev.Shard].Seq) && (ev.Kind == KindPostDeleted || stands)
			switch {
			case (n > 0 || !veiled[ev.Actor]) && owed && n != 1:
				return fmt.Errorf("%s (log %d/%d, from %d) came %d times", printEvent(ev), ev.Shard, ev.Seq, d.from[ev.Shard].Seq, n)
			case ev.Kind == KindPost && ev.ID <= edge.Since && n > 0:
				return fmt.Errorf("%s came, though it is from before the follow %s", printEvent(ev), printID(edge.Since))
			}
		}
	}
	for ev := range times {
		if ev.Kind == KindPost {
			return fmt.Errorf("%s came, though its author is not followed", printEvent(ev))
		}
	}
	return nil
}

// completeSocial is the part of complete that is about notifications and messages.
// Of those whose hides have changed not all can be told.
func (d *device) completeSocial(f *facts, veiled map[string]bool) error {
	heads := f.heads()
	shown := map[ID]*Note{} // as it was shown last
	times := map[markOfEvent]int{}
	for _, g := range d.got {
		times[markOfEvent{g.ev.Shard, g.ev.Seq, g.ev.Kind}]++
		switch g.ev.Kind {
		case KindNote:
			shown[g.ev.Fact.(*Note).ID] = g.ev.Fact.(*Note)
		case KindNoteGone:
			delete(shown, g.ev.Target)
		}
	}
	for _, ev := range f.messages(d.user, heads) {
		n := times[markOfEvent{ev.Shard, ev.Seq, KindMessage}]
		if n > 1 || n == 0 && !veiled[ev.Actor] && ev.Seq > d.since[ev.Shard].Seq {
			return fmt.Errorf("%s came %d times", printEvent(ev), n)
		}
	}
	for _, log := range f.logs {
		for _, ev := range log {
			n := times[markOfEvent{ev.Shard, ev.Seq, KindReceipt}]
			owed := ev.Kind == KindSeen && slices.Contains(ev.Users, d.user) && ev.Seq > d.since[ev.Shard].Seq
			if n > 1 || n == 0 && !veiled[ev.Actor] && owed {
				return fmt.Errorf("receipt of %s came %d times", printEvent(ev), n)
			}
		}
	}
	rows := f.notes(d.user, heads, 0)
	for _, r := range rows {
		switch n := shown[r.ID]; {
		case len(veiled) > 0 || r.at.Seq <= d.since[r.at.Shard].Seq:
		case n == nil:
			return fmt.Errorf("notification %s by %s (%s) does not stand", printID(r.ID), r.Actor, r.Kind)
		case n.Count != r.Count || n.Kind != r.Kind:
			return fmt.Errorf("notification %s is shown as %+v, not %+v", printID(r.ID), *n, r.Note)
		}
	}
	deleted := map[ID]bool{}
	for _, g := range d.got {
		if g.ev.Kind == KindPostDeleted {
			deleted[g.ev.Target] = true
		}
	}
	for id, n := range shown {
		// Of a comment that fell out of the tail before its post was deleted, nobody is told.
		if len(veiled) == 0 && !deleted[n.Post] && (n.Kind != NoteMention || n.Comment == 0) && !slices.ContainsFunc(rows, func(r row) bool { return r.ID == id }) {
			return fmt.Errorf("notification %s stands, though it was withdrawn", printID(id))
		}
	}
	return nil
}

// markOfEvent names an event of a stream by the one of a log that it is made of.
type markOfEvent struct {
	shard ShardID
	seq   uint64
	kind  EventKind
}
