package main

import (
	"slices"
	"strconv"

	"github.com/feedgate/feedgate/gateway"
)

// passing has a worker's gateway serve the users whose shards this worker owns, as far
// as they can be known in time: the system gives connections to any worker. owner is
// the node that owns a user's shard. Nil: there is nobody to pass connections to.
func (w *worker) passing(owner func(user string) string) *gateway.Passing {
	if w.Count < 2 || len(w.Passes) != w.Count {
		return nil
	}
	p := &gateway.Passing{Here: w.Passes[w.Index], Others: slices.Clone(w.Passes)}
	p.Others[w.Index] = ""
	siblings := map[string]int{}
	for i := range w.Count {
		if i != w.Index {
			siblings[w.name(i)] = i
		}
	}
	p.Owner = func(user string) int {
		if i, ok := siblings[owner(user)]; ok {
			return i
		}
		return -1
	}
	limit, _ := raiseDescriptors() // the parent has told of what is wrong with that
	if most, ok := connectionsWithin(limit, 1); ok {
		p.Most = int(most)
	}
	return p
}

// name is the node id of the i-th of the workers.
func (w *worker) name(i int) string { return w.Node + "/" + strconv.Itoa(i) }
