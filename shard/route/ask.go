package route

import (
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	// maxAsks is how many asks of one shard may be under way or held; beyond,
	// they are refused, but for detaches, of which there is one per session.
	maxAsks = 4096
	// patience is how long an ask without a deadline is tried for.
	patience = int64(10 * time.Second)
	// An unanswered ask is sent again after firstWait, or four times as long as
	// answers take just now when that is more, up to mostWait, then after twice that
	// and so on up to lastWait. With firstWait alone a storm of 20,000 reconnects on two
	// busy cores had every third ask carried out twice.
	firstWait = int64(300 * time.Millisecond)
	lastWait  = int64(2 * time.Second)
	mostWait  = int64(5 * time.Second) // half of an ask's time
	// holdWait is how long an ask is held that was answered "elsewhere", unless
	// another owner turns up, and lastHold how long when that was so again and again.
	holdWait = int64(100 * time.Millisecond)
	lastHold = int64(time.Second)
	// onceMore is the least time between two sendings for a link's losses.
	onceMore = int64(50 * time.Millisecond)
	// grace is how long after its deadline an ask may be answered: its owner begins
	// nothing after that, and ends what it has begun.
	grace = int64(500 * time.Millisecond)
)

// ask is a request under way, guarded by its table's mu.
type ask struct {
	// Set at construction.
	feedengine.Request
	id    uint64
	lane  lane  // zero: its order does not count
	until int64 // when it is given up, as of Router.now; never for a detach

	key     string // internal idempotency key, "" while it was never sent to another node
	attempt uint32 // how often it was sent
	to      string // to whom last
	epoch   uint64 // of the shard, then
	first   int64  // when it was sent first
	sent    int64  // and last
	next    int64  // when it is sent again if it is not answered; never at the own host
	wait    int64  // and after that
	over    bool   // its deadline has passed
	holds   uint8  // how often in a row it was answered "elsewhere"
	held    bool   // it waits for an owner, or for its session to be whole
	was     bool   // a SetState: what the session was before

	stream feedengine.StreamID // a Sync: the one that it means
}

// lane names asks that must be carried out in the order in which they were made:
// a session's, and a user's messages and all that can be taken back, of one shard.
type lane struct {
	session feedengine.SessionID
	user    string
}

func (r *Router) newAsk(req feedengine.Request) *ask {
	a := &ask{Request: req, id: r.lastAsk.Add(1), until: r.now() + patience, next: never, wait: r.firstWait()}
	if !req.Deadline.IsZero() {
		a.until = int64(req.Deadline.Sub(r.start))
	}
	switch do := req.Do.(type) {
	case feedengine.Attach:
		a.lane.session = do.Session
	case feedengine.Sync:
		a.lane.session = do.Session
	case feedengine.SetState:
		a.lane.session = do.Session
	case feedengine.Detach:
		a.lane.session, a.until = do.Session, never
	case feedengine.Follow, feedengine.Unfollow, feedengine.HideUser, feedengine.PutProfile,
		feedengine.LikePost, feedengine.Edit, feedengine.Send:
		a.lane.user = req.User
	}
	return a
}

// firstWait is how long an ask is waited for before it is sent again.
func (r *Router) firstWait() int64 {
	return min(max(firstWait, 4*r.answers.Load()), mostWait)
}

// again is how long it is waited after wait went by in vain.
func (r *Router) again(wait int64) int64 {
	return min(2*wait, max(lastWait, r.firstWait()))
}

// took takes note of how long an answer of another node took, counted from the
// first sending: should that have been lost, the next ones are given more time
// than they need, for a while. But not once a loss has been found: after a Redis that
// was away for 5 s, whatever was lost next would have been asked for again after 5 s,
// when the stream's tail has long gone on.
func (r *Router) took(first, now int64) {
	d := now - max(first, r.lossAt.Load())
	old := r.answers.Load()
	r.answers.CompareAndSwap(old, old+(d-old)/8) // whose note is lost does not matter
}

var (
	errStopped  = feedengine.Refuse(feedengine.Unavailable, "the node is stopping")
	errBusy     = feedengine.Refuse(feedengine.Overloaded, "too many requests wait for the shard")
	errSilent   = feedengine.Refuse(feedengine.Unavailable, "the shard did not answer in time")
	errDetached = feedengine.Refuse(feedengine.Unavailable, "the socket has gone")
	errNoOwner  = feedengine.Refuse(feedengine.Unavailable, "the shard has no owner just now")
)

