package shard

import (
	"context"
	"fmt"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// MaxFollowing is how many users one user may follow.
const MaxFollowing = 10_000

// Graph is what is asked about who follows whom, and who is hidden from whom.
type Graph interface {
	Followed(ctx context.Context, user string, authors []string) (edges []feedengine.Edge, total int, err error)
	Ties(ctx context.Context, user string, others []string) (feedengine.Ties, error)
	Blocked(ctx context.Context, user string, others []string) ([]string, error)
	Hides(ctx context.Context, user, other string, kind feedengine.HideKind) (bool, error)
}

func (a *actor) checkFollow(m asked, do feedengine.Follow) check {
	who, _ := a.nameOf(m.User)
	who.wanted = who.wanted && do.Notify
	return func(ctx context.Context) func() {
		ties, err := a.host.opts.Store.Ties(ctx, m.User, do.Users)
		if err == nil {
			err = a.readName(ctx, &who)
		}
		if err == nil && len(ties.Blocked) > 0 {
			err = errBlocked
		}
		return func() {
			a.keepName(who)
			a.follow(m, do, who.name, ties, err)
		}
	}
}

func (a *actor) follow(m asked, do feedengine.Follow, name string, ties feedengine.Ties, err error) {
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case slices.Contains(do.Users, m.User):
		a.refuse(m, feedengine.Refuse(feedengine.BadRequest, "nobody follows themselves"))
		return
	}
	since := make(map[string]feedengine.ID, len(ties.Follows))
	last := feedengine.ID(0)
	for _, e := range ties.Follows {
		since[e.Author] = e.Since
		last = max(last, e.Since)
	}
	var added []string
	for _, u := range do.Users {
		if _, ok := since[u]; !ok {
			added = append(added, u)
		}
	}
	switch {
	case len(added) == 0: // following again changes nothing
		a.finish(m, feedengine.Result{Since: last})
		return
	case ties.Following+len(added) > MaxFollowing:
		a.refuse(m, feedengine.Refuse(feedengine.Conflict,
			fmt.Sprintf("a user follows at most %d: %d are followed now", MaxFollowing, ties.Following)))
		return
	}
	ev := &feedengine.Event{Kind: feedengine.KindFollow, Actor: m.User, Users: added}
	if do.Notify {
		ev.Name, ev.Fact = name, &feedengine.Following{Notify: true}
	}
	at := a.host.ring.Head() // before the clock: whatever the ring has by now got a lower ID
	ev.ID = a.host.clock.Next().ID(a.shard)
	a.follows[ev.ID] = at
	a.write(m, ev, nil, func(o Outcome) feedengine.Result {
		return feedengine.Result{Since: o.Event.ID}
	})
}

func (a *actor) checkUnfollow(m asked, do feedengine.Unfollow) check {
	return func(ctx context.Context) func() {
		edges, _, err := a.host.opts.Store.Followed(ctx, m.User, do.Users)
		return func() { a.unfollow(m, edges, err) }
	}
}

func (a *actor) unfollow(m asked, edges []feedengine.Edge, err error) {
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case len(edges) == 0:
		a.finish(m, feedengine.Result{})
		return
	}
	users, fact := make([]string, len(edges)), &feedengine.Following{Since: make([]feedengine.ID, len(edges))}
	for i, e := range edges {
		users[i], fact.Since[i] = e.Author, e.Since
	}
	id := a.host.clock.Next().ID(a.shard)
	a.write(m, &feedengine.Event{ID: id, Kind: feedengine.KindUnfollow, Actor: m.User, Users: users, Fact: fact}, nil,
		func(Outcome) feedengine.Result { return feedengine.Result{} })
}
