package shard

import (
	"context"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// checkComment holds the post's lane until the comment is durable: a deletion that
// comes behind it finds all who were told of the post.
func (a *actor) checkComment(m asked, do feedengine.AddComment) check {
	key := keyOf(m, "comment", do.Key, do.Post.String(), do.Text)
	mentioned := mentions(m.User, do.Text)
	return func(ctx context.Context) func() {
		st, err := a.host.opts.Store.Standing(ctx, m.User, do.Post, false)
		if err == nil && st.Post == nil {
			var before *feedengine.Key
			if before, err = a.settled(ctx, key); before != nil {
				c := &feedengine.Comment{ID: before.ID, Post: do.Post, Author: m.User, Text: do.Text}
				return func() { a.finish(m, feedengine.Result{Comment: c}) }
			}
		}
		if err == nil && st.Post != nil && st.Post.Followers() {
			mentioned, err = a.followersOf(ctx, st.Post.Author, mentioned)
		}
		if err == nil && st.Post != nil && len(mentioned) > 0 { // who may not see the post does not hear of it
			var blocked []string
			blocked, err = a.host.opts.Store.Blocked(ctx, st.Post.Author, mentioned)
			mentioned = slices.DeleteFunc(mentioned, func(u string) bool { return slices.Contains(blocked, u) })
		}
		return func() { a.comment(m, do, key, mentioned, st, err) }
	}
}

func (a *actor) comment(m asked, do feedengine.AddComment, key *feedengine.Key, mentioned []string, st feedengine.Standing, err error) {
	switch {
	case err != nil:
		a.refuse(m, err)
		return
	case st.Post == nil:
		a.refuse(m, errNoPost)
		return
	}
	owner := st.Post.Author
	id := a.host.clock.Next().ID(a.shard)
	c := &feedengine.Comment{ID: id, Post: do.Post, Owner: owner, Author: m.User, Text: do.Text}
	ev := &feedengine.Event{ID: id, Kind: feedengine.KindComment, Actor: m.User, Name: st.Name, Fact: c,
		// The author of the post is told of the comment, which is enough.
		Users: slices.DeleteFunc(mentioned, func(u string) bool { return u == owner })}
	a.write(m, ev, key, func(o Outcome) feedengine.Result {
		if o.Prior != nil {
			first := *c
			first.ID = o.Prior.ID
			return feedengine.Result{Comment: &first}
		}
		return feedengine.Result{Comment: c}
	})
}
