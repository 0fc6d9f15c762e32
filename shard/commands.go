package shard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Checks is what storage is asked before a command is decided: see the files of
// the commands.
type Checks interface {
	Posts
	Graph
	Talks
	Profiles
	Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error)
}

// lanes let the commands that depend on what an earlier one leaves behind run
// one after the other. There are those of
//
//	user <name>     what a user follows, hides and tells of themselves
//	seen <name>     how far a user has got and read conversations
//	publish <name>  posts of which something is to be looked up first, and those behind them
//	post <id>       deletions, changes, likes and comments of a post
//	talk <name>     messages of a conversation
type lanes map[string][]asked

// maxLane is how many commands wait in one lane; beyond, they are refused.
const maxLane = 256

// holds reports whether somebody has the lane.
func (l lanes) holds(lane string) bool {
	_, busy := l[lane]
	return busy
}

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
	case feedengine.Follow, feedengine.Unfollow, feedengine.HideUser, feedengine.PutProfile:
		a.queue(m, "user "+m.User)
	case feedengine.Delete:
		a.queue(m, postLane(do.Post))
	case feedengine.Edit:
		a.queue(m, postLane(do.Post))
	case feedengine.LikePost:
		a.queue(m, postLane(do.Post))
	case feedengine.AddComment:
		a.queue(m, postLane(do.Post))
	case feedengine.Send:
		a.send(m, do)
	case feedengine.Received:
		a.queue(m, "seen "+m.User)
	case feedengine.Read:
		a.read(m, do)
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
	default:
		m.Done(feedengine.Result{Err: feedengine.Refuse(feedengine.BadRequest, "a shard can do nothing of that kind")})
	}
}

// queue has the command run when it gets the lane.
func (a *actor) queue(m asked, lane string) {
	m.lane = lane
	switch free, full := a.lanes.enter(lane, m); {
	case free:
		a.command(m)
	case full:
		m.Done(feedengine.Result{Err: errBusy})
	}
}

// check reads what a command depends on, off the shard's goroutine: it must not
// touch the actor's state. What it returns decides, back on that goroutine.
type check func(context.Context) (decide func())

// checkOf is what a command has to ask storage for; nil, of some posts, is nothing.
func (a *actor) checkOf(m asked) check {
	switch do := m.Do.(type) {
	case feedengine.Publish:
		return a.checkPublish(m, do)
	case feedengine.Delete:
		return a.checkDelete(m, do)
	case feedengine.Edit:
		return a.checkEdit(m, do)
	case feedengine.LikePost:
		return a.checkLike(m, do)
	case feedengine.AddComment:
		return a.checkComment(m, do)
	case feedengine.Send:
		return a.checkSend(m, do)
	case feedengine.Received:
		return a.checkSeen(m, feedengine.Seen{Conversation: do.Conversation, Upto: do.Upto})
	case feedengine.Read:
		return a.checkSeen(m, feedengine.Seen{Conversation: do.Conversation, Upto: do.Upto, Read: true})
	case feedengine.Follow:
		return a.checkFollow(m, do)
	case feedengine.Unfollow:
		return a.checkUnfollow(m, do)
	case feedengine.HideUser:
		return a.checkHide(m, do)
	case feedengine.PutProfile:
		return a.checkProfile(m, do)
	}
	return nil
}

// checkTimeout bounds one read of storage before a command.
const checkTimeout = 5 * time.Second

// command runs a command that holds its lane: check, write, release.
func (a *actor) command(m asked) {
	check := a.checkOf(m)
	if check == nil { // it has only waited for its turn
		a.publishNow(m, m.Do.(feedengine.Publish))
		return
	}
	ok := a.host.checks.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		if !a.post(checked{m, check(ctx)}) {
			m.Done(feedengine.Result{Err: a.host.gone()})
		}
	})
	if !ok {
		a.refuse(m, feedengine.Refuse(feedengine.Overloaded, "too many commands are being checked"))
	}
}

// finish answers a command that needs no write, and frees its lane.
func (a *actor) finish(m asked, r feedengine.Result) {
	m.Done(r)
	a.release(released{lane: m.lane})
}

// refuse is finish for an error of whatever kind.
func (a *actor) refuse(m asked, err error) { a.finish(m, feedengine.Result{Err: refusalOf(err)}) }

// release lets the next command of a lane go.
func (a *actor) release(r released) {
	delete(a.follows, r.id)
	if r.lane == "" {
		return
	}
	if next, ok := a.lanes.leave(r.lane); ok {
		a.command(next)
	}
}

// keyOf is the idempotency key under which a request is carried out: its client's,
// else the internal one of a write that may be asked for again, else nil.
func keyOf(m asked, op, key string, content ...string) *feedengine.Key {
	switch {
	case key != "":
		return &feedengine.Key{User: m.User, Op: op, Key: key, Hash: contentHash(content...)}
	case m.key != "":
		return &feedengine.Key{User: m.User, Op: op + "!", Key: m.key, Hash: contentHash(content...)}
	}
	return nil
}

// settled finds the earlier request that a key belongs to, with the same content;
// nil when there is none. A command that would be refused asks for that first: what
// stands in its way may be what it has done itself.
func (a *actor) settled(ctx context.Context, key *feedengine.Key) (*feedengine.Key, error) {
	if key == nil {
		return nil, nil
	}
	found, err := a.host.opts.Store.Keys(ctx, []feedengine.Key{*key})
	if err != nil || found[0] == nil || found[0].Hash != key.Hash {
		return nil, err
	}
	return found[0], nil
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
// became of it. Its lane, if it has one, is free once that is known.
func (a *actor) write(m asked, ev *feedengine.Event, key *feedengine.Key, result func(Outcome) feedengine.Result) {
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
			if m.lane != "" {
				a.post(released{m.lane, ev.ID})
			}
		},
	})
	if err != nil {
		m.Done(feedengine.Result{Err: a.refusalOf(err)})
		a.release(released{m.lane, ev.ID})
	}
}

// writeInOrder is write for an event that nothing behind it in the lane depends on
// but the order: the lane is free at once.
func (a *actor) writeInOrder(m asked, ev *feedengine.Event, key *feedengine.Key, result func(Outcome) feedengine.Result) {
	lane := m.lane
	m.lane = ""
	a.write(m, ev, key, result)
	a.release(released{lane: lane})
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
