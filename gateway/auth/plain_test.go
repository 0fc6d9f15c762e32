package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// warm has v learn the token's header from a good token, if there can be one.
func warm(v *Verifier, token string) {
	segment, _, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(segment)
	if err == nil {
		v.Verify(context.Background(), raw(string(header), `{"sub":"alice","exp":253402300799}`))
	}
}

// verdict is what Verify says, in a form to compare.
func verdict(v *Verifier, token string) string {
	c, err := v.Verify(context.Background(), token)
	var refused *Error
	if errors.As(err, &refused) {
		return string(refused.Reason)
	}
	return fmt.Sprint(c, err)
}

// claimSets are of forms that plain takes, and of some that it must leave alone.
var claimSets = []struct {
	claims string
	plain  bool
}{
	{`{"sub":"alice","exp":253402300799}`, true},
	{`{"exp":253402300799,"sub":"alice","scope":"a service","x":"y","n":0,"nbf":1,"iss":"i","aud":"a"}`, true},
	{`{"sub":"alice","exp":253402300799,"scope":"servic"}`, true},
	{`{"sub":"alice","exp":253402300799,"SUB":"bob"}`, true},

	{`{"sub":"alice","exp":253402300799,"sub":"bob"}`, false},
	{`{"sub":"alice","exp":253402300799,"exp":1}`, false},
	{`{"sub":"alice","exp":253402300799} `, false},
	{`{"sub":"alice", "exp":253402300799}`, false},
	{`{"sub":"alice","exp":253402300799,}`, false},
	{`{"sub":"alice","exp":253402300799`, false},
	{`{"sub":"alice","exp":253402300799}}`, false},
	{`{"sub":"alice","exp":0253402300799}`, false},
	{`{"sub":"alice","exp":00}`, false},
	{`{"sub":"alice","exp":253402300800}`, false},
	{`{"sub":"alice","exp":2.5e10}`, false},
	{`{"sub":"alice","exp":1}`, false},
	{`{"sub":"alice","exp":"253402300799"}`, false},
	{`{"sub":"al\u0069ce","exp":253402300799}`, false},
	{`{"s\u0075b":"alice","exp":253402300799}`, false},
	{`{"sub":"al ice","exp":253402300799}`, false},
	{`{"sub":"","exp":253402300799}`, false},
	{`{"exp":253402300799}`, false},
	{`{"sub":"alice"}`, false},
	{`{"sub":"alice","exp":253402300799,"nbf":253402300799}`, false},
	{`{"sub":"alice","exp":253402300799,"scope":["service"]}`, false},
	{`{"sub":"alice","exp":253402300799,"x":null}`, false},
	{`{"sub":"alice","exp":253402300799,"x":"\xff"}`, false},
	{`{}`, false},
	{`{`, false},
	{`[]`, false},
	{``, false},
}

func TestPlain(t *testing.T) {
	const header = `{"alg":"HS256","typ":"JWT"}`
	for _, c := range claimSets {
		v := newVerifier(t, Config{Secret: secret})
		token := raw(header, c.claims)
		want := verdict(v, token) // the library's
		v.header.Store(nil)
		warm(v, token)
		if _, ok := v.plain(token); ok != c.plain {
			t.Errorf("%s: plain: %v, want %v", c.claims, ok, c.plain)
		}
		if got := verdict(v, token); got != want {
			t.Errorf("%s: %s, the library says %s", c.claims, got, want)
		}
	}
	v := newVerifier(t, Config{Secret: secret, Issuer: "i", Audience: "a"})
	good := `{"sub":"alice","exp":253402300799,"iss":"i","aud":"a"}`
	verdict(v, raw(header, good))
	for _, change := range [][2]string{{"", ""}, {`"i"`, `"j"`}, {`"a"`, `"b"`}, {`,"iss":"i"`, ""}, {`,"aud":"a"`, ""}} {
		if _, ok := v.plain(raw(header, strings.Replace(good, change[0], change[1], 1))); ok != (change[0] == "") {
			t.Errorf("with %s for %s: %v", change[1], change[0], ok)
		}
	}
	token := raw(header, good)
	for i := range token { // every bit of it counts
		if i == strings.IndexByte(token, '.') || i == strings.LastIndexByte(token, '.') {
			continue
		}
		changed := []byte(token)
		changed[i] ^= 1
		if _, ok := v.plain(string(changed)); ok {
			t.Fatalf("accepted with byte %d changed", i)
		}
	}
}

// A header is learnt only from a good token, and a key that has gone, or is of
// another kind, is not used on its word.
func TestPlainLearns(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret})
	for _, bad := range []string{
		raw(`{"alg":"HS256"}`, `{"sub":"alice","exp":1}`),
		raw(`{"alg":"HS256"}`, `{"sub":"alice","exp":253402300799}`) + "A",
		raw(`{"alg":"HS256","crit":["b64"]}`, `{"sub":"alice","exp":253402300799}`),
		raw(`{"alg":"none"}`, `{"sub":"alice","exp":253402300799}`),
		raw(`{"alg":"HS256","pad":"`+strings.Repeat("x", maxPlainHeader)+`"}`, `{"sub":"alice","exp":253402300799}`),
	} {
		if verdict(v, bad); v.header.Load() != nil {
			t.Errorf("learnt from %s", bad)
		}
	}
	k := keys()
	file := newVerifier(t, Config{JWKS: writeFile(t, fullSet(t))})
	token := sign(t, jwt.SigningMethodES256, k.ec, map[string]any{"kid": "e"}, claims(nil))
	if _, ok := file.plain(token); ok {
		t.Error("a header was known before its first token")
	}
	want := verdict(file, token)
	if c, ok := file.plain(token); !ok || fmt.Sprint(c, nil) != want {
		t.Errorf("%v %v, want %s", c, ok, want)
	}
	file.keys.keys.Store(&keySet{})
	if _, ok := file.plain(token); ok {
		t.Error("accepted without its key")
	}
}

// FuzzPlain: of every set of claims that is signed, plain says what the library
// says, or nothing.
func FuzzPlain(f *testing.F) {
	for _, c := range claimSets {
		f.Add(c.claims)
	}
	v := newVerifier(f, Config{Secret: secret})
	f.Fuzz(func(t *testing.T, claims string) {
		const header = `{"alg":"HS256"}`
		warm(v, raw(header, ""))
		token := raw(header, claims)
		c, ok := v.plain(token)
		if !ok {
			return
		}
		v.header.Store(nil)
		if want, err := v.Verify(context.Background(), token); err != nil || c != want && time.Now().Before(want.Expires) {
			t.Errorf("%s: %+v, the library says %+v, %v", claims, c, want, err)
		}
	})
}
