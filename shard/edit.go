package shard

import (
	"bytes"
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

func (a *actor) checkEdit(m asked, do feedengine.Edit) check {
	return func(ctx context.Context) func() {
		st, err := a.host.opts.Store.Standing(ctx, m.User, do.Post, false)
		return func() { a.edit(m, do, st, err) }
	}
}

func (a *actor) edit(m asked, do feedengine.Edit, st feedengine.Standing, err error) {
	if err := refusesAuthor(m.User, st, err); err != nil {
		a.refuse(m, err)
		return
	}
	if do.Job != nil && st.Post.Kind != feedengine.KindOfJob {
		a.refuse(m, feedengine.Refuse(feedengine.BadRequest, "the post is no job"))
		return
	}
	post := edited(st.Post, do)
	if bytes.Equal(jsonOf(edited(st.Post, feedengine.Edit{})), jsonOf(post)) { // it is asked for again
		a.finish(m, feedengine.Result{Post: st.Post})
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	post.More.Edited = id
	ev := &feedengine.Event{ID: id, Kind: feedengine.KindPostEdited, Actor: m.User, Name: st.Name, Post: post}
	a.write(m, ev, nil, func(Outcome) feedengine.Result { return feedengine.Result{Post: post} })
}

// edited is the post as it is to be, with a More of its own.
func edited(post *feedengine.Post, do feedengine.Edit) *feedengine.Post {
	p, more := *post, feedengine.More{}
	if post.More != nil {
		more = *post.More
	}
	p.More = &more
	if do.Text != nil {
		p.Text = *do.Text
	}
	if do.Media != nil {
		more.Media = *do.Media
	}
	if do.Followers != nil {
		more.Followers = *do.Followers
	}
	if do.Job != nil {
		more.Job = do.Job
	}
	return &p
}
