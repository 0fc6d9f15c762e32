package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// load queries a batch, which took so long, and delivers it.
func (l *Loader) load(batch []waiter) (took time.Duration, err error) {
	users, shardOf := distinct(batch)
	heads, from := l.Ring.Heads() // before the query: what it misses is above, in the ring
	start := time.Now()
	snap, before, err := l.query(users, heads)
	took = time.Since(start)
	l.metrics.seconds.Update(took.Seconds())
	l.metrics.users.Update(float64(len(users)))
	l.metrics.loads.Inc()
	if err != nil {
		if l.ctx.Err() == nil {
			l.Logger.Warn("load: failed", "users", len(users), "error", err)
		}
		l.metrics.failures.Inc()
		l.refuse(batch, unavailable)
		return took, err
	}
	parts := map[feedengine.ShardID]*Loaded{}
	for i, u := range snap.Users {
		part := parts[shardOf[i]]
		if part == nil {
			part = &Loaded{From: from, Heads: snap.Heads, Before: before}
			parts[shardOf[i]] = part
		}
		part.Users = append(part.Users, u)
	}
	l.deliver(parts)
	return took, nil
}

// query reads a snapshot and what its heads lack up to the ring's.
func (l *Loader) query(users []feedengine.LoadUser, ring []feedengine.Head) (*feedengine.Snapshot, []*feedengine.Event, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.Timeout)
	defer cancel()
	snap, err := l.Views.Load(ctx, users, l.Keep)
	if err != nil {
		return nil, nil, err
	}
	if len(snap.Users) != len(users) || len(snap.Heads) != len(ring) {
		return nil, nil, fmt.Errorf("%d users with %d heads, asked for %d with %d", len(snap.Users), len(snap.Heads), len(users), len(ring))
	}
	before, err := l.lacking(ctx, snap.Heads, ring)
	return snap, before, err
}

// maxLacking is how many events a snapshot may trail behind the ring. One that
// trails further, or behind what the logs still hold, is as good as none.
const maxLacking = 50_000

var errTrails = errors.New("the snapshot trails too far behind the logs")

// lacking reads the events above the snapshot's heads up to the ring's: none,
// unless the snapshot is a replica's that trails.
func (l *Loader) lacking(ctx context.Context, snap, ring []feedengine.Head) (events []*feedengine.Event, err error) {
	for shard := range ring {
		for at := snap[shard].Seq; at < ring[shard].Seq; {
			want := int(ring[shard].Seq - at)
			if len(events)+want > maxLacking {
				return nil, errTrails
			}
			piece, err := l.Views.ReadLog(ctx, feedengine.ShardID(shard), at, min(want, 1000))
			if err != nil {
				return nil, err
			}
			if len(piece) == 0 || piece[0].Seq != at+1 {
				return nil, errTrails
			}
			events = append(events, piece...)
			at = piece[len(piece)-1].Seq
		}
	}
	l.metrics.events.Add(len(events))
	return events, nil
}

// refuse delivers a refusal to all of the batch.
func (l *Loader) refuse(batch []waiter, err *feedengine.Error) {
	users, shardOf := distinct(batch)
	parts := map[feedengine.ShardID]*Loaded{}
	for i, u := range users {
		part := parts[shardOf[i]]
		if part == nil {
			part = &Loaded{Err: err}
			parts[shardOf[i]] = part
		}
		part.Users = append(part.Users, feedengine.LoadedUser{User: u.User})
	}
	l.deliver(parts)
}

func (l *Loader) deliver(parts map[feedengine.ShardID]*Loaded) {
	for shard, part := range parts {
		l.Deliver(shard, part)
	}
}

// distinct lists each user of the batch once, and beside it the user's shard.
func distinct(batch []waiter) (users []feedengine.LoadUser, shardOf []feedengine.ShardID) {
	at := make(map[string]int, len(batch))
	for _, w := range batch {
		if i, again := at[w.user.User]; again {
			users[i].Page = max(users[i].Page, w.user.Page)
			continue
		}
		at[w.user.User] = len(users)
		users = append(users, w.user)
		shardOf = append(shardOf, w.shard)
	}
	return users, shardOf
}
