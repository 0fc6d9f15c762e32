package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/feedgate/feedgate/feedengine"
)

// fakePeople knows some profiles, and whom everybody has to do with.
type fakePeople struct {
	mu        sync.Mutex
	err       error
	profiles  map[string]*feedengine.Profile
	hashes    map[string]string // by user
	strangers map[string]bool   // whom nobody may watch
	members   map[feedengine.ID][]string
	asked     int // how often for members
	seen      map[string]feedengine.LastSeen
}

func newFakePeople() *fakePeople {
	return &fakePeople{
		profiles: map[string]*feedengine.Profile{
			"bob": {User: "bob", Handle: "Bobby", Name: "Bob", Avatar: "https://example.com/b.png", Email: "Bob@example.com", Phone: "+491701234567", Subject: "idp|bob"},
			"ann": {User: "ann", Handle: "ann", Email: "ann@example.com"},
			"dan": {User: "dan", Phone: "+15551234567"},
			"eve": {User: "eve", Handle: "eve"},
		},
		hashes: map[string]string{}, strangers: map[string]bool{"eve": true},
		members: map[feedengine.ID][]string{77: {"ann", "bob", "cid"}},
		seen:    map[string]feedengine.LastSeen{},
	}
}

// fail has everything fail, or no more.
func (f *fakePeople) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakePeople) setHash(user, hash string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hashes[user] = hash
}

func (f *fakePeople) hash(user string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hashes[user]
}

// find is the profile that the key names. mu is held.
func (f *fakePeople) find(key feedengine.ProfileKey) (*feedengine.Profile, error) {
	if f.err != nil {
		return nil, f.err
	}
	for _, p := range f.profiles {
		if key.User != "" && p.User == key.User || key.Handle != "" && strings.EqualFold(p.Handle, key.Handle) ||
			key.Email != "" && strings.EqualFold(p.Email, key.Email) || key.Phone != "" && p.Phone == key.Phone ||
			key.Subject != "" && p.Subject == key.Subject {
			return p, nil
		}
	}
	return nil, errors.Join(errors.New("profile"), feedengine.ErrNotFound)
}

func (f *fakePeople) Profile(_ context.Context, key feedengine.ProfileKey) (*feedengine.Profile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.find(key)
}

func (f *fakePeople) Login(_ context.Context, key feedengine.ProfileKey) (feedengine.Credentials, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if (key.Email == "") == (key.Phone == "") || key.User+key.Handle+key.Subject != "" {
		return feedengine.Credentials{}, fmt.Errorf("a login by %+v", key)
	}
	p, err := f.find(key)
	if err != nil {
		return feedengine.Credentials{}, err
	}
	return feedengine.Credentials{User: p.User, Hash: f.hashes[p.User]}, nil
}

func (f *fakePeople) SetPassword(_ context.Context, user, hash string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(feedengine.ProfileKey{User: user}); err != nil {
		return err
	}
	f.hashes[user] = hash
	return nil
}

func (f *fakePeople) Acquainted(_ context.Context, _ string, others []string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{}
	for _, u := range others {
		if !f.strangers[u] {
			out = append(out, u)
		}
	}
	slices.Sort(out)
	return out, f.err
}

func (f *fakePeople) Members(_ context.Context, user string, id feedengine.ID) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	all := f.members[id]
	if !slices.Contains(all, user) {
		return nil, errors.Join(errors.New("members"), feedengine.ErrNotFound)
	}
	return slices.DeleteFunc(slices.Clone(all), func(u string) bool { return u == user }), f.err
}

func (f *fakePeople) LastSeen(_ context.Context, users []string) ([]feedengine.LastSeen, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []feedengine.LastSeen
	for _, u := range users {
		if l, ok := f.seen[u]; ok {
			out = append(out, l)
		}
	}
	return out, f.err
}

func (f *fakePeople) SawUsers(_ context.Context, seen []feedengine.LastSeen) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range seen {
		f.seen[l.User] = l
	}
	return f.err
}
