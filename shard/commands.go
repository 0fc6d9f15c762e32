package shard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// MaxFollowing is how many users one user may follow.
const MaxFollowing = 10_000

// Checks is what storage is asked before a command is decided.
type Checks interface {
	Followed(ctx context.Context, user string, authors []string) (edges []feedengine.Edge, total int, err error)
	Post(ctx context.Context, id feedengine.ID) (*feedengine.Post, error)
	Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error)
}

// lanes let the commands that depend on what an earlier one leaves behind run
// one after the other: a user's follows and unfollows, the deletions of a post.
type lanes map[string][]asked

// maxLane is how many commands wait in one lane; beyond, they are refused.
const maxLane = 256

// enter gives the lane to the command if it is free. Otherwise the command waits
// in it; full says that there is no room for that.
func (l lanes) enter(lane string, m asked) (free, full bool) {
	waiting, busy := l[lane]
	switch {
	case !busy:
		l[lane] = nil
		return true, false
	case len(waiting) >= maxLane:
		return false, true
	}
	l[lane] = append(waiting, m)
	return false, false
}

// leave frees the lane, or hands over the next command in it, which then holds it.
func (l lanes) leave(lane string) (next asked, ok bool) {
	waiting := l[lane]
	if len(waiting) == 0 {
		delete(l, lane)
		return asked{}, false
	}
	l[lane] = waiting[1:]
	return waiting[0], true
}

// ask begins to carry out a request.
func (a *actor) ask(m asked) {
	if a.leave != nil || a.parked {
		a.host.metrics.elsewhere.Inc()
		m.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		return
	}
	if !a.host.mayServe() {
		a.host.metrics.unserved.Inc()
		m.Done(feedengine.Result{Err: feedengine.ErrElsewhere})
		return
	}
	if !m.Deadline.IsZero() && a.host.opts.Now().After(m.Deadline) {
		m.Done(feedengine.Result{Err: feedengine.Refuse(feedengine.Unavailable, "the request waited too long and was not run")})
		return
	}
	switch do := m.Do.(type) {
	case feedengine.Publish:
		a.publish(m, do)
	case feedengine.Follow, feedengine.Unfollow, feedengine.Delete:
		switch free, full := a.lanes.enter(laneOf(m), m); {
		case free:
			a.command(m)
		case full:
			m.Done(feedengine.Result{Err: errBusy})
		}
	case feedengine.Read:
		a.step(feedengine.ReadInput{Token: a.token(m.Done), User: m.User, List: do.Of, Upto: do.Upto,
			Clock: a.host.clock.Next().ID(feedengine.MaxShards - 1)})
	case feedengine.Unread:
		a.step(feedengine.CountsInput{Token: a.token(m.Done), User: m.User})
	case feedengine.Attach:
		a.step(feedengine.AttachInput{Token: a.token(m.Done), User: m.User, Session: do.Session,
			Gateway: m.gateway, Resume: do.Resume, Page: do.Page})
	case feedengine.Detach:
		a.step(feedengine.DetachInput{Token: a.token(m.Done), User: m.User, Gateway: m.gateway, Session: do.Session})
	case feedengine.Sync:
		a.step(feedengine.SyncInput{Token: a.token(m.Done), User: m.User, Gateway: m.gateway, Session: do.Session, N: do.N})
	case feedengine.SetState:
		a.step(feedengine.StateInput{Token: a.token(m.Done), User: m.User, Gateway: m.gateway, Session: do.Session, Background: do.Background})
	}
}

func laneOf(m asked) string {
	if do, ok := m.Do.(feedengine.Delete); ok {
		return "post " + do.Post.String()
	}
	return "user " + m.User
}

