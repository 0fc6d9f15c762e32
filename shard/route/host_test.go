package route

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// world is the durable truth that all hosts share.
type world struct {
	mu      sync.Mutex
	shards  int
	epochs  []uint64
	owners  []string
	feeds   map[string][]*feedengine.Event // what is addressed to each user
	keys    map[string]feedengine.ID       // idempotency keys
	written map[string]int                 // how often each text was published
	lastID  feedengine.ID
	stream  feedengine.StreamID
	streams map[feedengine.StreamID]map[uint64]*feedengine.Event
	broken  []string     // what must not have happened
	open    atomic.Int64 // requests not answered
}

func newWorld(shards int) *world {
	return &world{
		shards: shards, epochs: make([]uint64, shards), owners: make([]string, shards),
		feeds: map[string][]*feedengine.Event{}, keys: map[string]feedengine.ID{}, written: map[string]int{},
		streams: map[feedengine.StreamID]map[uint64]*feedengine.Event{}, lastID: 1000, stream: 100,
	}
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) shardOf(user string) feedengine.ShardID {
	h := uint32(2166136261)
	for _, c := range []byte(user) {
		h = (h ^ uint32(c)) * 16777619
	}
	return feedengine.ShardID(h % uint32(w.shards))
}

// claim raises the shard's epoch for a node.
func (w *world) claim(s feedengine.ShardID, node string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epochs[s]++
	w.owners[s] = node
	return w.epochs[s]
}

func (w *world) owner(s feedengine.ShardID) (string, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners[s], w.epochs[s]
}

// address appends an event to a user's feed.
func (w *world) address(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastID++
	w.feeds[user] = append(w.feeds[user], &feedengine.Event{ID: w.lastID, Kind: feedengine.KindPost, Actor: "somebody"})
}

// fakeHost is a naive host: shards that serve, each on a goroutine of its own.
type fakeHost struct {
	node *node
	w    *world

	mu     sync.Mutex
	shards map[feedengine.ShardID]*fakeShard // served
	gone   map[feedengine.GatewayID]bool
}

func newFakeHost(n *node, w *world) *fakeHost {
	return &fakeHost{node: n, w: w, shards: map[feedengine.ShardID]*fakeShard{}, gone: map[feedengine.GatewayID]bool{}}
}

func (h *fakeHost) shard(s feedengine.ShardID) *fakeShard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shards[s]
}

func (h *fakeHost) epoch(s feedengine.ShardID) uint64 {
	if f := h.shard(s); f != nil {
		return f.at()
	}
	return 0
}

func (h *fakeHost) served() (places []feedengine.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, f := range h.shards {
		places = append(places, feedengine.Place{Shard: s, Epoch: f.at()})
	}
	slices.SortFunc(places, func(a, b feedengine.Place) int { return int(a.Shard) - int(b.Shard) })
	return places
}

func (h *fakeHost) heads() (m link.Heads) {
	for _, p := range h.served() {
		m.Owned = append(m.Owned, link.OwnedHead{Shard: p.Shard, Head: feedengine.Head{Epoch: p.Epoch}})
	}
	return m
}

func (h *fakeHost) SubmitFrom(g feedengine.GatewayID, key string, r feedengine.Request) {
	s := h.w.shardOf(r.User)
	if do, ok := r.Do.(feedengine.Delete); ok {
		s = do.Post.Shard()
	}
	f := h.shard(s)
	if f == nil {
		r.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		return
	}
	if !f.offer(func() { f.ask(g, key, r) }, func() { r.Done(feedengine.Result{Err: feedengine.ErrElsewhere}) }) {
		r.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
	}
}

func (h *fakeHost) Rejoin(g feedengine.GatewayID, s feedengine.ShardID, in feedengine.RejoinInput) bool {
	f := h.shard(s)
	return f != nil && f.offer(func() { f.rejoin(g, in) }, nil)
}

func (h *fakeHost) GatewayGone(g feedengine.GatewayID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.shards {
		f.offer(func() { f.gatewayGone(g) }, nil)
	}
}

