package storefake

import (
	"context"
	"slices"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// Standing is storage.Decisions'.
func (s *Store) Standing(ctx context.Context, user string, post feedengine.ID, told bool) (feedengine.Standing, error) {
	if err := s.read(ctx, "standing"); err != nil {
		return feedengine.Standing{}, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.standing(user, post, told), nil
}

func (f *facts) standing(user string, id feedengine.ID, told bool) (st feedengine.Standing) {
	st.Name = f.profiles[user].Name
	if st.Post = f.visible(user, id); st.Post == nil {
		return st
	}
	own, liked := f.likes[id][user]
	st.Liked, st.LikedAs = liked, own.note
	for note, n := range f.notes[st.Post.Author] {
		if n.kind == feedengine.NoteLike && n.post == id {
			st.Newest = max(st.Newest, note)
		}
	}
	about := st.Newest
	if liked {
		about = st.LikedAs
	}
	st.Count = len(f.likers(id, about, func(string) bool { return true }))
	st.Others = names(f.likers(id, about, func(who string) bool { return who != user }))
	if told {
		for who, notes := range f.notes {
			for _, n := range notes {
				if n.post == id && who != st.Post.Author {
					st.Told = append(st.Told, who)
					break
				}
			}
		}
		slices.Sort(st.Told)
	}
	return st
}

// Talk is storage.Decisions'.
func (s *Store) Talk(ctx context.Context, ask feedengine.TalkAsk) (feedengine.Talk, error) {
	if err := s.read(ctx, "talk"); err != nil {
		return feedengine.Talk{}, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.talk(ask), nil
}

// Ties is storage.Decisions'.
func (s *Store) Ties(ctx context.Context, user string, others []string) (t feedengine.Ties, err error) {
	if err := s.read(ctx, "ties"); err != nil {
		return feedengine.Ties{}, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	t.Follows, t.Following = s.db.followed(user, others)
	t.Blocked = s.db.blocked(user, others)
	return t, nil
}

// Blocked is storage.Decisions'.
func (s *Store) Blocked(ctx context.Context, user string, others []string) (blocked []string, err error) {
	if err := s.read(ctx, "blocked"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.blocked(user, others), nil
}

// blocked is Blocked's answer. mu is held.
func (db *database) blocked(user string, others []string) (blocked []string) {
	for _, other := range others {
		if db.facts.hidden(user, other, blocks) {
			blocked = append(blocked, other)
		}
	}
	slices.Sort(blocked)
	return slices.Compact(blocked)
}

// Hides is storage.Decisions'.
func (s *Store) Hides(ctx context.Context, user, other string, kind feedengine.HideKind) (bool, error) {
	if err := s.read(ctx, "hides"); err != nil {
		return false, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.hides[user][feedengine.Hide{Other: other, Kind: kind}], nil
}

// Name is storage.Decisions'.
func (s *Store) Name(ctx context.Context, user string) (string, error) {
	if err := s.read(ctx, "name"); err != nil {
		return "", err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.profiles[user].Name, nil
}

// Taken is storage.Decisions'.
func (s *Store) Taken(ctx context.Context, p feedengine.Profile) (field string, err error) {
	if err := s.read(ctx, "taken"); err != nil {
		return "", err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.taken(p.User, p, nil), nil
}

// taken names the field of a user's profile that another's has; later are profiles
// that come in the place of those there are.
func (f *facts) taken(user string, p feedengine.Profile, later map[string]feedengine.Profile) string {
	for _, field := range []struct {
		name string
		of   func(feedengine.Profile) string
	}{
		{"handle", func(p feedengine.Profile) string { return strings.ToLower(p.Handle) }},
		{"email", func(p feedengine.Profile) string { return strings.ToLower(p.Email) }},
		{"phone", func(p feedengine.Profile) string { return p.Phone }},
		{"subject", func(p feedengine.Profile) string { return p.Subject }},
	} {
		has := func(other string, q feedengine.Profile) bool {
			return other != user && field.of(q) == field.of(p) && field.of(p) != ""
		}
		for other, q := range later {
			if has(other, q) {
				return field.name
			}
		}
		for other, q := range f.profiles {
			if _, changes := later[other]; !changes && has(other, q) {
				return field.name
			}
		}
	}
	return ""
}

// Alerts is storage.Decisions'.
func (s *Store) Alerts(ctx context.Context, job *feedengine.Post) (users []string, err error) {
	if err := s.read(ctx, "alerts"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for user, searches := range s.db.searches {
		if user == job.Author || s.db.facts.hidden(user, job.Author, anyHide) {
			continue
		}
		if slices.ContainsFunc(searches, func(q feedengine.Search) bool { return matches(q.Query, job) }) {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users[:min(len(users), feedengine.MaxAlerts)], nil
}
