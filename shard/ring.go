package shard

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/feedgate/feedgate/feedengine"
)

// ErrPassed says that the ring no longer holds the position that was asked for.
// Its reader has to go to storage.
var ErrPassed = errors.New("ring: position has been overwritten")

// Ring is a node's bounded memory of the recent events of all logs, in the
// order in which the node learned of them. Positions count events from 0; each
// reader keeps its own.
//
// Append is serialised by mu. Read takes no lock: a reader, however slow, holds
// up nobody, and is told with ErrPassed that it came too late.
type Ring struct {
	// Set at construction.
	slots []atomic.Pointer[feedengine.Event]
	mask  uint64

	// What may be read is [floor, head). Append raises floor before it
	// overwrites and head after it has written, so whoever read an overwritten
	// slot sees the raised floor afterwards.
	floor atomic.Uint64
	head  atomic.Uint64
	lost  atomic.Uint64 // what readers took from before here contains events that are no more

	wakers atomic.Pointer[[]waker] // replaced, never changed

	mu    sync.Mutex
	heads []feedengine.Head // by ShardID; guarded by mu, as is all appending
	woken uint64            // where head stood when everybody was woken last; guarded by mu
}

// waker is how a subscriber is woken, and for what.
type waker struct {
	wake chan<- struct{}
	in   *interest // nil: for everything
}

// NewRing makes a ring for capacity events, a power of two, of so many logs.
func NewRing(capacity, shards int) *Ring {
	if capacity <= 0 || capacity&(capacity-1) != 0 {
		panic(fmt.Sprintf("shard: ring capacity %d is no power of two", capacity))
	}
	r := &Ring{
		slots: make([]atomic.Pointer[feedengine.Event], capacity),
		mask:  uint64(capacity - 1),
		heads: make([]feedengine.Head, shards),
	}
	r.wakers.Store(&[]waker{})
	return r
}

// SetHeads says where the logs stand, by ShardID, before anything is appended:
// what a claim returned.
func (r *Ring) SetHeads(heads []feedengine.Head) {
	r.mu.Lock()
	defer r.mu.Unlock()
	copy(r.heads, heads)
}

// Append adds events, which from now on are shared and immutable, and wakes
// the subscribers that want them. Left out are those that their log's head has passed already,
// those of an epoch that the head has left behind, and those that do not follow
// the head: then gap is true, as a gap in a log would silently falsify counters.
func (r *Ring) Append(events []*feedengine.Event) (gap bool) {
	r.mu.Lock()
	for rest := events; len(rest) > 0; {
		piece := rest[:min(len(rest), len(r.slots))]
		rest = rest[len(piece):]
		gap = r.appendPiece(piece) || gap
	}
	head := r.head.Load()
	all := len(events) > fewEvents || head-r.woken >= uint64(len(r.slots)/4)
	if all {
		r.woken = head
	}
	r.mu.Unlock()
	if all {
		r.wakeAll(head)
	} else {
		r.wakeFor(events, head)
	}
	return gap
}

// fewEvents is how many events each subscriber is asked about. With more, next to
// all want one of them.
const fewEvents = 16

// wakeFor wakes those who want one of a few events. Subscribers for which there is
// nothing for long are woken by Append before the ring overwrites what they have yet
// to read.
func (r *Ring) wakeFor(events []*feedengine.Event, head uint64) {
	var bearings [fewEvents]bearing
	for i, ev := range events {
		bearings[i] = bearingOf(ev, len(r.heads))
	}
	for _, w := range *r.wakers.Load() {
		if w.in == nil || w.in.any(events, bearings[:]) {
			w.rouse(head)
		}
	}
}

func (r *Ring) wakeAll(head uint64) {
	for _, w := range *r.wakers.Load() {
		w.rouse(head)
	}
}

func (w *waker) rouse(head uint64) {
	if w.in != nil {
		w.in.due.Store(head)
	}
	select {
	case w.wake <- struct{}{}:
	default: // it has not taken the last one yet, and will see these events too
	}
}

// appendPiece adds at most a ringful.
func (r *Ring) appendPiece(events []*feedengine.Event) (gap bool) {
	at := r.head.Load()
	if end := at + uint64(len(events)); end > uint64(len(r.slots)) {
		r.floor.Store(max(r.floor.Load(), end-uint64(len(r.slots))))
	}
	for _, e := range events {
		h := &r.heads[e.Shard]
		switch {
		case e.Seq <= h.Seq || e.Epoch < h.Epoch:
			continue
		case e.Seq != h.Seq+1:
			gap = true
			continue
		case e.Epoch != h.Epoch:
			h.Epoch, h.First = e.Epoch, e.Seq
		}
		h.Seq, h.ID = e.Seq, e.ID
		r.slots[at&r.mask].Store(e)
		at++
	}
	r.head.Store(at)
	return gap
}