// open serves a shard, with the views that were handed over, if any.
func (h *fakeHost) open(s feedengine.ShardID, epoch uint64, views map[string]*fakeView) {
	h.shut(s)
	if views == nil {
		views = map[string]*fakeView{}
	}
	f := &fakeShard{host: h, shard: s, epoch: epoch, views: views, wake: make(chan struct{}, 1), done: make(chan struct{})}
	h.mu.Lock()
	h.shards[s] = f
	h.mu.Unlock()
	go f.run()
	f.offer(f.applyAll, nil)
	place := feedengine.Place{Shard: s, Epoch: epoch}
	if h.node.router != nil {
		h.node.router.Serving(h.node.peer.Node, place)
	}
	h.node.broadcast(link.Serving{Places: []feedengine.Place{place}})
}

// shut ends a shard and returns its views without sessions.
func (h *fakeHost) shut(s feedengine.ShardID) map[string]*fakeView {
	h.mu.Lock()
	f := h.shards[s]
	delete(h.shards, s)
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	out := make(chan map[string]*fakeView, 1)
	f.offer(func() {
		for _, v := range f.views {
			for _, r := range v.attaching {
				r.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
			}
			v.attaching, v.sessions = map[fakeKey]feedengine.Request{}, map[fakeKey]*fakeSession{}
		}
		out <- f.views
		f.views = nil
		f.close()
	}, nil)
	return <-out
}

type fakeKey struct {
	g  feedengine.GatewayID
	id feedengine.SessionID
}

type fakeSession struct {
	background bool
	n          uint64
}

type fakeView struct {
	user      string
	stream    feedengine.StreamID
	n         uint64
	first     uint64 // the tail begins after it
	v         uint64
	tail      []*feedengine.Event
	applied   int // of the feed
	sessions  map[fakeKey]*fakeSession
	attaching map[fakeKey]feedengine.Request
}

// fakeShard has the naive model of an engine.
type fakeShard struct {
	host  *fakeHost
	shard feedengine.ShardID

	mu     sync.Mutex
	epoch  uint64
	jobs   []job
	closed bool
	wake   chan struct{}
	done   chan struct{}

	views map[string]*fakeView // owned by run
}

type job struct{ do, refuse func() }

func (f *fakeShard) at() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.epoch
}

func (f *fakeShard) offer(do, refuse func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.jobs = append(f.jobs, job{do, refuse})
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return true
}

func (f *fakeShard) close() {
	f.mu.Lock()
	f.closed = true
	jobs := f.jobs
	f.jobs = nil
	f.mu.Unlock()
	for _, j := range jobs {
		if j.refuse != nil {
			j.refuse()
		}
	}
	close(f.done)
}

func (f *fakeShard) run() {
	for {
		select {
		case <-f.wake:
		case <-f.done:
			return
		}
		for {
			f.mu.Lock()
			if len(f.jobs) == 0 {
				f.mu.Unlock()
				break
			}
			j := f.jobs[0]
			f.jobs = f.jobs[1:]
			f.mu.Unlock()
			j.do()
		}
	}
}

// view loads a user's view: a new stream, whose n is near what others had.
func (f *fakeShard) view(user string) *fakeView {
	if v := f.views[user]; v != nil {
		return v
	}
	v := &fakeView{user: user, sessions: map[fakeKey]*fakeSession{}, attaching: map[fakeKey]feedengine.Request{}}
	f.renew(v)
	f.views[user] = v
	return v
}

func (f *fakeShard) renew(v *fakeView) {
	w := f.host.w
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stream++
	v.stream, v.applied, v.tail, v.v = w.stream, len(w.feeds[v.user]), nil, 0
	v.n = uint64(v.applied)
	v.first = v.n
	w.streams[v.stream] = map[uint64]*feedengine.Event{}
}

func (f *fakeShard) place() feedengine.Place { return feedengine.Place{Shard: f.shard, Epoch: f.at()} }

func (f *fakeShard) deliver(g feedengine.GatewayID, ev *feedengine.Event, to ...feedengine.Recipient) {
	f.host.node.server.Deliver(f.place(), g, feedengine.Delivery{Event: ev, To: to})
}

func (v *fakeView) counts() feedengine.Counts { return feedengine.Counts{Feed: uint32(v.n), V: v.v} }

