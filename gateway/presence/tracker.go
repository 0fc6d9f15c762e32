package presence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Options are what a Tracker needs.
type Options struct {
	Node string // this one's name among the nodes
	// Publish sends a message to the other nodes; nil: there are none.
	Publish func(msg []byte)
	// Here reports whether the user has a socket on this node. It is called with the
	// tracker's lock held: it must not wait, nor use the tracker.
	Here func(user string) bool
	// Show shows a session how a user stands. False: it could not be shown just now;
	// it is tried again as long as the session watches.
	Show func(feedengine.SessionID, Status) bool
	// Save saves when users were last connected, at most SaveMost, each once.
	Save func(context.Context, []feedengine.LastSeen) error

	Log     *slog.Logger
	Metrics *metrics.Set
}

// Tracker tracks who is online, as far as the sessions of this node watch, or other
// nodes ask. Its methods may be called from any goroutine.
type Tracker struct {
	o Options // set at construction

	watching atomic.Bool  // somebody watches: who comes is noted
	subs     atomic.Int64 // how many sessions watch

	mu    sync.Mutex
	state *state        // guarded by mu
	turn  chan struct{} // guarded by mu: closed, and replaced, when something may have changed

	saving atomic.Bool // one statement is under way
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	shown, messages, received, unread, saved, unsaved *metrics.Counter
}

// New makes a Tracker, which works until Close.
func New(o Options) *Tracker {
	t := &Tracker{
		o:     o,
		state: newState(o.Node, o.Publish == nil, o.Here, time.Now()),
		turn:  make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.shown = o.Metrics.NewCounter("feedgate_presence_shown_total")
	t.messages = o.Metrics.NewCounter("feedgate_presence_messages_total")
	t.received = o.Metrics.NewCounter("feedgate_presence_received_total")
	t.unread = o.Metrics.NewCounter("feedgate_presence_unreadable_total")
	t.saved = o.Metrics.NewCounter("feedgate_last_seen_saved_total")
	t.unsaved = o.Metrics.NewCounter("feedgate_last_seen_lost_total")
	gauge := func(name string, of func(*state) int) {
		o.Metrics.NewGauge(name, func() float64 {
			t.mu.Lock()
			defer t.mu.Unlock()
			return float64(of(t.state))
		})
	}
	gauge("feedgate_presence_watched", func(s *state) int { return len(s.watched) })
	gauge("feedgate_presence_sessions", func(s *state) int { return len(s.subs) })
	gauge("feedgate_last_seen_waiting", func(s *state) int { return len(s.gone) + len(s.saving) })
	t.wg.Go(t.run)
	return t
}

// Joined notes that a user has got a socket; it may be called for each of them.
func (t *Tracker) Joined(user string) {
	if !t.watching.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.join(user)
}

// Left notes that a user's last socket is gone.
func (t *Tracker) Left(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.leave(user, time.Now())
}

// Watch makes the users, at most MaxUsers, each once, those whom the session
// watches, and says how they stand, as far as this node knows: what others answer
// is shown like a change. Changes are shown after answered was called. The error is
// that the node's sessions watch too many users.
func (t *Tracker) Watch(session feedengine.SessionID, users []string) (now []Status, answered func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watching.Store(true) // before it is looked who is here: who comes after that is noted
	now, mine, err := t.state.watch(session, users, time.Now())
	t.subs.Store(int64(len(t.state.subs)))
	if err != nil {
		return nil, nil, refused(err)
	}
	return now, func() {
		if mine == nil {
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.state.release(mine)
	}, nil
}

func refused(error) *feedengine.Error {
	return &feedengine.Error{Code: feedengine.Overloaded, Message: "this node watches as many users as it can", Retry: lingers}
}

// Unwatch ends what the session watches.
func (t *Tracker) Unwatch(session feedengine.SessionID) {
	if t.subs.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.unwatch(session, time.Now())
	t.subs.Store(int64(len(t.state.subs)))
}

// Hide has the session no longer watch the user.
func (t *Tracker) Hide(session feedengine.SessionID, user string) {
	if t.subs.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.hide(session, user, time.Now())
}

// Watched are the users whom the session watches.
func (t *Tracker) Watched(session feedengine.SessionID) []string {
	if t.subs.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.watchedBy(session)
}

// lookWait bounds how long Look waits for other nodes: a message of this node, and
// one of each other, leave within as long.
const lookWait = 2*Every + Every/2

// Look says how the users, at most MaxUsers, stand, when all nodes that live have
// been asked, or after lookWait.
func (t *Tracker) Look(ctx context.Context, users []string) ([]Status, error) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	for first, asked := true, uint64(0); ; first = false {
		t.mu.Lock()
		t.watching.Store(true) // as in Watch
		all, by, err := t.state.look(users, time.Now())
		if first {
			asked = by
		}
		done, turn := t.state.settled(asked), t.turn
		t.mu.Unlock()
		if err != nil {
			return nil, refused(err)
		}
		if done {
			return all, nil
		}
		select {
		case <-turn:
		case <-ctx.Done():
			return all, nil
		}
	}
}

// Receive takes another node's message.
func (t *Tracker) Receive(node string, msg []byte) {
	m, err := decodeMessage(msg)
	if err != nil {
		t.unread.Inc()
		t.o.Log.Debug("a message about presence was not understood", "node", node, "err", err)
		return
	}
	t.received.Inc()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(m.Watch) > 0 {
		t.watching.Store(true) // as in Watch
	}
	t.state.receive(node, m, time.Now())
	t.turned()
}

// turned wakes who waits in Look. mu is held.
func (t *Tracker) turned() {
	close(t.turn)
	t.turn = make(chan struct{})
}

// run does a round once per Every, until Close.
func (t *Tracker) run() {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			t.round(now)
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *Tracker) round(now time.Time) {
	t.mu.Lock()
	changes, msg := t.state.round(now)
	t.watching.Store(!t.state.idle())
	t.unsaved.Add(t.state.lost)
	t.state.lost = 0
	t.turned()
	t.mu.Unlock()

	if msg != nil {
		t.messages.Inc()
		t.o.Publish(msg)
	}
	for _, c := range changes {
		for i, st := range c.Now {
			if !t.o.Show(c.Session, st) {
				t.mu.Lock()
				t.state.missed(Change{c.Session, c.Now[i:]})
				t.mu.Unlock()
				break
			}
			t.shown.Inc()
		}
	}
	t.save()
}

// save saves a batch of those who left, unless one is on its way.
func (t *Tracker) save() {
	if !t.saving.CompareAndSwap(false, true) {
		return
	}
	batch := t.take()
	if len(batch) == 0 {
		t.saving.Store(false)
		return
	}
	t.wg.Go(func() { // Close waits for it
		defer t.saving.Store(false)
		t.put(t.ctx, batch)
	})
}

func (t *Tracker) take() []feedengine.LastSeen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.takeSaving()
}

