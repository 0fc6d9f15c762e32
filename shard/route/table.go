package route

import (
	"sync"
	"sync/atomic"

	"github.com/feedgate/feedgate/feedengine"
)

// table is one shard as this node's gateway sees it: who owns it, which sessions
// are attached in it, and what was asked of it.
//
// Everything is guarded by mu, which is held while a delivery is checked and
// forwarded, so that what a session is sent stays in order whoever brings it. As
// the gateway, a Done and a host may all end in a Submit again, a Submit never
// waits for mu: it leaves the ask in the inbox, which is emptied by whoever holds mu.
type table struct {
	// Set at construction.
	router *Router
	shard  feedengine.ShardID

	due atomic.Int64 // when the agenda has something to do here, as of Router.now

	inMu   sync.Mutex
	inbox  []posted    // guarded by inMu: bounded by the requests that a gateway admits
	posted atomic.Bool // there is something in it

	named atomic.Pointer[string] // owner, nil when there is none or it is gone: for those who must not wait for mu

	mu sync.Mutex // guards all that follows; see lock and unlock

	owner string // node, "" when none is known
	epoch uint64 // under which it claimed the shard
	gone  bool   // the owner is taken for dead

	sessions map[feedengine.SessionID]*session
	asks     map[uint64]*ask // by id
	lanes    map[lane][]*ask // those whose order counts: the first is under way, the others wait

	// Of rejoins; see rejoin.go.
	lacking  int   // sessions in that state
	rejoinAt int64 // when the lacking ones are asked for next, 0: none is
	rejoined int64 // when that was done last
	pause    int64 // least time between two rejoins
	whole    bool  // the next is to bring all sessions
	wholeAt  int64 // when that was asked for last

	spare []posted               // an empty inbox
	some  []feedengine.Recipient // those of a delivery that get it
	one   [1]feedengine.Recipient
}

// posted is what waits in an inbox: a new ask, or the host's result of one.
type posted struct {
	ask     *ask
	attempt uint32
	result  *feedengine.Result // nil: the ask is new
}

func newTable(r *Router, s feedengine.ShardID) *table {
	t := &table{
		router: r, shard: s,
		sessions: map[feedengine.SessionID]*session{}, asks: map[uint64]*ask{}, lanes: map[lane][]*ask{},
	}
	t.due.Store(never)
	return t
}

// lock takes mu and does what was posted before.
func (t *table) lock() {
	t.mu.Lock()
	t.drain()
}

// unlock lets go of mu, having done what was posted meanwhile.
func (t *table) unlock() {
	for {
		t.drain()
		t.mu.Unlock()
		// Whoever posts after drain and finds mu taken relies on this look.
		if !t.posted.Load() || !t.mu.TryLock() {
			return
		}
	}
}

// post leaves p for the holder of mu, who may be the caller.
func (t *table) post(p posted) {
	t.inMu.Lock()
	t.inbox = append(t.inbox, p)
	t.posted.Store(true)
	t.inMu.Unlock()
	if t.mu.TryLock() {
		t.unlock()
	}
}

func (t *table) drain() {
	for t.posted.Load() {
		t.inMu.Lock()
		in := t.inbox
		t.inbox = t.spare
		t.posted.Store(false)
		t.inMu.Unlock()
		for _, p := range in {
			if p.result == nil {
				t.begin(p.ask)
			} else {
				t.told(p.ask, p.attempt, *p.result)
			}
		}
		clear(in)
		t.spare = in[:0]
	}
}
