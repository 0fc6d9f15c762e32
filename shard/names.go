package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
)

// Profiles is what is asked about profiles.
type Profiles interface {
	Name(ctx context.Context, user string) (string, error)
	Taken(ctx context.Context, p feedengine.Profile) (field string, err error)
}

// maxNames is how many display names a shard remembers of users without a view.
const maxNames = 1024

// names remembers the display names of the shard's users who publish without being
// resident: services' users, say. "" is that there is none.
type names struct {
	known   map[string]string
	changes uint64 // of profiles of the shard's users, so far
}

// named is a user's display name, or the wish to know it.
type named struct {
	user, name string
	read       bool   // it has been read from storage, after
	changes    uint64 // so many changes
	wanted     bool
}

// nameOf says the display name of a user of this shard, if it is known.
func (a *actor) nameOf(user string) (who named, known bool) {
	name, known := a.engine.Name(user)
	if !known {
		name, known = a.names.known[user]
	}
	return named{user: user, name: name, changes: a.names.changes, wanted: !known}, known
}

// readName reads it where it was not known; it is part of a check.
func (a *actor) readName(ctx context.Context, who *named) (err error) {
	if !who.wanted {
		return nil
	}
	who.name, err = a.host.opts.Store.Name(ctx, who.user)
	who.read = err == nil
	return err
}

// keepName remembers what was read, unless a profile has changed meanwhile: it may
// have been this one.
func (a *actor) keepName(who named) {
	if who.read && who.changes == a.names.changes {
		a.names.keep(who.user, who.name)
	}
}

func (n *names) keep(user, name string) {
	if n.known == nil {
		n.known = map[string]string{}
	}
	if _, ok := n.known[user]; !ok && len(n.known) >= maxNames {
		for other := range n.known { // any: one that is needed again is read again
			delete(n.known, other)
			break
		}
	}
	n.known[user] = name
}

// changed takes note of a profile of this shard's log.
func (n *names) changed(ev *feedengine.Event) {
	n.changes++
	if p, ok := ev.Fact.(*feedengine.Profile); ok && n.known != nil {
		n.keep(ev.Actor, p.Name)
	}
}

// forget drops everything, when changes may have been missed.
func (n *names) forget() { *n = names{changes: n.changes + 1} }
