package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/login"
	"github.com/feedgate/feedgate/gateway/wire"
)

// opLogin is not in the table: it is asked without a token.
const opLogin = "login"

// serveLogin gives a token for an e-mail or a phone and a password.
func (g *Gateway) serveLogin(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ok, err := g.logIn(w, r, began)
	g.logins.outcomes.observe(viaHTTP, codeOf(err), began)
	if err != nil {
		writeError(w, err)
		return
	}
	writeObject(w, http.StatusOK, ok)
}

// errLogin is the answer to whatever is wrong with a login: unknown accounts, those
// without a password and wrong passwords are told apart neither by it nor by its time.
var errLogin = feedengine.Refuse(feedengine.Unauthorized, "there is no such account with this password")

func (g *Gateway) logIn(w http.ResponseWriter, r *http.Request, now time.Time) (*wire.LoggedIn, *feedengine.Error) {
	var req wire.Request
	if err := readFields(w, r, route{body: wire.MaxFrame}, &req); err != nil {
		return nil, err
	}
	key, err := checkLogin(&req)
	if err != nil {
		return nil, err
	}
	l := g.logins
	account, address := accountOf(key), login.Network(clientOf(r, l.Proxies))
	if wait, ok := l.addresses.Take(address, now); !ok {
		return nil, l.tooMany(wait)
	}
	if err := l.take(account, now); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.limits.Request)
	defer cancel()
	user, err := g.checkedLogin(ctx, key, req.Password)
	if err != errLogin { // nothing was guessed
		l.accounts.Return(account, now)
		l.addresses.Return(address, now)
	}
	if err != nil {
		return nil, err
	}
	token, expires, fault := l.Issue(user)
	if fault != nil {
		g.log.Error("a token could not be made", "user", user, "err", fault)
		return nil, feedengine.Refuse(feedengine.Internal, "something went wrong")
	}
	return &wire.LoggedIn{Token: token, User: user, Expires: expires}, nil
}

// checkedLogin is whose the password is. It always hashes once.
func (g *Gateway) checkedLogin(ctx context.Context, key feedengine.ProfileKey, password string) (string, *feedengine.Error) {
	var have feedengine.Credentials
	found := make(chan answer, 1) // one outcome, taken or left
	err := g.reads.ask(func(ctx context.Context, from Reads) (wire.Object, int, error) {
		c, err := from.Login(ctx, key)
		if err == nil {
			have = c
		} else if isNotFound(err) {
			err = nil
		}
		return wire.Empty{}, 0, err
	}, func(a answer) { found <- a })
	if err != nil {
		return "", err
	}
	select {
	case a := <-found:
		if a.err != nil {
			return "", a.err
		}
	case <-ctx.Done():
		return "", feedengine.Refuse(feedengine.Unavailable, "no outcome in time")
	}
	ok, fault := g.logins.hasher.Matches(ctx, have.Hash, password)
	switch {
	case errors.Is(fault, login.ErrBusy), fault != nil && ctx.Err() != nil:
		return "", g.hashRefusal(fault)
	case fault != nil: // the account's hash is not readable; only the log tells
		g.log.Error("a password cannot be checked", "user", have.User, "err", fault)
		return "", errLogin
	case !ok:
		return "", errLogin
	}
	return have.User, nil
}

// checkLogin judges what a login holds, before anything is looked up.
func checkLogin(r *wire.Request) (key feedengine.ProfileKey, err *feedengine.Error) {
	switch {
	case (r.Email == "") == (r.Phone == ""):
		return key, badRequest(`either "email" or "phone" must be given`)
	case r.Email != "":
		key.Email, err = r.Email, checkEmail(r.Email)
	default:
		key.Phone, err = r.Phone, checkPhone(r.Phone)
	}
	if err == nil {
		err = checkPassword("password", r.Password, 1)
	}
	return key, err
}

// clientOf is the address that a request comes from. Proxies that are believed say
// for whom they ask: the last address in X-Forwarded-For that is not of them.
func clientOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	at := from.Addr()
	if err != nil || !ours(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return at
		}
		if at = a; !ours(a) {
			return a
		}
	}
	return at
}