func (a *actor) publish(m asked, do feedengine.Publish) {
	id := a.host.clock.Next().ID(a.shard)
	post := &feedengine.Post{ID: id, Author: m.User, Kind: do.Kind, Text: do.Text}
	var key *feedengine.Key
	switch hash := contentHash(do.Kind, do.Text); {
	case do.Key != "":
		key = &feedengine.Key{User: m.User, Op: "publish", Key: do.Key, Hash: hash}
	case m.key != "":
		key = &feedengine.Key{User: m.User, Op: "publish!", Key: m.key, Hash: hash}
	}
	a.write(m, "", &feedengine.Event{ID: id, Kind: feedengine.KindPost, Actor: m.User, Post: post}, key, func(o Outcome) feedengine.Result {
		if o.Prior != nil { // the same content: only the ID is the first one's
			return feedengine.Result{Post: &feedengine.Post{ID: o.Prior.ID, Author: m.User, Kind: do.Kind, Text: do.Text}}
		}
		return feedengine.Result{Post: post}
	})
}

// contentHash identifies what an idempotency key stands for.
func contentHash(parts ...string) (hash [16]byte) {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	copy(hash[:], h.Sum(nil))
	return hash
}

// write submits an event of this shard's log and answers the request with what
// became of it. It frees the lane, if there is one.
func (a *actor) write(m asked, lane string, ev *feedengine.Event, key *feedengine.Key, result func(Outcome) feedengine.Result) {
	ev.Shard = a.shard
	err := a.submit(Pending{
		Write:    feedengine.Write{Shard: a.shard, Event: ev, Key: key},
		Deadline: m.Deadline,
		Done: func(o Outcome) { // on the writer's goroutine
			if o.Err != nil {
				m.Done(feedengine.Result{Err: a.refusalOf(o.Err)})
			} else {
				m.Done(result(o))
			}
			a.written()
			if lane != "" {
				a.post(released{lane, ev.ID})
			}
		},
	})
	if err != nil {
		m.Done(feedengine.Result{Err: a.refusalOf(err)})
		a.release(released{lane, ev.ID})
	}
}

// submit puts a write into the writer's hands; a.pending counts it.
func (a *actor) submit(p Pending) error {
	a.pending.Add(1)
	err := a.host.writer.Submit(p)
	if err != nil {
		a.pending.Add(-1)
	}
	return err
}

// written says that a write is not in the writer's hands any more.
func (a *actor) written() {
	if a.pending.Add(-1) == 0 && a.away.Load() {
		a.nudge()
	}
}

// refusalOf is refusalOf of what a write for this shard came to. When the shard
// was lost, nothing was written, and its next owner may be asked.
func (a *actor) refusalOf(err error) *feedengine.Error {
	if a.host.opts.Cluster && err == error(shardLost) {
		return feedengine.ErrElsewhere
	}
	return refusalOf(err)
}

// release lets the next command of a lane go.
func (a *actor) release(r released) {
	delete(a.follows, r.id)
	if next, ok := a.lanes.leave(r.lane); ok {
		a.command(next)
	}
}

// finish answers a command that holds its lane and needs no write.
func (a *actor) finish(m asked, r feedengine.Result) {
	m.Done(r)
	a.release(released{lane: laneOf(m)})
}

// command runs a command that holds its lane: check, write, release.
func (a *actor) command(m asked) {
	var check func(context.Context) (decide func())
	switch do := m.Do.(type) {
	case feedengine.Follow:
		check = func(ctx context.Context) func() {
			edges, total, err := a.host.opts.Store.Followed(ctx, m.User, do.Users)
			return func() { a.follow(m, do, edges, total, err) }
		}
	case feedengine.Unfollow:
		check = func(ctx context.Context) func() {
			edges, _, err := a.host.opts.Store.Followed(ctx, m.User, do.Users)
			return func() { a.unfollow(m, edges, err) }
		}
	case feedengine.Delete:
		check = func(ctx context.Context) func() {
			post, err := a.host.opts.Store.Post(ctx, do.Post)
			if errors.Is(err, feedengine.ErrNotFound) {
				var before bool
				if before, err = a.deletedBefore(ctx, m, do, err); before {
					return func() { a.finish(m, feedengine.Result{}) }
				}
			}
			return func() { a.delete(m, do, post, err) }
		}
	}
	ok := a.host.checks.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		if !a.post(checked{m, check(ctx)}) {
			m.Done(feedengine.Result{Err: a.host.gone()})
		}
	})
	if !ok {
		a.finish(m, feedengine.Result{Err: feedengine.Refuse(feedengine.Overloaded, "too many commands are being checked")})
	}
}