// Adopt takes note that a log goes on under a new epoch, of which there is no
// event yet: head is where it stands, and the ring stands there too.
func (r *Ring) Adopt(shard feedengine.ShardID, head feedengine.Head) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := &r.heads[shard]; head.Epoch > h.Epoch && head.First == h.Seq+1 {
		h.Epoch, h.First = head.Epoch, head.First
	}
}

// Jump goes on with a log at head, wherever the ring stood: behind it, with the
// events between gone for good, or above it, with events that no longer are. No
// reader gets by: each is told with ErrPassed, and asks HistoryLostSince why.
// There is no way back to an epoch before.
func (r *Ring) Jump(shard feedengine.ShardID, head feedengine.Head, historyLost bool) {
	r.mu.Lock()
	if head.Epoch < r.heads[shard].Epoch {
		r.mu.Unlock()
		return
	}
	r.heads[shard] = head
	at := r.head.Load() + 1 // a position without an event, which nobody can read
	r.floor.Store(at)
	r.head.Store(at)
	if historyLost {
		r.lost.Store(at)
	}
	r.mu.Unlock()
	r.wakeAll(at)
}

// HistoryLostSince reports whether events from before position from, which its
// reader has applied, have turned out to be lost.
func (r *Ring) HistoryLostSince(from uint64) bool { return from < r.lost.Load() }

// Head is the position after the newest event.
func (r *Ring) Head() uint64 { return r.head.Load() }

// Read copies the events from position from on into buf and says how many; 0
// at the head. At ErrPassed, what stands in buf is worthless.
func (r *Ring) Read(from uint64, buf []*feedengine.Event) (n int, err error) {
	if head := r.head.Load(); from < head {
		n = int(min(head-from, uint64(len(buf)), uint64(len(r.slots))))
	}
	for i := range n {
		buf[i] = r.slots[(from+uint64(i))&r.mask].Load()
	}
	if from < r.floor.Load() {
		return 0, ErrPassed
	}
	return n, nil
}

// Heads returns the heads of all logs, by ShardID, and the position at which
// they are exactly that: the events before at are at or below them, the events
// from at on are above. The slice is the caller's.
func (r *Ring) Heads() (heads []feedengine.Head, at uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.heads), r.head.Load()
}

// find is the position of an event, slowly.
func (r *Ring) find(e *feedengine.Event) (at uint64, ok bool) {
	for at = r.head.Load(); at > r.floor.Load(); at-- {
		if have := r.slots[(at-1)&r.mask].Load(); have != nil && have.Shard == e.Shard && have.Seq == e.Seq {
			return at - 1, true
		}
	}
	return 0, false
}

// HeadOf returns the head of one log.
func (r *Ring) HeadOf(shard feedengine.ShardID) feedengine.Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heads[shard]
}

// Since finds the position from which on the ring holds all events above the
// heads, by ShardID, up to its own heads, which it returns too. Missing are the logs of
// which it does not reach back so far. Below a head given, or above it, the
// caller has to look what else may have happened to the log.
func (r *Ring) Since(heads []feedengine.Head) (at uint64, own []feedengine.Head, missing []feedengine.ShardID) {
	own, end := r.Heads()
	lacking := map[feedengine.ShardID]uint64{} // the first seq that is wanted
	for s := range own {
		if own[s].Seq > heads[s].Seq {
			lacking[feedengine.ShardID(s)] = heads[s].Seq + 1
		}
	}
	at = end
	for len(lacking) > 0 && at > r.floor.Load() {
		e := r.slots[(at-1)&r.mask].Load()
		if at-1 < r.floor.Load() || e == nil {
			break // overwritten meanwhile
		}
		at--
		if lacking[e.Shard] == e.Seq {
			delete(lacking, e.Shard)
		}
	}
	for s := range lacking {
		missing = append(missing, s)
	}
	slices.Sort(missing)
	return at, own, missing
}

// Subscribe has wake, of capacity 1, sent to after each Append of something that is
// in, or of anything when in is nil, unless it is full. One token may stand for many
// appends.
func (r *Ring) Subscribe(wake chan<- struct{}, in *interest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wakers := append(slices.Clone(*r.wakers.Load()), waker{wake, in})
	r.wakers.Store(&wakers)
}

// Unsubscribe ends it. An Append already under way may still send once.
func (r *Ring) Unsubscribe(wake chan<- struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wakers := slices.DeleteFunc(slices.Clone(*r.wakers.Load()), func(w waker) bool { return w.wake == wake })
	r.wakers.Store(&wakers)
}

// walk shows the events of positions from to upto, upto not included, in order.
// At ErrPassed some were shown and some are no longer there.
func (r *Ring) walk(from, upto uint64, see func(*feedengine.Event)) error {
	var buf [64]*feedengine.Event
	for from < upto {
		n, err := r.Read(from, buf[:min(uint64(len(buf)), upto-from)])
		if err != nil {
			return err
		}
		for _, ev := range buf[:n] {
			see(ev)
		}
		from += uint64(n)
	}
	return nil
}
