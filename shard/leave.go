package shard

import (
	"errors"
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// handed is what became of a leave.
type handed struct {
	state *feedengine.Handover
	place feedengine.Place
	err   error
}

var (
	errLeaving  = errors.New("the shard is being handed over")
	errParked   = errors.New("the shard has been handed over")
	errServed   = errors.New("the shard is served here already")
	errUnserved = errors.New("the shard is not served here")
	errStays    = errors.New("the shard stays: it was called off")
	errWentOn   = errors.New("the log has gone on without this node")
)

// beginLeave takes no more work: what has not been begun goes elsewhere, what is
// in the writer's hands is waited for. The rest is tryLeave's.
func (a *actor) beginLeave(l leave) {
	switch {
	case a.parked:
		l.done <- handed{err: errParked}
		return
	case a.leave != nil:
		l.done <- handed{err: errLeaving}
		return
	}
	a.leave = &l
	for lane, waiting := range a.lanes {
		for _, m := range waiting {
			m.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		}
		a.lanes[lane] = nil // held by the one that is under way
	}
}

// tryLeave hands the state over once nothing is under way. From then on the
// engine stands still: two owners must not number a stream's events differently.
func (a *actor) tryLeave() {
	if a.pending.Load() > 0 {
		return
	}
	a.catchUp()
	head := a.host.writer.Head(a.shard)
	if at := a.engine.Heads()[a.shard]; at.Seq != head.Seq {
		a.stayWith(handed{err: fmt.Errorf("the views have applied %d of %d events of their own log", at.Seq, head.Seq)})
		return
	}
	if head.Epoch == 0 || !a.host.writer.Forfeit(feedengine.Fence{Shard: a.shard, Epoch: head.Epoch}) {
		a.stayWith(handed{err: errUnserved}) // lost just now, which is about to be told
		return
	}
	a.host.ring.Unsubscribe(a.wake)
	a.step(feedengine.RetireInput{})
	a.parked = true
	a.leave.done <- handed{state: a.engine.Export(), place: feedengine.Place{Shard: a.shard, Epoch: head.Epoch}}
	a.leave = nil
}

// endLeave calls a leave off that has not come to its end.
func (a *actor) endLeave(stay) {
	if a.leave != nil {
		a.stayWith(handed{err: errStays})
	}
}

func (a *actor) stayWith(h handed) {
	l := a.leave
	a.leave = nil
	a.away.Store(false) // before the answer: who has it may ask at once
	l.done <- h
}

// resume goes on after a handover that nobody took.
func (a *actor) resume(r resume) {
	at := a.engine.Heads()[a.shard]
	switch {
	case !a.parked:
		r.done <- errServed
		return
	case at.Seq != r.head.Seq || at.ID != r.head.ID:
		r.done <- fmt.Errorf("%w: it stands at %d, the views at %d", errWentOn, r.head.Seq, at.Seq)
		return
	}
	a.raise(r.head.Epoch)
	a.host.ring.Adopt(a.shard, r.head)
	a.host.writer.Own(a.shard, r.head)
	a.host.ring.Subscribe(a.wake, a.wants)
	a.parked = false
	a.away.Store(false)
	a.catchUp()
	kept := a.kept
	a.kept = nil
	for _, m := range kept {
		a.arrive(m.Loaded)
	}
	r.done <- nil
}
