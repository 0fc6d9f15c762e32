package gateway

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Accounts tells what users tell of themselves, and how they log in.
type Accounts interface {
	Profile(ctx context.Context, key feedengine.ProfileKey) (*feedengine.Profile, error)
	Login(ctx context.Context, key feedengine.ProfileKey) (feedengine.Credentials, error)
	SetPassword(ctx context.Context, user, hash string) error
}

func accountOperations() []*operation {
	return []*operation{
		{
			name: "profile", read: readProfile,
			routes: []route{
				{http.MethodGet, "/v1/users/{user}", http.StatusOK, 0, pathUser},
				{http.MethodGet, "/v1/users", http.StatusOK, 0, profileKey},
			},
		},
		{
			name: "put_profile", task: putProfile,
			routes: []route{{http.MethodPut, "/v1/profile", http.StatusOK, wire.MaxFrame, nil}},
		},
		{
			name: "password", task: setPassword,
			routes: []route{{http.MethodPut, "/v1/password", http.StatusOK, wire.MaxFrame, nil}},
		},
	}
}

// profileKey takes by what a profile is looked up.
func profileKey(r *http.Request, f *wire.Request) *feedengine.Error {
	q := r.URL.Query()
	queryText(q, "handle", wire.HasHandle, &f.Handle, f)
	queryText(q, "email", wire.HasEmail, &f.Email, f)
	queryText(q, "phone", wire.HasPhone, &f.Phone, f)
	queryText(q, "subject", wire.HasSubject, &f.Subject, f)
	return nil
}

// readProfile finds a profile. What is for its user and for services alone is not
// found with by others either: to them, there is no such profile.
func readProfile(c *call) (query, *feedengine.Error) {
	key, err := checkProfileKey(c)
	if err != nil {
		return nil, err
	}
	user, service := c.user, c.service
	return func(ctx context.Context, from Reads) (wire.Object, int, error) {
		p, err := from.Profile(ctx, key)
		if err != nil {
			return nil, 0, err
		}
		whole := service || p.User == user
		if !whole && key.User == "" && key.Handle == "" {
			return nil, 0, feedengine.ErrNotFound
		}
		return &wire.Profiled{Profile: wireProfile(p, whole)}, profileBytes, nil
	}, nil
}

// profileBytes is about what a profile takes.
const profileBytes = 1 << 10

func wireProfile(p *feedengine.Profile, whole bool) wire.Profile {
	out := wire.Profile(*p)
	if !whole {
		out.Email, out.Phone, out.Subject = "", "", ""
	}
	return out
}

// checkProfileKey is which profile is asked for: by default one's own.
func checkProfileKey(c *call) (key feedengine.ProfileKey, err *feedengine.Error) {
	r := c.req
	const any = wire.HasUser | wire.HasHandle | wire.HasEmail | wire.HasPhone | wire.HasSubject
	switch r.Has & any {
	case 0:
		key.User = c.user
	case wire.HasUser:
		key.User, err = r.User, checkUser(r.User)
	case wire.HasHandle:
		key.Handle, err = r.Handle, checkHandle(r.Handle)
	case wire.HasEmail:
		key.Email, err = r.Email, checkEmail(r.Email)
	case wire.HasPhone:
		key.Phone, err = r.Phone, checkPhone(r.Phone)
	case wire.HasSubject:
		key.Subject, err = r.Subject, checkSubject(r.Subject)
	default:
		err = badRequest(`only one of "user", "handle", "email", "phone" and "subject" may be given`)
	}
	if err == nil && key == (feedengine.ProfileKey{}) {
		err = badRequest("what to look a profile up by must not be empty")
	}
	return key, err
}

// putProfile replaces the user's profile; the subject only services change.
func putProfile(g *Gateway, c *call, done func(answer)) *feedengine.Error {
	p, err := checkProfile(c.req)
	if err != nil {
		return err
	}
	p.User = c.user
	submit := func() {
		g.shards.Submit(feedengine.Request{
			User: c.user, Deadline: c.began.Add(g.limits.Request), Do: feedengine.PutProfile{Profile: p},
			Done: func(res feedengine.Result) {
				if res.Err != nil {
					done(answer{err: res.Err})
					return
				}
				done(answer{ok: &wire.Profiled{Profile: wireProfile(res.Profile, true)}, bytes: profileBytes})
			},
		})
	}
	if c.service {
		submit()
		return nil
	}
	return g.reads.ask(func(ctx context.Context, from Reads) (wire.Object, int, error) {
		have, err := from.Profile(ctx, feedengine.ProfileKey{User: c.user})
		switch {
		case isNotFound(err):
			p.Subject = ""
		case err != nil:
			return nil, 0, err
		default:
			p.Subject = have.Subject
		}
		return wire.Empty{}, 0, nil
	}, func(a answer) {
		if a.err != nil {
			done(a)
			return
		}
		submit()
	})
}

func checkProfile(r *wire.Request) (feedengine.Profile, *feedengine.Error) {
	name, err := checkShort("name", r.Name, 0, maxName)
	switch {
	case err != nil:
	case strings.ContainsFunc(name, unicode.IsControl):
		err = badRequest(`"name" must have no control characters`)
	case r.Avatar != "" && !validURL(r.Avatar):
		err = badRequest(`"avatar" must be an http or https URL of at most 2048 bytes`)
	}
	for _, check := range []func() *feedengine.Error{
		func() *feedengine.Error { return checkHandle(r.Handle) },
		func() *feedengine.Error { return checkEmail(r.Email) },
		func() *feedengine.Error { return checkPhone(r.Phone) },
		func() *feedengine.Error { return checkSubject(r.Subject) },
	} {
		if err == nil {
			err = check()
		}
	}
	return feedengine.Profile{
		Handle: r.Handle, Name: name, Avatar: r.Avatar, Email: r.Email, Phone: r.Phone, Subject: r.Subject,
	}, err
}

const (
	maxHandle  = 30
	maxEmail   = 254 // RFC 5321, 4.5.3.1.3, without its angle brackets
	maxSubject = 200

	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// The checks of a profile's fields take "" for none.

func checkHandle(s string) *feedengine.Error {
	if len(s) > maxHandle || strings.Trim(s, letters+digits+"_") != "" {
		return badRequest(`"handle" must have 1 to 30 of A-Z a-z 0-9 _`)
	}
	return nil
}

// checkEmail takes what can be an address: whether it is one, only a mail could tell.
// Other letters than ASCII's are refused: databases do not agree on their lower case.
func checkEmail(s string) *feedengine.Error {
	if s == "" {
		return nil
	}
	local, domain, _ := strings.Cut(s, "@")
	odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>@[\]`, r) }
	if len(s) > maxEmail || local == "" || len(local) > 64 || domain == "" ||
		strings.ContainsFunc(local, odd) || strings.ContainsFunc(domain, odd) {
		return badRequest(`"email" must be an e-mail address of at most 254 bytes`)
	}
	return nil
}

func checkPhone(s string) *feedengine.Error {
	if s == "" {
		return nil
	}
	number, plus := strings.CutPrefix(s, "+")
	if !plus || len(number) < 6 || len(number) > 15 || strings.Trim(number, digits) != "" {
		return badRequest(`"phone" must be + and 6 to 15 digits`)
	}
	return nil
}

func checkSubject(s string) *feedengine.Error {
	if len(s) > maxSubject || hasBadBytes(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return badRequest(`"subject" must have at most 200 bytes of UTF-8 without control characters`)
	}
	return nil
}
