package sqlite

import (
	"context"
	"strings"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Profile returns the profile that the key names: see storage.Social.
func (s *Store) Profile(ctx context.Context, key feedengine.ProfileKey) (*feedengine.Profile, error) {
	p, _, err := s.profile(ctx, s.ops.profile, key)
	return p, err
}

// Login finds what a login is checked against: see storage.Social.
func (s *Store) Login(ctx context.Context, key feedengine.ProfileKey) (feedengine.Credentials, error) {
	key = feedengine.ProfileKey{Email: key.Email, Phone: key.Phone}
	p, hash, err := s.profile(ctx, s.ops.login, key)
	if err != nil {
		return feedengine.Credentials{}, err
	}
	return feedengine.Credentials{User: p.User, Hash: hash}, nil
}

func (s *Store) profile(ctx context.Context, op op, key feedengine.ProfileKey) (p *feedengine.Profile, hash string, err error) {
	q, which := profileByUser, key.User
	switch {
	case key.Handle != "":
		q, which = profileByHandle, strings.ToLower(key.Handle)
	case key.Email != "":
		q, which = profileByEmail, strings.ToLower(key.Email)
	case key.Phone != "":
		q, which = profileByPhone, key.Phone
	case key.Subject != "":
		q, which = profileBySubject, key.Subject
	}
	err = s.ask(ctx, op, func(c *conn) error {
		err := c.each(ctx, q, func(row []value) error {
			p = &feedengine.Profile{
				User: row[0].(string), Handle: row[1].(string), Name: row[2].(string), Avatar: row[3].(string),
				Email: row[4].(string), Phone: row[5].(string), Subject: row[6].(string),
			}
			hash = row[7].(string)
			return nil
		}, which)
		if err == nil && p == nil {
			err = feedengine.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return p, hash, nil
}

// Profiles returns the public parts of several: see storage.Social.
func (s *Store) Profiles(ctx context.Context, users []string) (all []feedengine.Profile, err error) {
	err = s.ask(ctx, s.ops.profiles, func(c *conn) error {
		return c.each(ctx, profilesOf, func(row []value) error {
			all = append(all, feedengine.Profile{
				User: row[0].(string), Handle: row[1].(string), Name: row[2].(string), Avatar: row[3].(string),
			})
			return nil
		}, array(users))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// SetPassword sets the hash of a user's password: see storage.Accounts.
func (s *Store) SetPassword(ctx context.Context, user, hash string) error {
	defer s.ops.setPassword.done(time.Now(), 1)
	return s.write(ctx, "set password", func(ctx context.Context, c *conn) error {
		if !clean(user, hash) {
			return refused("text that is not UTF-8 without U+0000")
		}
		n, err := c.exec(ctx, setPassword, hash, user)
		if err == nil && n == 0 {
			return feedengine.ErrNotFound
		}
		return err
	})
}

// SawUsers notes when users were connected: see storage.Accounts.
func (s *Store) SawUsers(ctx context.Context, seen []feedengine.LastSeen) error {
	defer s.ops.sawUsers.done(time.Now(), 1)
	return s.write(ctx, "saw users", func(ctx context.Context, c *conn) error {
		for _, saw := range seen {
			if !clean(saw.User) {
				return refused("text that is not UTF-8 without U+0000")
			}
			if _, err := c.exec(ctx, sawUser, saw.User, saw.At.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// LastSeen says when users were last connected: see storage.Social.
func (s *Store) LastSeen(ctx context.Context, users []string) (all []feedengine.LastSeen, err error) {
	err = s.ask(ctx, s.ops.lastSeen, func(c *conn) error {
		return c.each(ctx, lastSeen, func(row []value) error {
			all = append(all, feedengine.LastSeen{User: row[0].(string), At: time.UnixMicro(row[1].(int64)).UTC()})
			return nil
		}, array(users))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
