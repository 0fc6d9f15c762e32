package feedengine

import "fmt"

// Options are an engine's constants.
type Options struct {
	Shard   ShardID
	ShardOf func(user string) ShardID
	// Heads is where each log stands at the start: events up to there are
	// known only from loads. Its length is the number of shards.
	Heads []Head
	// FirstStream is the first stream id to give out; the following count up
	// from it. The caller sees to it that no two engines ever overlap.
	FirstStream StreamID
	// KeepTail is how many events a stream can replay at least, once it had
	// that many (it keeps up to twice as many).
	KeepTail int
	// KeepUnread is how many unread ids a counter knows at least, likewise.
	KeepUnread int
}

const (
	// DefaultKeepTail bounds a resume: 64 to 127 missed events, 1 KB at most.
	DefaultKeepTail = 64
	// DefaultKeepUnread bounds what a counter keeps: 8 KB at most. A read mark
	// or a withdrawal below it costs a recount.
	DefaultKeepUnread = 256
)

// Engine is the state of one shard.
type Engine struct {
	opts  Options
	heads []Head // applied, of all logs

	users   map[string]slot
	views   []*viewChunk // slot → view; chunks, so that views never move
	used    slot         // slots that were ever in use; slot 0 never is
	freed   []slot
	authors authors
	young   map[edge]ID // edges whose author may still post below their Since
	idle    idleList
	loads   []*load // arrived, waiting for the engine to have applied their heads
	// replaying: what is stepped through is known already, but to the views that
	// a load brings; see part.
	replaying bool
	streams   StreamID // given out last
	retry     []slot   // views whose load failed and has to be asked for again
	now       int64    // of the current step
	audited   slot     // where the last audit was

	effects []Effect
	fan     fanout
	stats   Stats
}

// chunkViews is small, as a shard has a few hundred views and the last chunk is
// half empty; and such that a chunk, with the allocator's header of 8 bytes, fills
// what the allocator gives for it: 2,048 bytes.
const chunkViews = 10

type viewChunk [chunkViews]view

// edge is one follower of one author.
type edge struct {
	follower slot
	author   author
}

// Stats are figures about an engine.
type Stats struct {
	Residents int // views, loading or live
	Sessions  int
	Idle      int // live views without a session
	Edges     int
}

// New returns the engine of a shard without resident users.
func New(opts Options) *Engine {
	if opts.KeepTail == 0 {
		opts.KeepTail = DefaultKeepTail
	}
	if opts.KeepUnread == 0 {
		opts.KeepUnread = DefaultKeepUnread
	}
	return &Engine{
		opts:    opts,
		heads:   append([]Head(nil), opts.Heads...),
		users:   make(map[string]slot),
		used:    1,
		authors: newAuthors(),
		young:   make(map[edge]ID),
		streams: opts.FirstStream - 1,
	}
}

// Step applies one input and returns its effects, in order. now is the caller's
// clock in milliseconds since IDEpoch. The effects, and the recipients in them,
// are valid until the next step.
func (e *Engine) Step(now int64, in Input) []Effect {
	e.begin(now)
	switch in := in.(type) {
	case LogInput:
		e.applyLog(in)
	case AttachInput:
		e.attach(in)
	case DetachInput:
		e.detach(in)
	case SyncInput:
		e.sync(in)
	case StateInput:
		e.setState(in)
	case CountsInput:
		e.ask(in.User, waiter{token: in.Token})
	case ReadInput:
		e.read(in)
	case MarkSavedInput:
		e.markSaved(in)
	case LoadedInput:
		e.loaded(in)
	case AuditInput:
		e.audit()
	case RebuildInput:
		e.rebuildAll(in)
	case EvictInput:
		e.evict(in)
	case RejoinInput:
		e.rejoin(in)
	case GatewayGoneInput:
		e.gatewayGone(in.Gateway)
	case RetireInput:
		e.retire()
	default:
		panic(fmt.Sprintf("feedengine: unknown input %T", in))
	}
	return e.effects
}

// StepLog is Step for a LogInput. Every shard sees every event of the node, so
// this is the one input that is not worth an allocation for its interface.
func (e *Engine) StepLog(now int64, in LogInput) []Effect {
	if e.pass(in.Event) {
		return nil
	}
	e.begin(now)
	e.applyLog(in)
	return e.effects
}

func (e *Engine) begin(now int64) {
	e.now = now
	clear(e.effects)
	e.effects = e.effects[:0]
	e.fan.to = e.fan.to[:0]
}

// Heads is what the engine has applied of each log. It is the engine's own
// slice: to be read only, until the next step.
func (e *Engine) Heads() []Head { return e.heads }

// Stats returns figures as of now.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Residents = len(e.users)
	s.Idle = e.idle.n
	s.Edges = e.authors.edges
	return s
}

func (e *Engine) emit(effect Effect) { e.effects = append(e.effects, effect) }

func (e *Engine) reply(token Token, r Result) { e.emit(Reply{token, r}) }

func (e *Engine) refuse(token Token, err *Error) { e.emit(Reply{token, Result{Err: err}}) }

func (e *Engine) at(s slot) *view { return &e.views[s/chunkViews][s%chunkViews] }

// newView takes a slot for a user who has none.
func (e *Engine) newView(user string) (slot, *view) {
	var s slot
	if n := len(e.freed); n > 0 {
		s = e.freed[n-1]
		e.freed = e.freed[:n-1]
	} else {
		s = e.used
		e.used++
		if int(s/chunkViews) == len(e.views) {
			e.views = append(e.views, new(viewChunk))
		}
	}
	e.users[user] = s
	v := e.at(s)
	v.user = user
	v.phase = phaseLoading
	return s, v
}

// drop forgets a view that owes nothing and has no sessions.
func (e *Engine) drop(s slot) {
	v := e.at(s)
	e.idle.remove(e, s)
	e.unfollowAll(s)
	delete(e.users, v.user)
	*v = view{}
	e.freed = append(e.freed, s)
}

// unfollowAll removes the view's edges.
func (e *Engine) unfollowAll(s slot) {
	v := e.at(s)
	for _, a := range v.follows {
		delete(e.young, edge{s, a})
		e.authors.remove(a, s)
	}
	v.follows = nil
}
