package shard

import (
	"github.com/feedgate/feedgate/feedengine"
)

// step steps the engine and carries out the effects, in order.
func (a *actor) step(in feedengine.Input) {
	for _, effect := range a.engine.Step(a.host.millis(), in) {
		a.carryOut(effect)
	}
	a.doRest()
}

// stepLog is step for an event of a log.
func (a *actor) stepLog(now int64, in feedengine.LogInput) {
	if ev := in.Event; ev.Kind == feedengine.KindProfile && ev.Shard == a.shard {
		a.names.changed(ev)
	}
	for _, effect := range a.engine.StepLog(now, in) {
		a.carryOut(effect)
	}
	a.doRest()
}

// doRest steps the engine with the answers to effects that could not be carried out.
func (a *actor) doRest() {
	for len(a.todo) > 0 {
		in := a.todo[0]
		a.todo = a.todo[1:]
		for _, effect := range a.engine.Step(a.host.millis(), in) {
			a.carryOut(effect)
		}
	}
}

func (a *actor) carryOut(effect feedengine.Effect) {
	switch e := effect.(type) {
	case feedengine.Deliver:
		a.host.opts.Outlet.Deliver(a.place(), e.Gateway, e.Delivery)
	case feedengine.SendReset:
		a.host.opts.Outlet.Reset(a.place(), e.Gateway, e.Reset)
	case feedengine.Reply:
		if done, ok := a.waiting[e.Token]; ok {
			delete(a.waiting, e.Token)
			done(e.Result)
		}
	case feedengine.Load:
		if !a.host.loader.Ask(a.shard, e.LoadUser) {
			a.todo = append(a.todo, feedengine.LoadedInput{
				Users: []feedengine.LoadedUser{{User: e.User}},
				Err:   feedengine.Refuse(feedengine.Overloaded, "too many feeds are being loaded"),
			})
		}
	case feedengine.SaveMark:
		a.saveMark(e)
	case feedengine.Audited:
		a.host.audited(a.shard, e)
	case feedengine.Gap:
		// The ring takes nothing but the next event of a log.
		a.host.log.Error("shard: the ring has a gap", "shard", e.Shard, "applied", e.Applied)
	}
}

func (a *actor) saveMark(e feedengine.SaveMark) {
	answer := func(o Outcome) {
		m := saved{token: e.Token, mark: e.Mark}
		if o.Err != nil {
			m.err = a.refusalOf(o.Err)
		}
		a.post(m)
	}
	err := a.submit(Pending{
		Write: feedengine.Write{Shard: a.shard, Mark: &e.Mark},
		Done:  answer,
	})
	if err != nil {
		a.todo = append(a.todo, feedengine.MarkSavedInput{Token: e.Token, Mark: e.Mark, Err: a.refusalOf(err)})
	}
}

// token keeps an answer until the engine gives it.
func (a *actor) token(done func(feedengine.Result)) feedengine.Token {
	a.lastToken++
	a.waiting[a.lastToken] = done
	return a.lastToken
}
