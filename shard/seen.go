package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

// read moves a read mark. Those of conversations, which others are told of, are
// events; the others are rows.
func (a *actor) read(m asked, do feedengine.Read) {
	if do.Of == feedengine.ListMessages {
		a.queue(m, "seen "+m.User)
		return
	}
	a.step(feedengine.ReadInput{Token: a.token(m.Done), User: m.User, List: do.Of, Upto: do.Upto, Clock: a.newest()})
}

// newest is the greatest ID that there can be by now, of whatever shard.
func (a *actor) newest() feedengine.ID { return a.host.clock.Next().ID(feedengine.MaxShards - 1) }

func (a *actor) checkSeen(m asked, seen feedengine.Seen) check {
	seen.Upto = min(seen.Upto, a.newest())
	return func(ctx context.Context) func() {
		talk, err := a.host.opts.Store.Talk(ctx, feedengine.TalkAsk{User: m.User, ID: seen.Conversation, Upto: seen.Upto})
		return func() { a.saw(m, seen, talk, err) }
	}
}

func (a *actor) saw(m asked, seen feedengine.Seen, talk feedengine.Talk, err error) {
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case talk.ID == 0:
		a.refuse(m, errNoTalk)
		return
	}
	held, senders := talk.Got, talk.Ungot
	if seen.Read {
		held, senders = talk.Read, talk.Unread
	}
	if seen.Upto <= held { // nothing moves
		seen.Upto = held
		a.tellSeen(m, seen)
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	ev := &feedengine.Event{Shard: a.shard, ID: id, Kind: feedengine.KindSeen, Actor: m.User, Users: senders, Fact: &seen}
	err = a.submit(Pending{
		Write:    feedengine.Write{Shard: a.shard, Event: ev},
		Deadline: m.Deadline,
		Done: func(o Outcome) { // on the writer's goroutine
			told := func() { a.tellSeen(m, seen) }
			if o.Err != nil {
				told = func() { a.finish(m, feedengine.Result{Err: a.refusalOf(o.Err)}) }
			}
			// By way of the mailbox: the shard applies the event before it answers.
			if !a.post(checked{m, told}) {
				m.Done(feedengine.Result{Err: a.host.gone()})
			}
			a.written()
		},
	})
	if err != nil {
		a.finish(m, feedengine.Result{Err: a.refusalOf(err)})
	}
}

// tellSeen answers with the mark that is held now; one who has read, with the
// counters as they are with that.
func (a *actor) tellSeen(m asked, seen feedengine.Seen) {
	if !seen.Read {
		a.finish(m, feedengine.Result{Upto: seen.Upto})
		return
	}
	a.step(feedengine.CountsInput{User: m.User, Token: a.token(func(r feedengine.Result) {
		if r.Err == nil {
			r.Upto = seen.Upto
		}
		m.Done(r)
	})})
	a.release(released{lane: m.lane})
}
