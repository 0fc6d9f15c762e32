package storefake

import (
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// What can befall the database as a whole, and what tests see of it.

// EndGhosts ends the commits that are still under way: they are committed, where
// their fences still hold, or rolled back.
func (s *Store) EndGhosts(commit bool) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.endGhosts(func(ghost) bool { return true }, commit)
}

func (db *database) endGhosts(which func(ghost) bool, commit bool) {
	db.ghosts = slices.DeleteFunc(db.ghosts, func(g ghost) bool {
		if !which(g) {
			return false
		}
		if commit && db.check(g.fences, g.writes) == nil {
			db.commit(step{writes: g.writes})
		}
		return true
	})
}

// Lose is a failover to a replica that lacked the last commits: up to n of them
// that wrote something, and none from before the last claim, whose epoch it
// knew; with them the beats since, and so many of each node before. It returns
// the events that are gone. From then on a writer that has not noticed, and would
// leave a hole in its log, is fenced.
func (s *Store) Lose(n int, beats uint64) (lost []*feedengine.Event) {
	db := s.db
	db.mu.Lock()
	defer db.mu.Unlock()
	db.ghosts, db.lossy = nil, true
	keep := len(db.history)
	for at := keep; at > 0 && n > 0 && db.history[at-1].claim == nil; at-- {
		if db.history[at-1].writes != nil {
			keep = at - 1
			n--
		}
	}
	for _, one := range db.history[keep:] {
		for _, w := range one.writes {
			if w.Event != nil {
				lost = append(lost, w.Event)
			}
		}
	}
	db.history = db.history[:keep]
	db.state = newState(len(db.logs))
	for _, one := range db.history {
		db.state.apply(one)
	}
	for node, r := range db.members {
		r.Beat -= min(r.Beat, beats)
		db.members[node] = r
	}
	for shard, log := range db.logs {
		db.trimmed[shard] = min(db.trimmed[shard], uint64(max(0, len(log)-1)))
	}
	return lost
}

// Defects are what callers should not have done.
func (s *Store) Defects() []string {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return slices.Clone(s.db.defects)
}

// Log is a copy of all that a log ever held, trimmed or not.
func (s *Store) Log(shard feedengine.ShardID) []*feedengine.Event {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return slices.Clone(s.db.logs[shard])
}

// Appended are the writes of all commits, in order.
func (s *Store) Appended() (commits [][]feedengine.Write) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, one := range s.db.history {
		if one.writes != nil {
			commits = append(commits, one.writes)
		}
	}
	return commits
}

// Facts are a user's as of now: what a Load would say, of all unread ids.
func (s *Store) Facts(user string) feedengine.LoadedUser {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.user(feedengine.LoadUser{User: user, Page: 1 << 20}, 1<<20)
}

// Mark is a user's durable read mark.
func (s *Store) Mark(user string, list feedengine.List) feedengine.ID {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.marks[markName{user, list}]
}

// Trimmed is how many events were trimmed.
func (s *Store) Trimmed() (n int) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, seq := range s.db.trimmed {
		n += int(seq)
	}
	return n
}

// Hide keeps a key from the next lookup, as if somebody used it between that and
// the commit.
func (s *Store) Hide(user, op, key string) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.hidden[keyName{user, op, key}] = true
}

// Poison makes posts with this text, and marks of the user of this name, rows that
// are refused.
func (s *Store) Poison(what string) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.poison = what
}
