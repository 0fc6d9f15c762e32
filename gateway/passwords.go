package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/login"
	"github.com/feedgate/feedgate/gateway/wire"
)

// Login is how users without an identity provider get in.
type Login struct {
	// Issue makes a token for the user. Nil: there is no login here.
	Issue func(user string) (token string, expires time.Time, err error)
	// Proxies are the networks of proxies that are believed whom they say they ask
	// for (X-Forwarded-For). Of others it is not read.
	Proxies []netip.Prefix

	// Nil: those of the constants below. For tests.
	accounts, addresses *login.Attempts
}

// How often may be guessed: by an account's e-mail or phone, whether there is such
// or not, and from an address. It is per node, and who gets in has not guessed.
const (
	accountBurst = 10
	accountEvery = time.Minute
	addressBurst = 30
	addressEvery = 2 * time.Second
)

const (
	minPassword = 8
	maxPassword = 256
)

// logins checks passwords.
type logins struct {
	Login
	hasher   *login.Hasher
	limited  *metrics.Counter
	outcomes *operation // counts the logins
}

func newLogins(o Login, set *metrics.Set) *logins {
	if o.accounts == nil {
		o.accounts = login.NewAttempts(accountBurst, accountEvery)
	}
	if o.addresses == nil {
		o.addresses = login.NewAttempts(addressBurst, addressEvery)
	}
	return &logins{
		Login: o, hasher: login.NewHasher(set),
		limited:  set.NewCounter(`feedgate_limited_total{limit="logins"}`),
		outcomes: &operation{name: opLogin, outcomes: newOutcomes(set, opLogin)},
	}
}

func (l *logins) sweep(now time.Time) {
	l.accounts.Sweep(now)
	l.addresses.Sweep(now)
}

// take takes one attempt of the account.
func (l *logins) take(account string, now time.Time) *feedengine.Error {
	if wait, ok := l.accounts.Take(account, now); !ok {
		return l.tooMany(wait)
	}
	return nil
}

func (l *logins) tooMany(wait time.Duration) *feedengine.Error {
	l.limited.Inc()
	return &feedengine.Error{Code: feedengine.RateLimited, Message: "too many attempts to log in", Retry: wait}
}

// accountOf is the name by which the attempts on an account are counted.
func accountOf(key feedengine.ProfileKey) string {
	if key.Phone != "" {
		return "phone " + key.Phone
	}
	return "email " + strings.ToLower(key.Email)
}

// setPassword sets the user's password. Who has one already must know it: a token
// alone, which may be stolen, is not enough. Services may do without.
func setPassword(g *Gateway, c *call, done func(answer)) *feedengine.Error {
	if err := checkPassword("password", c.req.Password, minPassword); err != nil {
		return err
	}
	if c.req.Old != "" {
		if err := checkPassword("old", c.req.Old, 1); err != nil {
			return err
		}
	}
	var have feedengine.Credentials
	return g.reads.ask(func(ctx context.Context, from Reads) (wire.Object, int, error) {
		key, err := loginOf(ctx, from, c.user)
		if err == nil {
			have, err = from.Login(ctx, key)
		}
		return wire.Empty{}, 0, err
	}, func(a answer) {
		switch {
		case a.err != nil && a.err.Code == feedengine.NotFound, a.err == nil && have.User != c.user:
			done(answer{err: errNoLogin})
		case a.err != nil:
			done(a)
		default:
			g.wg.Go(func() { // Close waits for it; the hasher bounds how many there are
				if err := g.changePassword(c, have.Hash); err != nil {
					done(answer{err: err})
					return
				}
				done(answer{ok: wire.Empty{}, bytes: replyBytes})
			})
		}
	})
}

// errNoLogin: a password that nobody could log in with.
var errNoLogin = feedengine.Refuse(feedengine.Conflict, "put a profile with an e-mail or a phone first: a password is used with one of them")

// loginOf is by what the user logs in.
func loginOf(ctx context.Context, from Reads, user string) (feedengine.ProfileKey, error) {
	p, err := from.Profile(ctx, feedengine.ProfileKey{User: user})
	switch {
	case err != nil:
		return feedengine.ProfileKey{}, err
	case p.Email != "":
		return feedengine.ProfileKey{Email: p.Email}, nil
	case p.Phone != "":
		return feedengine.ProfileKey{Phone: p.Phone}, nil
	}
	return feedengine.ProfileKey{}, feedengine.ErrNotFound
}

// changePassword checks the old password, if there is one, and sets the new.
func (g *Gateway) changePassword(c *call, hash string) *feedengine.Error {
	ctx, cancel := context.WithTimeout(g.ctx, g.limits.Request)
	defer cancel()
	l, account := g.logins, "user "+c.user
	if hash != "" && !c.service {
		if c.req.Old == "" {
			return feedengine.Refuse(feedengine.Forbidden, `"old" must be given: the password that is set`)
		}
		if err := l.take(account, c.began); err != nil {
			return err
		}
		ok, err := l.hasher.Matches(ctx, hash, c.req.Old)
		switch {
		case err != nil:
			l.accounts.Return(account, c.began)
			return g.hashRefusal(err)
		case !ok:
			return feedengine.Refuse(feedengine.Forbidden, `"old" is not the password that is set`)
		}
		l.accounts.Return(account, c.began)
	}
	made, err := l.hasher.Hash(ctx, c.req.Password)
	if err != nil {
		return g.hashRefusal(err)
	}
	if err := g.accounts.SetPassword(ctx, c.user, made); err != nil {
		return g.reads.refusal(err)
	}
	return nil
}

// hashRefusal is how a client is told that no hash was made, or compared.
func (g *Gateway) hashRefusal(err error) *feedengine.Error {
	switch {
	case errors.Is(err, login.ErrBusy), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &feedengine.Error{Code: feedengine.Overloaded, Message: "too many passwords are being checked", Retry: time.Second}
	}
	g.log.Error("a password could not be checked", "err", err)
	return feedengine.Refuse(feedengine.Internal, "something went wrong")
}

func checkPassword(field, s string, least int) *feedengine.Error {
	if len(s) < least || len(s) > maxPassword || hasBadBytes(s) {
		return badRequest(fmt.Sprintf(`"%s" must have %d to %d bytes of UTF-8 without U+0000`, field, least, maxPassword))
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, feedengine.ErrNotFound) }