// begin takes a new ask.
func (t *table) begin(a *ask) {
	do, isDetach := a.Do.(feedengine.Detach)
	switch {
	case t.router.stopping.Load():
		t.refuse(a, errStopped)
		return
	case !isDetach && len(t.asks) >= maxAsks:
		t.router.metrics.busy.Inc()
		t.refuse(a, errBusy)
		return
	}
	now := t.router.now()
	if isDetach {
		t.cutShort(a.lane)
		if s := t.sessions[do.Session]; s != nil {
			t.setLeaving(s)
		}
	}
	if do, ok := a.Do.(feedengine.Attach); ok && t.sessions[do.Session] == nil {
		t.add(do.Session, a.User)
	}
	if do, ok := a.Do.(feedengine.Sync); ok {
		if s := t.sessions[do.Session]; s != nil {
			a.stream = s.stream
		}
	}
	t.asks[a.id] = a
	t.router.metrics.asks.Add(1)
	if a.lane != (lane{}) {
		t.lanes[a.lane] = append(t.lanes[a.lane], a)
		if len(t.lanes[a.lane]) > 1 {
			t.wakeAt(a.until)
			return
		}
	}
	t.send(a, now)
}

// cutShort ends a session's asks: nobody is there to be answered.
func (t *table) cutShort(l lane) {
	for _, a := range t.lanes[l] {
		t.forget(a)
		t.refuse(a, errDetached)
	}
	delete(t.lanes, l)
}

// forget removes an ask from those under way.
func (t *table) forget(a *ask) {
	delete(t.asks, a.id)
	t.router.metrics.asks.Add(-1)
}

// refuse answers an ask that is not, or no longer, under way. A detach is granted:
// there is nothing left to detach from.
func (t *table) refuse(a *ask, err *feedengine.Error) {
	if _, ok := a.Do.(feedengine.Detach); ok {
		err = nil
	}
	a.Done(feedengine.Result{Err: err})
}

// refuseAll ends everything.
func (t *table) refuseAll() {
	for _, id := range t.askIDs(func(*ask) bool { return true }) {
		a := t.asks[id]
		t.forget(a)
		t.refuse(a, errStopped)
	}
	clear(t.lanes)
}

// finish ends an ask that is under way: with a result that came from the shard
// under its present epoch (current) or an older one, or with a refusal.
func (t *table) finish(a *ask, res feedengine.Result, current bool, now int64) {
	t.forget(a)
	again := t.settle(a, &res, current, now)
	a.Done(res)
	if a.lane != (lane{}) {
		t.nextInLane(a, now)
	}
	if again != nil {
		t.begin(again)
	}
}

// nextInLane sends the ask behind a.
func (t *table) nextInLane(a *ask, now int64) {
	waiting := t.lanes[a.lane]
	for i, w := range waiting {
		if w == a {
			waiting = append(waiting[:i:i], waiting[i+1:]...)
			if len(waiting) == 0 {
				delete(t.lanes, a.lane)
				return
			}
			t.lanes[a.lane] = waiting
			if i == 0 {
				t.send(waiting[0], now)
			}
			return
		}
	}
}

// settle does to the session what the result of its ask means. again, if any, is
// an ask that follows from it.
func (t *table) settle(a *ask, res *feedengine.Result, current bool, now int64) (again *ask) {
	s := t.sessions[a.lane.session]
	if s == nil {
		return nil
	}
	switch do := a.Do.(type) {
	case feedengine.Attach:
		switch {
		case res.Err == nil:
			s.stream, s.n, s.v, s.state = res.Stream, res.N, res.Counts.V, whole
			if res.Resumed && do.Resume != nil {
				s.n = do.Resume.N
			}
		case a.attempt > 1 || a.attempt == 1 && res.Err == errSilent: // it may be attached all the same
			return t.router.newAsk(feedengine.Request{
				User: a.User, Do: feedengine.Detach{Session: do.Session}, Done: func(feedengine.Result) {},
			})
		default:
			t.drop(do.Session)
			return nil
		}
	case feedengine.Sync:
		// A reset that came meanwhile has begun another stream, in which the
		// number means nothing: that goes on where the reset said.
		if res.Err == nil && s.stream == a.stream {
			s.n = min(s.n, do.N)
		}
	case feedengine.SetState:
		if res.Err != nil && a.attempt > 0 {
			s.background = a.was
			current = false
		}
	case feedengine.Detach:
		t.drop(do.Session)
		return nil
	default:
		return nil
	}
	if !current {
		t.lack(s, now)
	}
	return nil
}

// askIDs lists the asks that which picks, in the order in which they were made.
func (t *table) askIDs(which func(*ask) bool) []uint64 {
	var ids []uint64
	for id, a := range t.asks {
		if which(a) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
