package shard

import (
	"context"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/storefake"
)

// What a fakeStore is asked before commands is answered by storefake, of the same
// logs.
func (s *fakeStore) replayed(ctx context.Context, call string) (*storefake.Store, error) {
	if err := s.read(ctx, call); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return storefake.Replay(s.logs), nil
}

func (s *fakeStore) Standing(ctx context.Context, user string, post feedengine.ID, told bool) (feedengine.Standing, error) {
	same, err := s.replayed(ctx, "standing")
	if err != nil {
		return feedengine.Standing{}, err
	}
	return same.Standing(ctx, user, post, told)
}

func (s *fakeStore) Talk(ctx context.Context, ask feedengine.TalkAsk) (feedengine.Talk, error) {
	same, err := s.replayed(ctx, "talk")
	if err != nil {
		return feedengine.Talk{}, err
	}
	return same.Talk(ctx, ask)
}

func (s *fakeStore) Ties(ctx context.Context, user string, others []string) (t feedengine.Ties, err error) {
	if t.Follows, t.Following, err = s.Followed(ctx, user, others); err != nil {
		return feedengine.Ties{}, err
	}
	t.Blocked, err = s.Blocked(ctx, user, others)
	return t, err
}

func (s *fakeStore) Blocked(ctx context.Context, user string, others []string) ([]string, error) {
	same, err := s.replayed(ctx, "blocked")
	if err != nil {
		return nil, err
	}
	return same.Blocked(ctx, user, others)
}

func (s *fakeStore) Hides(ctx context.Context, user, other string, kind feedengine.HideKind) (bool, error) {
	same, err := s.replayed(ctx, "hides")
	if err != nil {
		return false, err
	}
	return same.Hides(ctx, user, other, kind)
}

func (s *fakeStore) Name(ctx context.Context, user string) (string, error) {
	same, err := s.replayed(ctx, "name")
	if err != nil {
		return "", err
	}
	return same.Name(ctx, user)
}

func (s *fakeStore) Taken(ctx context.Context, p feedengine.Profile) (string, error) {
	same, err := s.replayed(ctx, "taken")
	if err != nil {
		return "", err
	}
	return same.Taken(ctx, p)
}

func (s *fakeStore) Alerts(ctx context.Context, job *feedengine.Post) ([]string, error) {
	same, err := s.replayed(ctx, "alerts")
	if err != nil {
		return nil, err
	}
	return same.Alerts(ctx, job)
}