// checkTimeout bounds one read of storage before a command.
const checkTimeout = 5 * time.Second

func (a *actor) follow(m asked, do feedengine.Follow, edges []feedengine.Edge, total int, err error) {
	if err != nil {
		a.finish(m, feedengine.Result{Err: refusalOf(err)})
		return
	}
	since := make(map[string]feedengine.ID, len(edges))
	last := feedengine.ID(0)
	for _, e := range edges {
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
	case total+len(added) > MaxFollowing:
		a.finish(m, feedengine.Result{Err: feedengine.Refuse(feedengine.Conflict,
			fmt.Sprintf("a user follows at most %d: %d are followed now", MaxFollowing, total))})
		return
	}
	ev := &feedengine.Event{Kind: feedengine.KindFollow, Actor: m.User, Users: added}
	at := a.host.ring.Head() // before the clock: whatever the ring has by now got a lower ID
	ev.ID = a.host.clock.Next().ID(a.shard)
	a.follows[ev.ID] = at
	a.write(m, laneOf(m), ev, nil, func(o Outcome) feedengine.Result {
		return feedengine.Result{Since: o.Event.ID}
	})
}

func (a *actor) unfollow(m asked, edges []feedengine.Edge, err error) {
	switch {
	case err != nil:
		a.finish(m, feedengine.Result{Err: refusalOf(err)})
		return
	case len(edges) == 0:
		a.finish(m, feedengine.Result{})
		return
	}
	users := make([]string, len(edges))
	for i, e := range edges {
		users[i] = e.Author
	}
	id := a.host.clock.Next().ID(a.shard)
	a.write(m, laneOf(m), &feedengine.Event{ID: id, Kind: feedengine.KindUnfollow, Actor: m.User, Users: users}, nil,
		func(Outcome) feedengine.Result { return feedengine.Result{} })
}

func (a *actor) delete(m asked, do feedengine.Delete, post *feedengine.Post, err error) {
	switch {
	case errors.Is(err, feedengine.ErrNotFound):
		a.finish(m, feedengine.Result{Err: feedengine.Refuse(feedengine.NotFound, "there is no such post")})
		return
	case err != nil:
		a.finish(m, feedengine.Result{Err: refusalOf(err)})
		return
	case post.Author != m.User:
		a.finish(m, feedengine.Result{Err: feedengine.Refuse(feedengine.Forbidden, "the post is somebody else's")})
		return
	}
	id := a.host.clock.Next().ID(a.shard)
	a.write(m, laneOf(m), &feedengine.Event{ID: id, Kind: feedengine.KindPostDeleted, Actor: m.User, Target: do.Post}, deleteKey(m, do),
		func(Outcome) feedengine.Result { return feedengine.Result{} })
}

// deleteKey is the internal key of a deletion that may be asked for again, or nil.
func deleteKey(m asked, do feedengine.Delete) *feedengine.Key {
	if m.key == "" {
		return nil
	}
	return &feedengine.Key{User: m.User, Op: "delete!", Key: m.key, Hash: contentHash(do.Post.String())}
}

// deletedBefore reports whether the post is gone because this very request has
// been carried out before; else, or when that cannot be found out, why not.
func (a *actor) deletedBefore(ctx context.Context, m asked, do feedengine.Delete, gone error) (bool, error) {
	key := deleteKey(m, do)
	if key == nil {
		return false, gone
	}
	found, err := a.host.opts.Store.Keys(ctx, []feedengine.Key{*key})
	switch {
	case err != nil:
		return false, err
	case found[0] == nil || found[0].Hash != key.Hash:
		return false, gone
	}
	return true, nil
}

// refusalOf is what a client is told of an error of storage or writer. What it
// says in detail is for the log, not for clients.
func refusalOf(err error) *feedengine.Error {
	var refusal *feedengine.Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, feedengine.ErrNotFound):
		return feedengine.Refuse(feedengine.NotFound, "not found")
	case errors.Is(err, feedengine.ErrRefused):
		return feedengine.Refuse(feedengine.Internal, "storage refused the request")
	}
	return feedengine.Refuse(feedengine.Unavailable, "storage is not available just now")
}