func (v *fakeView) keys() []fakeKey {
	var keys []fakeKey
	for k := range v.sessions {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b fakeKey) int {
		if a.g != b.g {
			return int(a.g) - int(b.g)
		}
		return int(int64(a.id) - int64(b.id))
	})
	return keys
}

func (f *fakeShard) applyAll() {
	var users []string
	for u := range f.views {
		users = append(users, u)
	}
	slices.Sort(users)
	for _, u := range users {
		f.apply(f.views[u])
	}
}

// apply takes in what is new in the user's feed.
func (f *fakeShard) apply(v *fakeView) {
	w := f.host.w
	for {
		w.mu.Lock()
		if v.applied >= len(w.feeds[v.user]) {
			w.mu.Unlock()
			return
		}
		ev := w.feeds[v.user][v.applied]
		v.applied++
		v.n++
		v.v++
		if old := w.streams[v.stream][v.n]; old != nil && old != ev {
			w.broken = append(w.broken, fmt.Sprintf("the model is wrong: two events are %d of stream %d", v.n, v.stream))
		}
		w.streams[v.stream][v.n] = ev
		w.mu.Unlock()
		v.tail = append(v.tail, ev)
		for _, k := range v.keys() {
			if s := v.sessions[k]; s.background {
				f.deliver(k.g, nil, feedengine.Recipient{Session: k.id, Counts: v.counts()})
			} else {
				f.deliver(k.g, ev, feedengine.Recipient{Session: k.id, N: v.n, Counts: v.counts()})
			}
		}
	}
}

// tailKept is how many events a view can replay.
const tailKept = 12

func (v *fakeView) has(n uint64) bool { return n <= v.n && n >= v.first && v.n-n <= tailKept }

func (f *fakeShard) replay(v *fakeView, k fakeKey, n uint64) {
	if !v.has(n) {
		f.reset(v, k, v.n, feedengine.ResetTooFarBack)
		return
	}
	for n < v.n {
		n++
		f.deliver(k.g, v.tail[n-v.first-1], feedengine.Recipient{Session: k.id, N: n, Counts: v.counts()})
	}
}

func (f *fakeShard) reset(v *fakeView, k fakeKey, n uint64, why feedengine.ResetReason) {
	f.host.node.server.Reset(f.place(), k.g, feedengine.Reset{Session: k.id, Stream: v.stream, N: n, Reason: why, Counts: v.counts()})
}

var errNoSession = feedengine.Refuse(feedengine.Unavailable, "no such session")

func (f *fakeShard) ask(g feedengine.GatewayID, key string, r feedengine.Request) {
	if !r.Deadline.IsZero() && time.Now().After(r.Deadline) {
		r.Done(feedengine.Result{Err: feedengine.Refuse(feedengine.Unavailable, "too late")})
		return
	}
	switch do := r.Do.(type) {
	case feedengine.Attach:
		k := fakeKey{g, do.Session}
		v := f.view(r.User)
		if old, ok := v.attaching[k]; ok {
			old.Done(feedengine.Result{Err: errNoSession})
		}
		v.attaching[k] = r
		if len(v.tail)%2 == 0 { // some have to be loaded first
			time.AfterFunc(3*time.Millisecond, func() { f.offer(func() { f.enter(v, k, do) }, nil) })
		} else {
			f.enter(v, k, do)
		}
	case feedengine.Detach:
		k := fakeKey{g, do.Session}
		if v := f.views[r.User]; v != nil {
			if w, ok := v.attaching[k]; ok {
				delete(v.attaching, k)
				w.Done(feedengine.Result{Err: errNoSession})
			}
			delete(v.sessions, k)
		}
		r.Done(feedengine.Result{})
	case feedengine.Sync, feedengine.SetState:
		f.askSession(g, r)
	case feedengine.Publish:
		f.publish(key, r, do)
	default:
		r.Done(feedengine.Result{})
	}
}

