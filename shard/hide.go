package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

func (a *actor) checkHide(m asked, do feedengine.HideUser) check {
	return func(ctx context.Context) func() {
		hidden, err := a.host.opts.Store.Hides(ctx, m.User, do.User, do.Kind)
		return func() { a.hide(m, do, hidden, err) }
	}
}

func (a *actor) hide(m asked, do feedengine.HideUser, hidden bool, err error) {
	kind := hideEvents[do.Kind]
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case m.User == do.User:
		a.refuse(m, feedengine.Refuse(feedengine.BadRequest, "nobody is hidden from themselves"))
		return
	case kind.on == 0:
		a.refuse(m, feedengine.Refuse(feedengine.BadRequest, "neither a block nor a mute"))
		return
	case hidden != do.Off: // as it is to be
		a.finish(m, feedengine.Result{})
		return
	}
	ev := &feedengine.Event{Kind: kind.on, Actor: m.User, Users: []string{do.User}}
	if do.Off {
		ev.Kind = kind.off
	}
	ev.ID = a.host.clock.Next().ID(a.shard)
	a.write(m, ev, nil, func(Outcome) feedengine.Result { return feedengine.Result{} })
}

var hideEvents = map[feedengine.HideKind]struct{ on, off feedengine.EventKind }{
	feedengine.HideBlock: {feedengine.KindBlock, feedengine.KindUnblock},
	feedengine.HideMute:  {feedengine.KindMute, feedengine.KindUnmute},
}
