package shard

import (
	"context"
	"encoding/json"

	"github.com/feedgate/feedgate/feedengine"
)

// Posts is what is asked about posts.
type Posts interface {
	Standing(ctx context.Context, user string, post feedengine.ID, told bool) (feedengine.Standing, error)
	Alerts(ctx context.Context, job *feedengine.Post) ([]string, error)
}

// publish makes a post. Nothing needs to be looked up for most, whose author's name
// is known and who concern nobody in particular. They go at once, but for those behind
// another one of the same author that waits.
func (a *actor) publish(m asked, do feedengine.Publish) {
	if lane := "publish " + m.User; a.lanes.holds(lane) || a.checkPublish(m, do) != nil {
		a.queue(m, lane)
		return
	}
	a.publishNow(m, do)
}

// publishNow makes a post of which nothing needs to be looked up.
func (a *actor) publishNow(m asked, do feedengine.Publish) {
	who, _ := a.nameOf(m.User)
	a.writePost(m, do, who.name, mentions(m.User, do.Text), nil)
}

// checkPublish looks up the author's name, whom of the mentioned a post for
// followers may reach, and whose saved searches a job matches.
func (a *actor) checkPublish(m asked, do feedengine.Publish) check {
	who, known := a.nameOf(m.User)
	mentioned := mentions(m.User, do.Text)
	public := do.More == nil || !do.More.Followers
	job := public && do.More != nil && do.More.Job != nil
	if known && !job && (public || len(mentioned) == 0) {
		return nil
	}
	return func(ctx context.Context) func() {
		var alerts []string
		err := a.readName(ctx, &who)
		if err == nil && !public {
			mentioned, err = a.followersOf(ctx, m.User, mentioned)
		}
		if err == nil && job {
			alerts, err = a.host.opts.Store.Alerts(ctx, newPost(0, m.User, do))
		}
		return func() {
			a.keepName(who)
			if err != nil {
				a.refuse(m, err)
				return
			}
			a.writePost(m, do, who.name, mentioned, alerts)
		}
	}
}

// followersOf are those of the users who follow the author.
func (a *actor) followersOf(ctx context.Context, author string, users []string) (followers []string, err error) {
	for _, u := range users {
		edges, _, err := a.host.opts.Store.Followed(ctx, u, []string{author})
		if err != nil {
			return nil, err
		}
		if len(edges) > 0 {
			followers = append(followers, u)
		}
	}
	return followers, nil
}

func newPost(id feedengine.ID, author string, do feedengine.Publish) *feedengine.Post {
	return &feedengine.Post{ID: id, Author: author, Kind: do.Kind, Text: do.Text, More: do.More}
}

func (a *actor) writePost(m asked, do feedengine.Publish, name string, mentioned, alerts []string) {
	id := a.host.clock.Next().ID(a.shard)
	post := newPost(id, m.User, do)
	if len(alerts) > 0 {
		more := *do.More
		more.Alerts = alerts
		post.More = &more
	}
	content := []string{do.Kind, do.Text}
	if do.More != nil {
		content = append(content, string(jsonOf(do.More)))
	}
	ev := &feedengine.Event{ID: id, Kind: feedengine.KindPost, Actor: m.User, Name: name, Post: post, Users: mentioned}
	a.writeInOrder(m, ev, keyOf(m, "publish", do.Key, content...), func(o Outcome) feedengine.Result {
		if o.Prior != nil { // the same content: only the ID is the first one's
			return feedengine.Result{Post: newPost(o.Prior.ID, m.User, do)}
		}
		return feedengine.Result{Post: post}
	})
}

// jsonOf is what identifies the content of something that consists of texts and
// numbers.
func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error()) // a time beyond the year 9999, which the writer will refuse
	}
	return b
}

func postLane(id feedengine.ID) string { return "post " + id.String() }

// What cannot be seen and what is not there are the same to whoever asks.
var errNoPost = feedengine.Refuse(feedengine.NotFound, "there is no such post")

var errOthersPost = feedengine.Refuse(feedengine.Forbidden, "the post is somebody else's")
