package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

func (a *actor) checkProfile(m asked, do feedengine.PutProfile) check {
	do.Profile.User = m.User
	return func(ctx context.Context) func() {
		field, err := a.host.opts.Store.Taken(ctx, do.Profile)
		return func() { a.putProfile(m, &do.Profile, field, err) }
	}
}

func (a *actor) putProfile(m asked, p *feedengine.Profile, taken string, err error) {
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case taken != "":
		a.refuse(m, feedengine.Refuse(feedengine.Conflict, "the "+taken+" is somebody else's"))
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	done := m.Done
	m.Done = func(r feedengine.Result) {
		if r.Err == broken { // of what was free just now, another shard's user was quicker
			r.Err = errTaken
		}
		done(r)
	}
	a.write(m, &feedengine.Event{ID: id, Kind: feedengine.KindProfile, Actor: m.User, Name: p.Name, Fact: p}, nil,
		func(Outcome) feedengine.Result { return feedengine.Result{Profile: p} })
}

var errTaken = feedengine.Refuse(feedengine.Conflict, "the handle, email, phone or subject is somebody else's")