func (f *fakeShard) enter(v *fakeView, k fakeKey, do feedengine.Attach) {
	r, ok := v.attaching[k]
	if !ok {
		return
	}
	delete(v.attaching, k)
	f.apply(v)
	res := feedengine.Result{Stream: v.stream, N: v.n, Counts: v.counts()}
	from := v.n
	if do.Resume != nil && do.Resume.Stream == v.stream && v.has(do.Resume.N) {
		res.Resumed, from = true, do.Resume.N
		res.Replay = int(v.n - from)
	}
	v.sessions[k] = &fakeSession{}
	r.Done(res)
	f.replay(v, k, from)
}

func (f *fakeShard) askSession(g feedengine.GatewayID, r feedengine.Request) {
	var k fakeKey
	switch do := r.Do.(type) {
	case feedengine.Sync:
		k = fakeKey{g, do.Session}
	case feedengine.SetState:
		k = fakeKey{g, do.Session}
	}
	v := f.views[r.User]
	if v == nil || v.sessions[k] == nil {
		r.Done(feedengine.Result{Err: errNoSession})
		return
	}
	s := v.sessions[k]
	r.Done(feedengine.Result{})
	switch do := r.Do.(type) {
	case feedengine.Sync:
		if s.background && do.N <= v.n {
			s.n = do.N
		} else {
			f.replay(v, k, do.N)
		}
	case feedengine.SetState:
		switch {
		case do.Background && !s.background:
			s.background, s.n = true, v.n
		case !do.Background && s.background:
			s.background = false
			f.replay(v, k, s.n)
		}
	}
}

func (f *fakeShard) publish(key string, r feedengine.Request, do feedengine.Publish) {
	w := f.host.w
	w.mu.Lock()
	if w.epochs[f.shard] != f.at() {
		w.mu.Unlock()
		r.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		return
	}
	if do.Key != "" {
		key = "client " + r.User + do.Key
	}
	id, known := w.keys[key]
	if !known || key == "" {
		w.lastID++
		id = w.lastID
		w.keys[key] = id
		w.written[do.Text]++
	}
	w.mu.Unlock()
	time.AfterFunc(2*time.Millisecond, func() { r.Done(feedengine.Result{Post: &feedengine.Post{ID: id, Text: do.Text}}) })
}

func (f *fakeShard) rejoin(g feedengine.GatewayID, in feedengine.RejoinInput) {
	if in.Whole {
		for _, v := range f.views {
			for k := range v.sessions {
				if k.g == g && !slices.ContainsFunc(in.Sessions, func(r feedengine.Rejoin) bool { return r.Session == k.id }) {
					delete(v.sessions, k)
				}
			}
		}
	}
	for _, r := range in.Sessions {
		_, resident := f.views[r.User]
		v := f.view(r.User)
		f.apply(v)
		k := fakeKey{g, r.Session}
		s := &fakeSession{background: r.Background, n: r.N}
		v.sessions[k] = s
		switch {
		case !resident || r.Stream != v.stream:
			s.n = v.n
			f.reset(v, k, v.n, feedengine.ResetViewRebuilt)
		case r.N > v.n:
			f.renew(v)
			for _, k := range v.keys() {
				v.sessions[k].n = v.n
				f.reset(v, k, v.n, feedengine.ResetViewRebuilt)
			}
		default:
			if v.has(r.N) || r.Background {
				f.reset(v, k, r.N, feedengine.Rejoined)
			}
			if !r.Background {
				f.replay(v, k, r.N)
			}
		}
	}
}

func (f *fakeShard) gatewayGone(g feedengine.GatewayID) {
	for _, v := range f.views {
		for k, r := range v.attaching {
			if k.g == g {
				delete(v.attaching, k)
				r.Done(feedengine.Result{Err: errNoSession})
			}
		}
		for k := range v.sessions {
			if k.g == g {
				delete(v.sessions, k)
			}
		}
	}
}

// raise is what a writer does after an unknown outcome: the views go on.
func (f *fakeShard) raise(epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch = epoch
}

// background says whether a gateway's session is there, by its owner's account.
func (v *fakeView) background(h *node, gateway string, id feedengine.SessionID) bool {
	for k, s := range v.sessions {
		name := h.peer.Node
		if k.g != 0 {
			name = (*h.server.byID.Load())[k.g].peer.Node
		}
		if k.id == id && name == gateway {
			return s.background
		}
	}
	return false
}
