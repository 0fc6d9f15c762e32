package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

// checkDelete looks who has to be told that the post is gone. What would add to
// them waits in the post's lane.
func (a *actor) checkDelete(m asked, do feedengine.Delete) check {
	key := keyOf(m, "delete", "", do.Post.String())
	return func(ctx context.Context) func() {
		st, err := a.host.opts.Store.Standing(ctx, m.User, do.Post, true)
		if err == nil && st.Post == nil {
			var before *feedengine.Key
			if before, err = a.settled(ctx, key); before != nil {
				return func() { a.finish(m, feedengine.Result{}) }
			}
		}
		return func() { a.delete(m, do, key, st, err) }
	}
}

func (a *actor) delete(m asked, do feedengine.Delete, key *feedengine.Key, st feedengine.Standing, err error) {
	if err := refusesAuthor(m.User, st, err); err != nil {
		a.refuse(m, err)
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	ev := &feedengine.Event{ID: id, Kind: feedengine.KindPostDeleted, Actor: m.User, Target: do.Post, Users: st.Told}
	a.write(m, ev, key, func(Outcome) feedengine.Result { return feedengine.Result{} })
}

// refusesAuthor says why a user may not do what a post's author may.
func refusesAuthor(user string, st feedengine.Standing, err error) error {
	switch {
	case err != nil:
		return err
	case st.Post == nil:
		return errNoPost
	case st.Post.Author != user:
		return errOthersPost
	}
	return nil
}
