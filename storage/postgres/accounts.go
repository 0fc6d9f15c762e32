package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// Profile is the whole profile that the key names. See storage.Social.
func (s *Store) Profile(ctx context.Context, key feedengine.ProfileKey) (*feedengine.Profile, error) {
	text, by := q.ByUser, key.User
	switch {
	case key.Handle != "":
		text, by = q.ByHandle, key.Handle
	case key.Email != "":
		text, by = q.ByEmail, key.Email
	case key.Phone != "":
		text, by = q.ByPhone, key.Phone
	case key.Subject != "":
		text, by = q.BySubject, key.Subject
	}
	p := &feedengine.Profile{}
	var b pgx.Batch
	there := queueRow(&b, text, []any{&p.User, &p.Handle, &p.Name, &p.Avatar, &p.Email, &p.Phone, &p.Subject}, by)
	if err := s.read(ctx, s.ops.profile, &b); err != nil {
		return nil, err
	}
	if !*there {
		return nil, fmt.Errorf("postgres: profile: %w", feedengine.ErrNotFound)
	}
	return p, nil
}

// Profiles are the public parts of the users' profiles. See storage.Social.
func (s *Store) Profiles(ctx context.Context, users []string) ([]feedengine.Profile, error) {
	var list []feedengine.Profile
	var b pgx.Batch
	b.Queue(q.Profiles, users).Query(func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p feedengine.Profile, err error) {
			return p, row.Scan(&p.User, &p.Handle, &p.Name, &p.Avatar)
		})
		return err
	})
	if err := s.read(ctx, s.ops.profiles, &b); err != nil {
		return nil, err
	}
	return list, nil
}

// Login finds what a login is checked against. See storage.Social.
func (s *Store) Login(ctx context.Context, key feedengine.ProfileKey) (feedengine.Credentials, error) {
	text, by := q.LoginByEmail, key.Email
	if by == "" {
		text, by = q.LoginByPhone, key.Phone
	}
	var c feedengine.Credentials
	var b pgx.Batch
	there := queueRow(&b, text, []any{&c.User, &c.Hash}, by)
	if err := s.read(ctx, s.ops.login, &b); err != nil {
		return feedengine.Credentials{}, err
	}
	if !*there {
		return feedengine.Credentials{}, fmt.Errorf("postgres: login: %w", feedengine.ErrNotFound)
	}
	return c, nil
}

// LastSeen is when users were last connected. See storage.Social.
func (s *Store) LastSeen(ctx context.Context, users []string) ([]feedengine.LastSeen, error) {
	var list []feedengine.LastSeen
	var b pgx.Batch
	b.Queue(q.LastSeen, users).Query(func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l feedengine.LastSeen, err error) {
			err = row.Scan(&l.User, &l.At)
			l.At = l.At.UTC()
			return l, err
		})
		return err
	})
	if err := s.read(ctx, s.ops.lastSeen, &b); err != nil {
		return nil, err
	}
	return list, nil
}

// Searches are the user's saved searches. See storage.Social.
func (s *Store) Searches(ctx context.Context, user string) ([]feedengine.Search, error) {
	var list []feedengine.Search
	var b pgx.Batch
	b.Queue(q.Searches, user).Query(func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (of feedengine.Search, err error) {
			var query []byte
			if err := row.Scan(&of.ID, &of.Name, &query); err != nil {
				return of, err
			}
			return of, json.Unmarshal(query, &of.Query)
		})
		return err
	})
	if err := s.read(ctx, s.ops.searches, &b); err != nil {
		return nil, err
	}
	return list, nil
}

// SaveSearch saves a new search. See storage.Accounts.
func (s *Store) SaveSearch(ctx context.Context, user string, search feedengine.Search) error {
	of := search.Query
	of.Now, of.Before, of.Limit = time.Time{}, "", 0
	query, err := marshal(of)
	if err != nil {
		return fmt.Errorf("postgres: save search: %w", err)
	}
	var b pgx.Batch
	b.Queue(q.LockSearches, user)
	b.Queue(q.SaveSearch, int64(search.ID), user, search.Name, query, strings.ToLower(of.Category), strings.ToLower(of.Location),
		of.SalaryMin, of.SalaryMax, of.Currency, words(of.Text), feedengine.MaxSearches)
	_, err = s.write(ctx, s.ops.saveSearch, &b)
	return err
}

// DropSearch deletes one of the user's searches. See storage.Accounts.
func (s *Store) DropSearch(ctx context.Context, user string, id feedengine.ID) error {
	var b pgx.Batch
	b.Queue(q.DropSearch, user, int64(id))
	return s.writeOne(ctx, s.ops.dropSearch, &b)
}

// SetPassword sets the hash of a user who has a profile. See storage.Accounts.
func (s *Store) SetPassword(ctx context.Context, user, hash string) error {
	var b pgx.Batch
	b.Queue(q.SetPassword, user, hash)
	return s.writeOne(ctx, s.ops.setPassword, &b)
}

// SawUsers notes when users were last connected. See storage.Accounts. Rows go in
// order, so that two calls never wait for each other.
func (s *Store) SawUsers(ctx context.Context, seen []feedengine.LastSeen) error {
	if len(seen) == 0 {
		return nil
	}
	last := make(map[string]time.Time, len(seen))
	for _, l := range seen {
		if l.At.After(last[l.User]) {
			last[l.User] = l.At
		}
	}
	users := slices.Sorted(maps.Keys(last))
	var b pgx.Batch
	b.Queue(q.SawUsers, users, column(users, func(u string) time.Time { return last[u] }))
	_, err := s.write(ctx, s.ops.sawUsers, &b)
	return err
}

// writeOne is write of a statement that changes one row; ErrNotFound when it did not.
func (s *Store) writeOne(ctx context.Context, o op, b *pgx.Batch) error {
	rows, err := s.write(ctx, o, b)
	if err == nil && rows == 0 {
		err = fmt.Errorf("postgres: %s: %w", o.name, feedengine.ErrNotFound)
	}
	return err
}

// write commits the batch, on a connection that no append waits for, and returns
// how many rows its last statement changed.
func (s *Store) write(ctx context.Context, o op, b *pgx.Batch) (rows int64, err error) {
	defer o.done(time.Now(), b.Len())
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	results := s.accounts.SendBatch(bound, b)
	ran := 0
	for range b.Len() {
		tag, failed := results.Exec()
		if failed != nil {
			err = failed
			break
		}
		rows = tag.RowsAffected()
		ran++
	}
	if closed := results.Close(); err == nil { // the commit's own answer
		err = closed
	}
	if err != nil {
		return 0, commitFailed(ctx, o.name, err, ran == b.Len())
	}
	return rows, nil
}
