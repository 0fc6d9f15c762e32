package feedengine

import "slices"

// view is what one resident user's devices are shown, exact as of the events
// that the engine has applied. 200 bytes beside its edges, its tail and what is in social.
type view struct {
	user    string
	follows []author // in the order in which they were followed

	stream StreamID
	n      uint64   // number of the stream's newest event
	tail   []*Event // the newest events of the stream, the newest last; see push

	counters
	v uint64 // version of the counters within the stream

	sessions []session
	pending  *pending // what waits for a load or a mark, nil when nothing does

	idleSince    int64 // when the last session left, on the clock of Step's now
	older, newer slot  // neighbours in the list of idle views; 0 none
	phase        phase
	joins        joins // only while a load is being stepped in
	idle         bool  // stands in the list of idle views
}

// phase is how far a view's life has come.
type phase uint8

const (
	phaseFree    phase = iota // the slot is not in use
	phaseLoading              // asked for; no edges, no stream yet
	phaseLive
)

// joins says what a load that is being stepped in means to a view.
type joins uint8

const (
	joinsNot   joins = iota
	joinsNew         // its stream and counters begin here
	joinsCount       // only pending.recount takes part
)

// session is one socket's attachment to the stream.
type session struct {
	id         SessionID
	gateway    GatewayID
	background bool
	n          uint64 // in the background: the last event it was sent
}

// pending holds what a view owes an answer to.
type pending struct {
	waiters []waiter
	marks   int         // SaveMarks under way
	saved   []Mark      // while the view was being loaded
	asked   bool        // a Load is under way
	page    int         // how long a page that load will bring
	again   bool        // that load may be from before a rebuild: ask anew when it comes
	audit   bool        // compare the counters with that load
	reset   ResetReason // what the sessions are to be told once the view is there again
	loaded  *LoadedUser // while a load is being stepped in: what it says
	recount counters    // while a load is being stepped in: the counters as it says
	first   uint64      // while a load is being stepped in: the first number that it missed, 0 when that is not known
}

// waiter is a request that needs a load before it can be answered. What it asks
// for is that of attach or read, or else the counters and the mark of a list.
type waiter struct {
	token  Token
	attach *AttachInput
	read   *ReadInput
	list   List // 0: the counters of all conversations, too
}

// push gives the event the stream's next number and keeps it for replays. The
// tail grows to twice keep before its older half goes, so a push costs no more
// than an append.
func (v *view) push(e *Event, keep int) {
	v.n++
	if len(v.tail) >= 2*keep {
		n := copy(v.tail, v.tail[len(v.tail)-keep:])
		clear(v.tail[n:])
		v.tail = v.tail[:n]
	}
	v.tail = append(v.tail, e)
}

// since returns the events after number n, oldest first, and false when the
// tail no longer has them all, or never had.
func (v *view) since(n uint64) ([]*Event, bool) {
	if n > v.n || v.n-n > uint64(len(v.tail)) {
		return nil, false
	}
	return v.tail[uint64(len(v.tail))-(v.n-n):], true
}

// number is the event's number in the stream, 0 when it does not stand in the tail:
// because it is too old for that, or for the stream, or was withdrawn.
func (v *view) number(e *Event) uint64 {
	i := slices.IndexFunc(v.tail, func(t *Event) bool { return t.Seq == e.Seq && t.Shard == e.Shard && t.Kind == e.Kind })
	if i < 0 {
		return 0
	}
	return v.n - uint64(len(v.tail)-i) + 1
}

// void is what takes the place of a withdrawn event.
var void = &Event{Kind: KindVoid}

// withdraw replaces the stream's events that match by voids and reports whether
// there were any.
func (v *view) withdraw(match func(*Event) bool) (any bool) {
	for i, e := range v.tail {
		if match(e) {
			v.tail[i], any = void, true
		}
	}
	return any
}

// withdrawPost replaces a deleted post, and what it was edited to, by voids.
func (v *view) withdrawPost(id ID) {
	v.withdraw(func(e *Event) bool {
		return e.Kind == KindPost && e.ID == id || e.Kind == KindPostEdited && e.Post.ID == id
	})
}

// counts is what the user's devices show.
func (v *view) counts() Counts {
	c := v.counters.counts()
	c.V = v.v
	return c
}

func (v *view) session(g GatewayID, id SessionID) *session {
	for i := range v.sessions {
		if v.sessions[i].id == id && v.sessions[i].gateway == g {
			return &v.sessions[i]
		}
	}
	return nil
}

// waits returns what the view owes, to add to it.
func (v *view) waits() *pending {
	if v.pending == nil {
		v.pending = &pending{}
	}
	return v.pending
}

// settle forgets pending when nothing is owed any more.
func (v *view) settle() {
	if p := v.pending; p != nil && len(p.waiters) == 0 && p.marks == 0 && !p.asked && p.reset == "" {
		v.pending = nil
	}
}