// saveWait bounds one statement.
const saveWait = 10 * time.Second

// put saves a batch, or keeps it for later.
func (t *Tracker) put(ctx context.Context, batch []feedengine.LastSeen) {
	ctx, cancel := context.WithTimeout(ctx, saveWait)
	defer cancel()
	err := t.o.Save(ctx, batch)
	switch {
	case err == nil:
		t.saved.Add(len(batch))
		return
	case errors.Is(err, feedengine.ErrRefused): // for good
		t.unsaved.Add(len(batch))
		t.o.Log.Error("when users were last connected cannot be saved", "users", len(batch), "err", err)
		return
	}
	t.o.Log.Debug("when users were last connected is saved later", "users", len(batch), "err", err)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range batch {
		t.state.save(l.User, l.At)
	}
}

// Close ends the tracker, and saves who is gone by then until ctx ends: those who
// have left within Grace, too.
func (t *Tracker) Close(ctx context.Context) {
	t.cancel()
	t.wg.Wait()
	t.mu.Lock()
	t.state.depart(time.Now().Add(Grace))
	t.mu.Unlock()
	for ctx.Err() == nil {
		batch := t.take()
		if len(batch) == 0 {
			return
		}
		if err := t.o.Save(ctx, batch); err != nil {
			t.unsaved.Add(len(batch))
			t.o.Log.Warn("when users were last connected was not saved", "users", len(batch), "err", err)
			return
		}
		t.saved.Add(len(batch))
	}
}
