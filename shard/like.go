package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

func (a *actor) checkLike(m asked, do feedengine.LikePost) check {
	return func(ctx context.Context) func() {
		st, err := a.host.opts.Store.Standing(ctx, m.User, do.Post, false)
		return func() { a.like(m, do, st, err) }
	}
}

// like decides on how the post stands after all earlier likes, as it has the
// post's lane.
func (a *actor) like(m asked, do feedengine.LikePost, st feedengine.Standing, err error) {
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case st.Post == nil:
		a.refuse(m, errNoPost)
		return
	case st.Liked != do.Off: // as it is to be
		a.finish(m, feedengine.Result{Likes: st.Post.Likes})
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	ev := &feedengine.Event{ID: id, Kind: feedengine.KindLike, Actor: m.User, Name: st.Name}
	fact := a.liked(id, m.User, st)
	if do.Off {
		ev.Kind, fact = feedengine.KindUnlike, unliked(st)
	}
	ev.Fact = fact
	a.write(m, ev, nil, func(Outcome) feedengine.Result { return feedengine.Result{Likes: fact.Likes} })
}

// liked is a like by the user under the event's id: a part of the post's newest
// notification of likes while that is young, else the first of another.
func (a *actor) liked(id feedengine.ID, user string, st feedengine.Standing) *feedengine.Like {
	l := &feedengine.Like{Post: st.Post.ID, Owner: st.Post.Author, Likes: st.Post.Likes + 1}
	switch {
	case user == l.Owner:
	case st.Newest != 0 && id.Time().Sub(st.Newest.Time()) <= a.host.opts.LikeWindow:
		l.Note, l.Count = st.Newest, st.Count+1
		l.Others = append(l.Others, user)
		l.Others = append(l.Others, st.Others[:min(len(st.Others), 2)]...)
	default:
		l.Note, l.Count, l.Edge, l.Others = id, 1, true, []string{user}
	}
	return l
}

// unliked is the user's like taken back.
func unliked(st feedengine.Standing) *feedengine.Like {
	l := &feedengine.Like{Post: st.Post.ID, Owner: st.Post.Author, Likes: max(0, st.Post.Likes-1)}
	if st.LikedAs != 0 {
		l.Note, l.Count, l.Others = st.LikedAs, max(0, st.Count-1), st.Others
		l.Edge = l.Count == 0
	}
	return l
}
