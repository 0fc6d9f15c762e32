package storefake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/feedgate/feedgate/feedengine"
)

// PostFor is storage.Social's.
func (s *Store) PostFor(ctx context.Context, viewer string, id feedengine.ID) (*feedengine.Post, error) {
	if err := s.read(ctx, "post"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if p := s.db.facts.visible(viewer, id); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("post %d: %w", id, feedengine.ErrNotFound)
}

// Comments is storage.Social's.
func (s *Store) Comments(ctx context.Context, viewer string, post, before feedengine.ID, limit int) (*feedengine.CommentPage, error) {
	if err := s.read(ctx, "comments"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	f := s.db.facts
	if f.visible(viewer, post) == nil {
		return nil, fmt.Errorf("post %d: %w", post, feedengine.ErrNotFound)
	}
	page := &feedengine.CommentPage{}
	page.Comments, page.Next = piece(f.comments[post], before, limit, func(c *feedengine.Comment) (feedengine.ID, bool) {
		return c.ID, viewer == "" || !f.hidden(viewer, c.Author, blocks)
	})
	return page, nil
}

// Notes is storage.Social's.
func (s *Store) Notes(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.NotePage, error) {
	if err := s.read(ctx, "notes"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	all := s.db.facts.notesOf(user)
	slices.Reverse(all)
	page := &feedengine.NotePage{}
	page.Notes, page.Next = piece(all, before, limit, func(n *feedengine.Note) (feedengine.ID, bool) { return n.ID, true })
	return page, nil
}

// Conversations is storage.Social's.
func (s *Store) Conversations(ctx context.Context, user string, before feedengine.ID, limit int) (*feedengine.ConversationPage, error) {
	if err := s.read(ctx, "conversations"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.facts.conversations(user, before, limit), nil
}

// Messages is storage.Social's.
func (s *Store) Messages(ctx context.Context, user string, conversation, before feedengine.ID, limit int) (*feedengine.MessagePage, error) {
	if err := s.read(ctx, "messages"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	f := s.db.facts
	t := f.of(user, conversation)
	if t == nil {
		return nil, fmt.Errorf("conversation %d: %w", conversation, feedengine.ErrNotFound)
	}
	page := &feedengine.MessagePage{}
	page.Messages, page.Next = piece(f.shown(user, t), before, limit, func(m *feedengine.Message) (feedengine.ID, bool) { return m.ID, true })
	for _, other := range t.members {
		if other != user && !f.hidden(user, other, blocks) {
			is := f.seen[seenBy{t.id, other}]
			page.Seen = append(page.Seen, feedengine.MemberSeen{User: other, Got: is.got, Read: is.read})
		}
	}
	return page, nil
}

// piece is the newest of an ascending list below an id, 0: of all, newest first, and
// where to go on. idOf also says what is in the list at all.
func piece[T any](all []T, before feedengine.ID, limit int, idOf func(T) (feedengine.ID, bool)) (newest []T, next feedengine.ID) {
	for _, one := range slices.Backward(all) {
		id, in := idOf(one)
		switch {
		case !in || before != 0 && id >= before:
		case len(newest) == limit:
			next, _ = idOf(newest[limit-1])
			return newest, next
		default:
			newest = append(newest, one)
		}
	}
	return newest, 0
}

// Hidden is storage.Social's.
func (s *Store) Hidden(ctx context.Context, user string, kind feedengine.HideKind, after string, limit int) (users []string, err error) {
	if err := s.read(ctx, "hidden"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for h := range s.db.facts.hides[user] {
		if h.Kind == kind {
			users = append(users, h.Other)
		}
	}
	return listed(users, after, limit), nil
}

// Acquainted is storage.Social's.
func (s *Store) Acquainted(ctx context.Context, user string, others []string) (known []string, err error) {
	if err := s.read(ctx, "acquainted"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	f := s.db.facts
	for _, other := range sorted(others) {
		_, follows := f.follows[user][other]
		talks := slices.ContainsFunc(f.talksOf(user), func(t *talk) bool { return slices.Contains(t.members, other) })
		if (follows || talks) && other != user && !f.hidden(user, other, blocks) {
			known = append(known, other)
		}
	}
	return known, nil
}

// Members is storage.Social's.
func (s *Store) Members(ctx context.Context, user string, conversation feedengine.ID) (members []string, err error) {
	if err := s.read(ctx, "members"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	f := s.db.facts
	t := f.of(user, conversation)
	if t == nil {
		return nil, fmt.Errorf("conversation %d: %w", conversation, feedengine.ErrNotFound)
	}
	for _, other := range t.members {
		if other != user && !f.hidden(user, other, blocks) {
			members = append(members, other)
		}
	}
	return members, nil
}

// matches is a job search in its simplest form: every word occurs as it is.
func matches(q feedengine.JobQuery, p *feedengine.Post) bool {
	if p.More == nil || p.More.Job == nil || p.Followers() {
		return false
	}
	job := p.More.Job
	low, high := job.SalaryMin, max(job.SalaryMin, job.SalaryMax)
	words := strings.Fields(strings.ToLower(job.Title + " " + p.Text))
	for _, w := range strings.Fields(strings.ToLower(q.Text)) {
		if !slices.Contains(words, w) {
			return false
		}
	}
	return (q.Category == "" || strings.EqualFold(q.Category, job.Category)) &&
		(q.Location == "" || strings.EqualFold(q.Location, job.Location)) &&
		(q.Currency == "" || q.Currency == job.Currency) &&
		(q.ClosesBy.IsZero() || !job.Closes.IsZero() && !job.Closes.After(q.ClosesBy)) &&
		(q.SalaryMin == 0 || high >= q.SalaryMin) && (q.SalaryMax == 0 || low <= q.SalaryMax)
}
