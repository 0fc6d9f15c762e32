package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/login"
)

// newLoginRig has bob with the password "first word", and ann and dan without.
func newLoginRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	r := newRig(t, append([]func(*Options){withLogin}, change...)...)
	hash, err := r.g.logins.hasher.Hash(t.Context(), "first word")
	if err != nil {
		t.Fatal(err)
	}
	r.people.setHash("bob", hash)
	return r
}

func (r *rig) login(body string, header ...string) (int, string) {
	r.t.Helper()
	status, _, answer := r.call("POST", "/v1/login", body, header...)
	return status, answer
}

func TestLogin(t *testing.T) {
	r := newLoginRig(t)
	const token = `{"token":"ok:bob","user":"bob","expires":"2030-01-02T03:04:05.000Z"}`
	for _, body := range []string{
		`{"email":"bob@example.com","password":"first word"}`,
		`{"email":"BOB@example.COM","password":"first word"}`,
		`{"phone":"+491701234567","password":"first word"}`,
	} {
		if status, answer := r.login(body); status != http.StatusOK || answer != token {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if status, _, body := r.call("GET", "/v1/unread", "", bearer("ok:bob")...); status != 200 {
		t.Errorf("the token is not taken: %s", body)
	}
	// There is no login over a socket, nor by GET.
	c := r.connect("bob")
	c.send(`{"id":2,"op":"login","email":"bob@example.com","password":"first word"}`)
	c.want(`{"re":2,"error":{"code":"bad_request","message":"there is no such op","retryable":false}}`)
	if status, _, _ := r.call("GET", "/v1/login", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
	if status, _, answer := newRig(t).call("POST", "/v1/login", `{"email":"bob@example.com","password":"first word"}`); status != 404 || codeIn(answer) != "not_found" {
		t.Errorf("without a secret: %d %s", status, answer)
	}
}

// TestLoginTellsNothing holds that what is wrong cannot be told from the answer, nor
// from the work that was done for it.
func TestLoginTellsNothing(t *testing.T) {
	r := newLoginRig(t)
	r.people.setHash("dan", "$2b$12$somethingelse") // that this node cannot read
	first := ""
	for name, body := range map[string]string{
		"unknown":         `{"email":"nobody@example.com","password":"first word"}`,
		"unknown phone":   `{"phone":"+99999999","password":"first word"}`,
		"no password":     `{"email":"ann@example.com","password":"first word"}`,
		"wrong password":  `{"email":"bob@example.com","password":"First word"}`,
		"short password":  `{"email":"bob@example.com","password":"f"}`,
		"unreadable hash": `{"phone":"+15551234567","password":"first word"}`,
	} {
		before := r.counter("feedgate_password_hashes_total")
		status, answer := r.login(body)
		if status != http.StatusUnauthorized || codeIn(answer) != "unauthorized" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if first == "" {
			first = answer
		}
		if answer != first {
			t.Errorf("%s can be told apart:\n%s%s", name, answer, first)
		}
		if after := r.counter("feedgate_password_hashes_total"); !oneMore(before, after) {
			t.Errorf("%s: %s hashes before, %s after, want one more", name, before, after)
		}
	}
}

// oneMore compares two counters of less than ten.
func oneMore(before, after string) bool {
	return len(before) == 1 && len(after) == 1 && after[0] == before[0]+1
}

// TestLoginBadInput is refused before anything is looked up or hashed.
func TestLoginBadInput(t *testing.T) {
	r := newLoginRig(t)
	before := r.counter("feedgate_password_hashes_total")
	for _, body := range []string{
		``, `[]`, `{`, `{}`, `{"password":"first word"}`, `{"email":"bob@example.com"}`, `{"email":"bob@example.com","password":""}`,
		`{"email":"bob@example.com","phone":"+491701234567","password":"first word"}`,
		`{"user":"bob","password":"first word"}`, `{"handle":"bobby","password":"first word"}`,
		`{"email":"bob","password":"first word"}`, `{"phone":"0170","password":"first word"}`,
		`{"email":"bob@example.com' OR '1'='1","password":"x' OR '1'='1"}`,
		`{"email":7,"password":"first word"}`, `{"email":"bob@example.com","password":["first word"]}`,
		`{"email":"bob@example.com","password":"` + strings.Repeat("x", 257) + `"}`,
		`{"email":"bob@example.com","password":"` + strings.Repeat("x", 10<<10) + `"}`,
		`{"email":"bob@example.com","password":"first\u0000word"}`, `{"email":"bob@example.com\u0000","password":"first word"}`,
		"{\"email\":\"bob@example.com\",\"password\":\"first\xffword\"}",
		`{"email":"` + strings.Repeat("l", 300) + `@example.com","password":"first word"}`,
	} {
		if status, answer := r.login(body); status != http.StatusBadRequest || codeIn(answer) != "bad_request" {
			t.Errorf("%.80s: %d %s", body, status, answer)
		}
	}
	if status, answer := r.login(`{"x":"` + strings.Repeat("x", 64<<10) + `"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("64 KiB: %d %s", status, answer)
	}
	if after := r.counter("feedgate_password_hashes_total"); after != before {
		t.Errorf("%s hashes, before %s", after, before)
	}
	r.people.fail(feedengine.ErrUnavailable)
	if status, answer := r.login(`{"email":"bob@example.com","password":"first word"}`); status != http.StatusServiceUnavailable || codeIn(answer) != "unavailable" {
		t.Errorf("without storage: %d %s", status, answer)
	}
}

// attempts has a rig take so many attempts of an account and of an address, and no
// more for an hour.
func attempts(account, address int) func(*Options) {
	return func(o *Options) {
		o.Login.accounts, o.Login.addresses = login.NewAttempts(account, time.Hour), login.NewAttempts(address, time.Hour)
	}
}

func TestLoginLimits(t *testing.T) {
	var r *rig
	reset := func(account, address int) {
		t.Helper()
		r = newLoginRig(t, attempts(account, address))
	}
	try := func(key, password string) string {
		t.Helper()
		status, header, answer := r.call("POST", "/v1/login", `{`+key+`,"password":"`+password+`"}`)
		if limited := status == http.StatusTooManyRequests; limited != (header.Get("Retry-After") != "") {
			t.Errorf("%d with Retry-After %q", status, header.Get("Retry-After"))
		}
		if status == 200 {
			return "ok"
		}
		return codeIn(answer)
	}
	for name, tc := range map[string]struct{ key, same, other string }{
		"a known account":    {`"email":"bob@example.com"`, `"email":"BOB@Example.com"`, `"email":"ann@example.com"`},
		"an unknown account": {`"email":"nobody@example.com"`, `"email":"Nobody@example.com"`, `"phone":"+99999999"`},
	} {
		reset(3, 1000)
		for range 3 {
			if got := try(tc.key, "guessed"); got != "unauthorized" {
				t.Errorf("%s: %s", name, got)
			}
		}
		before := r.counter("feedgate_password_hashes_total")
		if got := try(tc.same, "first word"); got != "rate_limited" {
			t.Errorf("%s, guessed too often: %s", name, got)
		}
		if after := r.counter("feedgate_password_hashes_total"); after != before {
			t.Errorf("%s: a refused attempt was hashed", name)
		}
		if got := try(tc.other, "guessed"); got != "unauthorized" {
			t.Errorf("%s: another one: %s", name, got)
		}
	}

	// Who knows the password has not guessed.
	reset(2, 2)
	for range 5 {
		if got := try(`"email":"bob@example.com"`, "first word"); got != "ok" {
			t.Errorf("the right password: %s", got)
		}
	}

	// One address, many accounts.
	reset(1000, 3)
	for i, want := range []string{"unauthorized", "unauthorized", "unauthorized", "rate_limited"} {
		if got := try(`"phone":"+9999999`+string(rune('0'+i))+`"`, "guessed"); got != want {
			t.Errorf("attempt %d: %s, want %s", i, got, want)
		}
	}
	if got := r.counter(`feedgate_limited_total{limit="logins"}`); got != "1" {
		t.Errorf("%s counted as limited, want 1", got)
	}
}

func TestClientOf(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tc := range []struct {
		remote    string
		forwarded []string
		proxies   []netip.Prefix
		want      string
	}{
		{"203.0.113.7:55", nil, proxies, "203.0.113.7"},
		{"203.0.113.7:55", []string{"198.51.100.1"}, proxies, "203.0.113.7"},
		{"10.1.2.3:55", []string{"198.51.100.1"}, nil, "10.1.2.3"},
		{"10.1.2.3:55", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		{"10.1.2.3:55", []string{"6.6.6.6, 198.51.100.1, 10.9.9.9"}, proxies, "198.51.100.1"},
		{"10.1.2.3:55", []string{"6.6.6.6", "198.51.100.1"}, proxies, "198.51.100.1"},
		{"[fd00::1]:55", []string{"2001:db8::1"}, proxies, "2001:db8::1"},
		{"[::ffff:10.1.2.3]:55", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		{"10.1.2.3:55", nil, proxies, "10.1.2.3"},
		{"10.1.2.3:55", []string{"198.51.100.1, garbage"}, proxies, "10.1.2.3"},
		{"10.1.2.3:55", []string{"10.7.7.7"}, proxies, "10.7.7.7"},
		{"@", []string{"198.51.100.1"}, proxies, "invalid IP"},
	} {
		r := httptest.NewRequest("POST", "/v1/login", nil)
		r.RemoteAddr = tc.remote
		for _, f := range tc.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := clientOf(r, tc.proxies).String(); got != tc.want {
			t.Errorf("%s forwarded for %q: %s, want %s", tc.remote, tc.forwarded, got, tc.want)
		}
	}
}
