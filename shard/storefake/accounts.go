package storefake

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// accounts are what is written beside the logs.
type accounts struct {
	searches  map[string][]feedengine.Search // by user
	passwords map[string]string
	lastSeen  map[string]feedengine.LastSeen
}

func newAccounts() accounts {
	return accounts{map[string][]feedengine.Search{}, map[string]string{}, map[string]feedengine.LastSeen{}}
}

// SaveSearch is storage.Accounts'.
func (s *Store) SaveSearch(ctx context.Context, user string, search feedengine.Search) error {
	return s.write(ctx, "savesearch", func(bool) error {
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		if len(s.db.searches[user]) >= feedengine.MaxSearches || !fits(search.Name+search.Query.Text) {
			return fmt.Errorf("search %d: %w", search.ID, feedengine.ErrRefused)
		}
		s.db.searches[user] = append(s.db.searches[user], search)
		return nil
	})
}

// DropSearch is storage.Accounts'.
func (s *Store) DropSearch(ctx context.Context, user string, id feedengine.ID) error {
	return s.write(ctx, "dropsearch", func(bool) error {
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		all := s.db.searches[user]
		s.db.searches[user] = slices.DeleteFunc(all, func(q feedengine.Search) bool { return q.ID == id })
		if len(s.db.searches[user]) == len(all) {
			return fmt.Errorf("search %d: %w", id, feedengine.ErrNotFound)
		}
		return nil
	})
}

// Searches is storage.Social's.
func (s *Store) Searches(ctx context.Context, user string) ([]feedengine.Search, error) {
	if err := s.read(ctx, "searches"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	all := slices.Clone(s.db.searches[user])
	slices.SortFunc(all, func(a, b feedengine.Search) int { return cmp.Compare(b.ID, a.ID) })
	return all, nil
}

// SetPassword is storage.Accounts'.
func (s *Store) SetPassword(ctx context.Context, user, hash string) error {
	return s.write(ctx, "setpassword", func(bool) error {
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		if _, ok := s.db.facts.profiles[user]; !ok {
			return fmt.Errorf("profile of %s: %w", user, feedengine.ErrNotFound)
		}
		s.db.passwords[user] = hash
		return nil
	})
}

// SawUsers is storage.Accounts'.
func (s *Store) SawUsers(ctx context.Context, seen []feedengine.LastSeen) error {
	return s.write(ctx, "sawusers", func(bool) error {
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		for _, l := range seen {
			if l.At.After(s.db.lastSeen[l.User].At) {
				s.db.lastSeen[l.User] = l
			}
		}
		return nil
	})
}

// LastSeen is storage.Social's.
func (s *Store) LastSeen(ctx context.Context, users []string) (seen []feedengine.LastSeen, err error) {
	if err := s.read(ctx, "lastseen"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, u := range sorted(users) {
		if l, ok := s.db.lastSeen[u]; ok {
			seen = append(seen, l)
		}
	}
	return seen, nil
}

// sorted are the users in ascending order, each once.
func sorted(users []string) []string {
	users = slices.Clone(users)
	slices.Sort(users)
	return slices.Compact(users)
}

// Profile is storage.Social's.
func (s *Store) Profile(ctx context.Context, key feedengine.ProfileKey) (*feedengine.Profile, error) {
	if err := s.read(ctx, "profile"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if p, ok := s.db.facts.profile(key); ok {
		return &p, nil
	}
	return nil, fmt.Errorf("profile %+v: %w", key, feedengine.ErrNotFound)
}

func (f *facts) profile(key feedengine.ProfileKey) (feedengine.Profile, bool) {
	if key == (feedengine.ProfileKey{}) {
		return feedengine.Profile{}, false
	}
	same := func(asked, is string) bool { return asked == "" || strings.EqualFold(asked, is) }
	for user, p := range f.profiles {
		if (key.User == "" || key.User == user) && same(key.Handle, p.Handle) && same(key.Email, p.Email) &&
			(key.Phone == "" || key.Phone == p.Phone) && (key.Subject == "" || key.Subject == p.Subject) {
			p.User = user
			return p, true
		}
	}
	return feedengine.Profile{}, false
}

// Profiles is storage.Social's.
func (s *Store) Profiles(ctx context.Context, users []string) (profiles []feedengine.Profile, err error) {
	if err := s.read(ctx, "profiles"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, u := range sorted(users) {
		if p, ok := s.db.facts.profiles[u]; ok {
			profiles = append(profiles, feedengine.Profile{User: u, Handle: p.Handle, Name: p.Name, Avatar: p.Avatar})
		}
	}
	return profiles, nil
}

// Login is storage.Social's.
func (s *Store) Login(ctx context.Context, key feedengine.ProfileKey) (feedengine.Credentials, error) {
	if key.Email == "" && key.Phone == "" {
		return feedengine.Credentials{}, fmt.Errorf("login without e-mail or phone: %w", feedengine.ErrNotFound)
	}
	p, err := s.Profile(ctx, key)
	if err != nil {
		return feedengine.Credentials{}, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return feedengine.Credentials{User: p.User, Hash: s.db.passwords[p.User]}, nil
}

// Jobs is storage.Social's, the newest first whatever is searched for.
func (s *Store) Jobs(ctx context.Context, viewer string, q feedengine.JobQuery) (*feedengine.JobPage, error) {
	if err := s.read(ctx, "jobs"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	f := s.db.facts
	before, _ := strconv.ParseInt(q.Before, 10, 64)
	page := &feedengine.JobPage{}
	for id, p := range f.byID {
		closed := p.More != nil && p.More.Job != nil && !p.More.Job.Closes.IsZero() && !p.More.Job.Closes.After(q.Now)
		hidden := viewer != "" && f.hidden(viewer, p.Author, anyHide)
		if matches(q, p) && !hidden && (q.Closing || !closed) && (before == 0 || id < feedengine.ID(before)) {
			page.Jobs = append(page.Jobs, p)
		}
	}
	slices.SortFunc(page.Jobs, func(a, b *feedengine.Post) int { return cmp.Compare(b.ID, a.ID) })
	if len(page.Jobs) > q.Limit {
		page.Jobs = page.Jobs[:q.Limit]
		page.Next = page.Jobs[q.Limit-1].ID.String()
	}
	return page, nil
}
