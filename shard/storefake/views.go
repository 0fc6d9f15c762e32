package storefake

import (
	"context"
	"fmt"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// Load is storage.Views'.
func (s *Store) Load(ctx context.Context, users []feedengine.LoadUser, keep int) (*feedengine.Snapshot, error) {
	if err := s.read(ctx, "load"); err != nil {
		return nil, err
	}
	db := s.db
	db.mu.Lock()
	defer db.mu.Unlock()
	if s.OnLoad != nil {
		s.OnLoad(users)
	}
	snap := &feedengine.Snapshot{}
	known := db.facts
	trails := false
	for shard := range db.logs {
		var lag uint64
		if s.Lag != nil {
			lag = s.Lag(feedengine.ShardID(shard))
			trails = trails || lag > 0
		}
		snap.Heads = append(snap.Heads, db.head(feedengine.ShardID(shard), lag))
	}
	if trails {
		known = newFacts()
		known.marks = db.facts.marks
		for shard, log := range db.logs {
			for _, e := range log[:snap.Heads[shard].Seq] {
				known.apply(e)
			}
		}
	}
	for _, u := range users {
		snap.Users = append(snap.Users, known.user(u, keep))
	}
	return snap, nil
}

// Followed is storage.Views'.
func (s *Store) Followed(ctx context.Context, user string, authors []string) (edges []feedengine.Edge, total int, err error) {
	if err := s.read(ctx, "followed"); err != nil {
		return nil, 0, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	edges, total = s.db.followed(user, authors)
	return edges, total, nil
}

// followed is Followed's answer. mu is held.
func (db *database) followed(user string, authors []string) (edges []feedengine.Edge, total int) {
	asked := make(map[string]bool, len(authors))
	for _, a := range authors {
		asked[a] = true
	}
	all := db.facts.edges(user)
	total = len(all)
	return slices.DeleteFunc(all, func(e feedengine.Edge) bool { return !asked[e.Author] }), total
}

// Post is storage.Views'.
func (s *Store) Post(ctx context.Context, id feedengine.ID) (*feedengine.Post, error) {
	if err := s.read(ctx, "post"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	p := s.db.facts.byID[id]
	if p == nil {
		return nil, fmt.Errorf("post %d: %w", id, feedengine.ErrNotFound)
	}
	return p, nil
}

// Feed is storage.Reads'.
func (s *Store) Feed(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.Page, error) {
	if err := s.read(ctx, "feed"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.page(user, before, limit), nil
}

// Following is storage.Reads'.
func (s *Store) Following(ctx context.Context, user, after string, limit int) (users []string, err error) {
	if err := s.read(ctx, "following"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for author := range s.db.facts.follows[user] {
		if !s.db.facts.hidden(user, author, blocks) {
			users = append(users, author)
		}
	}
	return listed(users, after, limit), nil
}

// Followers is storage.Reads'.
func (s *Store) Followers(ctx context.Context, user, after string, limit int) (users []string, err error) {
	if err := s.read(ctx, "followers"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for follower, edges := range s.db.facts.follows {
		if _, ok := edges[user]; ok && !s.db.facts.hidden(user, follower, blocks) {
			users = append(users, follower)
		}
	}
	return listed(users, after, limit), nil
}

// listed is the piece of a list of users that comes after one of them.
func listed(users []string, after string, limit int) []string {
	slices.Sort(users)
	from, found := slices.BinarySearch(users, after)
	if found {
		from++
	}
	return users[from:min(len(users), from+limit)]
}
