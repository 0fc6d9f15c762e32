package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/VictoriaMetrics/metrics"
	"github.com/golang-jwt/jwt/v5"
)

const secret = "0123456789abcdef0123456789abcdef"

var quiet = slog.New(slog.DiscardHandler)

// keys are made once: RSA ones are slow to find.
var keys = sync.OnceValue(func() (k struct {
	rsa, rsa2, rsa3, small *rsa.PrivateKey
	ec, ec384              *ecdsa.PrivateKey
	ed                     ed25519.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsa2, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsa3, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.small, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ec384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

// jwk is the public key as an issuer publishes it.
func jwk(t testing.TB, kid string, key crypto.Signer, alg jwkset.ALG, use jwkset.USE) jwkset.JWKMarshal {
	t.Helper()
	k, err := jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, ALG: alg, USE: use}})
	if err != nil {
		t.Fatal(err)
	}
	return k.Marshal()
}

func jwks(t testing.TB, set ...jwkset.JWKMarshal) []byte {
	t.Helper()
	doc, err := json.Marshal(jwkset.JWKSMarshal{Keys: set})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func fullSet(t testing.TB) []byte {
	k := keys()
	return jwks(t, jwk(t, "r", k.rsa, "RS256", "sig"), jwk(t, "e", k.ec, "", ""), jwk(t, "d", k.ed, "EdDSA", "sig"),
		jwk(t, "enc", k.rsa2, "", "enc"), jwk(t, "small", k.small, "", ""), jwk(t, "384", k.ec384, "", ""),
		jwk(t, "512", k.rsa2, "RS512", "sig"), toEncrypt(jwk(t, "ops", k.rsa2, "", "")), toVerify(jwk(t, "r2", k.rsa3, "", "")))
}

func toEncrypt(m jwkset.JWKMarshal) jwkset.JWKMarshal {
	m.KEYOPS = []jwkset.KEYOPS{jwkset.KeyOpsEncrypt}
	return m
}

func toVerify(m jwkset.JWKMarshal) jwkset.JWKMarshal {
	m.KEYOPS = []jwkset.KEYOPS{jwkset.KeyOpsVerify}
	return m
}

func writeFile(t testing.TB, doc []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	cfg.Log, cfg.Metrics = quiet, metrics.NewSet()
	ctx, cancel := context.WithCancel(context.Background())
	v, err := New(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); v.Close() })
	return v
}

// sign makes a token with any header and claims.
func sign(t testing.TB, m jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	tok := jwt.NewWithClaims(m, claims)
	for name, v := range header {
		tok.Header[name] = v
	}
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// raw makes an HS256 token of exactly these two JSON texts, rightly signed.
func raw(header, claims string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

func claims(changes jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	for name, v := range changes {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	return c
}

func check(t *testing.T, v *Verifier, token string, want Reason) Claims {
	t.Helper()
	got, err := v.Verify(context.Background(), token)
	if want == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return got
	}
	var refused *Error
	if !errors.As(err, &refused) || refused.Reason != want {
		t.Fatalf("err = %v, want reason %s", err, want)
	}
	if got != (Claims{}) {
		t.Errorf("claims of a refused token: %+v", got)
	}
	if refused.Error() == "" {
		t.Error("the reason has no sentence")
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the error holds a piece of the token: %v", err)
		}
	}
	return got
}

func TestSecretVerify(t *testing.T) {
	now := time.Now()
	hs := func(changes jwt.MapClaims) string {
		return sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claims(changes))
	}
	k := keys()
	good := hs(nil)
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	const hs256, year9999 = `{"alg":"HS256"}`, `253402300799`
	for name, tc := range map[string]struct {
		token string
		want  Reason
	}{
		"good":                       {good, ""},
		"good, nbf within leeway":    {hs(jwt.MapClaims{"nbf": now.Add(3 * time.Second).Unix()}), ""},
		"good, end of time":          {raw(hs256, `{"sub":"a","exp":`+year9999+`}`), ""},
		"good, fraction":             {raw(hs256, `{"sub":"a","exp":33333333333.5}`), ""},
		"empty":                      {"", Malformed},
		"not a JWT":                  {"secret-session-cookie", Malformed},
		"two parts":                  {head + "." + body, Malformed},
		"four parts":                 {good + ".x", Malformed},
		"spaces":                     {" " + good, Malformed},
		"a line's end":               {good + "\n", Malformed},
		"too long":                   {good + strings.Repeat("A", maxToken), TooLong},
		"header no JSON":             {raw(`alg`, `{}`), Malformed},
		"header a list":              {raw(`[]`, `{}`), Malformed},
		"claims no JSON":             {raw(hs256, `sub=alice`), Malformed},
		"claims null":                {raw(hs256, `null`), MissingExpiry},
		"claims a list":              {raw(hs256, `["sub"]`), Malformed},
		"deeply nested":              {raw(hs256, strings.Repeat("[", 5000)), Malformed},
		"no alg":                     {raw(`{}`, `{}`), BadAlgorithm},
		"alg a number":               {raw(`{"alg":5}`, `{}`), BadAlgorithm},
		"alg unheard of":             {raw(`{"alg":"HS1"}`, `{}`), BadAlgorithm},
		"alg in lower case":          {raw(`{"alg":"hs256"}`, `{"sub":"alice","exp":`+year9999+`}`), BadAlgorithm},
		"alg none":                   {none + "." + body + ".", BadAlgorithm},
		"alg none, signed":           {none + "." + body + "." + sig, BadAlgorithm},
		"alg None":                   {raw(`{"alg":"None"}`, `{"sub":"alice","exp":`+year9999+`}`), BadAlgorithm},
		"alg HS512":                  {sign(t, jwt.SigningMethodHS512, []byte(secret), nil, claims(nil)), BadAlgorithm},
		"alg RS256":                  {sign(t, jwt.SigningMethodRS256, k.rsa, nil, claims(nil)), BadAlgorithm},
		"alg EdDSA":                  {sign(t, jwt.SigningMethodEdDSA, k.ed, nil, claims(nil)), BadAlgorithm},
		"critical extension":         {raw(`{"alg":"HS256","crit":["b64"],"b64":false}`, `{"sub":"alice","exp":`+year9999+`}`), Malformed},
		"no signature":               {head + "." + body + ".", BadSignature},
		"signature of another":       {head + "." + body + "." + strings.Repeat("A", 43), BadSignature},
		"signature cut":              {good[:len(good)-3], BadSignature},
		"another secret":             {sign(t, jwt.SigningMethodHS256, []byte(secret+"x"), nil, claims(nil)), BadSignature},
		"claims exchanged":           {head + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root","exp":`+year9999+`}`)) + "." + sig, BadSignature},
		"no sub":                     {hs(jwt.MapClaims{"sub": nil}), MissingSubject},
		"sub empty":                  {hs(jwt.MapClaims{"sub": ""}), MissingSubject},
		"sub null":                   {raw(hs256, `{"sub":null,"exp":`+year9999+`}`), MissingSubject},
		"sub under another name":     {raw(hs256, `{"SUB":"alice","exp":`+year9999+`}`), MissingSubject},
		"sub a number":               {raw(hs256, `{"sub":7,"exp":`+year9999+`}`), Malformed},
		"sub with a space":           {hs(jwt.MapClaims{"sub": "al ice"}), BadSubject},
		"sub with U+0000":            {hs(jwt.MapClaims{"sub": "al\x00ice"}), BadSubject},
		"sub of 65 bytes":            {hs(jwt.MapClaims{"sub": strings.Repeat("u", 65)}), BadSubject},
		"no exp":                     {hs(jwt.MapClaims{"exp": nil}), MissingExpiry},
		"exp a string":               {raw(hs256, `{"sub":"alice","exp":"`+year9999+`"}`), Malformed},
		"exp null":                   {raw(hs256, `{"sub":"alice","exp":null}`), MissingExpiry},
		"exp under another name":     {raw(hs256, `{"sub":"alice","Exp":`+year9999+`}`), MissingExpiry},
		"exp text":                   {raw(hs256, `{"sub":"alice","exp":"tomorrow"}`), Malformed},
		"exp huge":                   {raw(hs256, `{"sub":"alice","exp":1e300}`), Malformed},
		"exp after RFC 3339":         {raw(hs256, `{"sub":"alice","exp":1e15}`), Malformed},
		"exp beyond floats":          {raw(hs256, `{"sub":"alice","exp":1e999}`), Malformed},
		"exp negative":               {raw(hs256, `{"sub":"alice","exp":-5}`), Malformed},
		"exp zero":                   {raw(hs256, `{"sub":"alice","exp":0}`), Expired},
		"expired":                    {hs(jwt.MapClaims{"exp": now.Add(-time.Hour).Unix()}), Expired},
		"expired within the leeway":  {hs(jwt.MapClaims{"exp": now.Add(-2 * time.Second).Unix()}), Expired},
		"not yet valid":              {hs(jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}), NotYetValid},
		"expired and without sub":    {hs(jwt.MapClaims{"sub": nil, "exp": now.Add(-time.Hour).Unix()}), Expired},
		"forged and expired":         {sign(t, jwt.SigningMethodHS256, []byte("x"), nil, claims(jwt.MapClaims{"exp": now.Add(-time.Hour).Unix()})), BadSignature},
		"scope a number":             {hs(jwt.MapClaims{"scope": 7}), Malformed},
		"scope a list of all things": {hs(jwt.MapClaims{"scope": []any{"service", 7}}), Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, Config{Secret: secret, Leeway: DefaultLeeway})
			check(t, v, tc.token, tc.want)
			v = newVerifier(t, Config{Secret: secret, Leeway: DefaultLeeway})
			warm(v, tc.token)
			check(t, v, tc.token, tc.want)
		})
	}
}

func TestClaims(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret})
	exp := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for name, tc := range map[string]struct {
		scope any
		want  bool
	}{
		"none":         {nil, false},
		"text":         {"service", true},
		"among others": {"read service write", true},
		"list":         {[]string{"read", "service"}, true},
		"empty":        {"", false},
		"empty list":   {[]string{}, false},
		"part":         {"services my-service Service", false},
		"joined":       {[]string{"read service"}, false},
		"with commas":  {"read,service", false},
	} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claims(jwt.MapClaims{"exp": exp.Unix(), "scope": tc.scope}))
			want := Claims{User: "alice", Expires: exp, Service: tc.want}
			if got := check(t, v, token, ""); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestIssuerAndAudience(t *testing.T) {
	v := newVerifier(t, Config{Secret: secret, Issuer: "https://id.example", Audience: "feed"})
	for name, tc := range map[string]struct {
		changes jwt.MapClaims
		want    Reason
	}{
		"both":             {jwt.MapClaims{"iss": "https://id.example", "aud": "feed"}, ""},
		"one of many":      {jwt.MapClaims{"iss": "https://id.example", "aud": []string{"web", "feed"}}, ""},
		"neither":          {nil, BadIssuer},
		"neither, no exp":  {jwt.MapClaims{"exp": nil}, MissingExpiry},
		"another issuer":   {jwt.MapClaims{"iss": "https://id.example/", "aud": "feed"}, BadIssuer},
		"no issuer":        {jwt.MapClaims{"aud": "feed"}, BadIssuer},
		"another audience": {jwt.MapClaims{"iss": "https://id.example", "aud": "feeds"}, BadAudience},
		"no audience":      {jwt.MapClaims{"iss": "https://id.example"}, BadAudience},
		"empty audience":   {jwt.MapClaims{"iss": "https://id.example", "aud": []string{}}, BadAudience},
		"audience number":  {jwt.MapClaims{"iss": "https://id.example", "aud": 7}, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, v, sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claims(tc.changes)), tc.want)
		})
	}
}

func TestKeySetVerify(t *testing.T) {
	k := keys()
	pkix, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pubPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	v := newVerifier(t, Config{JWKS: writeFile(t, fullSet(t))})
	kid := func(id any) map[string]any { return map[string]any{"kid": id} }
	for name, tc := range map[string]struct {
		token string
		want  Reason
	}{
		"RS256":           {sign(t, jwt.SigningMethodRS256, k.rsa, kid("r"), claims(nil)), ""},
		"ES256":           {sign(t, jwt.SigningMethodES256, k.ec, kid("e"), claims(nil)), ""},
		"EdDSA":           {sign(t, jwt.SigningMethodEdDSA, k.ed, kid("d"), claims(nil)), ""},
		"another RS256":   {sign(t, jwt.SigningMethodRS256, k.rsa3, kid("r2"), claims(nil)), ""},
		"one of two":      {sign(t, jwt.SigningMethodRS256, k.rsa, nil, claims(nil)), UnknownKey}, // which it is takes a kid
		"key for RS512":   {sign(t, jwt.SigningMethodRS256, k.rsa2, kid("512"), claims(nil)), UnknownKey},
		"key to encrypt":  {sign(t, jwt.SigningMethodRS256, k.rsa2, kid("ops"), claims(nil)), UnknownKey},
		"ES256, no kid":   {sign(t, jwt.SigningMethodES256, k.ec, nil, claims(nil)), ""},
		"forged RS256":    {sign(t, jwt.SigningMethodRS256, k.rsa2, kid("r"), claims(nil)), BadSignature},
		"HS256":           {sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claims(nil)), BadAlgorithm},
		"confusion, PEM":  {sign(t, jwt.SigningMethodHS256, pubPEM, kid("r"), claims(nil)), BadAlgorithm},
		"confusion, DER":  {sign(t, jwt.SigningMethodHS256, pkix, kid("r"), claims(nil)), BadAlgorithm},
		"PS256":           {sign(t, jwt.SigningMethodPS256, k.rsa, kid("r"), claims(nil)), BadAlgorithm},
		"RS512":           {sign(t, jwt.SigningMethodRS512, k.rsa, kid("r"), claims(nil)), BadAlgorithm},
		"ES384":           {sign(t, jwt.SigningMethodES384, k.ec384, kid("384"), claims(nil)), BadAlgorithm},
		"none":            {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("r"), claims(nil)), BadAlgorithm},
		"kid of another":  {sign(t, jwt.SigningMethodRS256, k.rsa, kid("e"), claims(nil)), UnknownKey},
		"kid unknown":     {sign(t, jwt.SigningMethodRS256, k.rsa, kid("zzz"), claims(nil)), UnknownKey},
		"kid a number":    {sign(t, jwt.SigningMethodRS256, k.rsa, kid(7), claims(nil)), Malformed},
		"encryption key":  {sign(t, jwt.SigningMethodRS256, k.rsa2, kid("enc"), claims(nil)), UnknownKey},
		"weak key":        {sign(t, jwt.SigningMethodRS256, k.small, kid("small"), claims(nil)), UnknownKey},
		"header's own":    {sign(t, jwt.SigningMethodRS256, k.rsa2, map[string]any{"jwk": jwk(t, "r", k.rsa2, "RS256", "sig"), "kid": "r"}, claims(nil)), BadSignature},
		"without subject": {sign(t, jwt.SigningMethodRS256, k.rsa, kid("r"), claims(jwt.MapClaims{"sub": nil})), MissingSubject},
		"expired":         {sign(t, jwt.SigningMethodRS256, k.rsa, kid("r"), claims(jwt.MapClaims{"exp": 5})), Expired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // what is unknown waits for the file to be read again
			check(t, v, tc.token, tc.want)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"nothing":      {Config{}, "neither"},
		"both":         {Config{Secret: secret, JWKS: "x"}, "exclude one another"},
		"short secret": {Config{Secret: "hunter2"}, "7 bytes"},
		"missing file": {Config{JWKS: filepath.Join(t.TempDir(), "no.json")}, "no such file"},
		"broken file":  {Config{JWKS: writeFile(t, []byte("{"))}, "not a JWK set"},
		"no keys":      {Config{JWKS: writeFile(t, []byte("{}"))}, `no "keys"`},
		"no good key":  {Config{JWKS: writeFile(t, jwks(t, jwk(t, "s", keys().small, "", "")))}, "no usable key"},
		"a secret":     {Config{JWKS: writeFile(t, []byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"x"}]}`))}, "no usable key"},
		"no URL":       {Config{JWKS: "ftp://example.org/keys"}, "http(s) URL"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.Log, tc.cfg.Metrics = quiet, metrics.NewSet()
			_, err := New(context.Background(), tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("err = %v, want it to say %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestWeakSecretWarns(t *testing.T) {
	var out bytes.Buffer
	cfg := Config{Secret: "hunter2", WeakSecret: true, Log: slog.New(slog.NewTextHandler(&out, nil)), Metrics: metrics.NewSet()}
	if _, err := New(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "level=WARN") || strings.Contains(got, "hunter2") {
		t.Errorf("log: %s", got)
	}
}

func TestMint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSigner(secret, "me", "you")
		if err != nil {
			t.Fatal(err)
		}
		v := newVerifier(t, Config{Secret: secret, Issuer: "me", Audience: "you"})
		token, err := s.Mint("alice", true, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		want := Claims{User: "alice", Service: true, Expires: time.Now().Add(time.Minute).UTC()}
		if got := check(t, v, token, ""); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		check(t, v, token, "")
		time.Sleep(time.Nanosecond)
		check(t, v, token, Expired)

		plain, err := s.Mint("bob", false, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if check(t, v, plain, "").Service {
			t.Error("a service token that nobody asked for")
		}
		for _, user := range []string{"", "a b", strings.Repeat("u", 65)} {
			if _, err := s.Mint(user, false, time.Minute); err == nil {
				t.Errorf("minted for %q", user)
			}
		}
		if _, err := s.Mint("bob", false, 0); err == nil {
			t.Error("minted for no time at all")
		}
	})
}

func TestRefusalsAreCounted(t *testing.T) {
	set := metrics.NewSet()
	v, err := New(context.Background(), Config{Secret: secret, Log: quiet, Metrics: set})
	if err != nil {
		t.Fatal(err)
	}
	check(t, v, "x", Malformed)
	var out bytes.Buffer
	set.WritePrometheus(&out)
	if !strings.Contains(out.String(), `feedgate_auth_refused_total{reason="malformed"} 1`) {
		t.Error(out.String())
	}
}

// FuzzVerify: whatever comes, no panic, no claims that are not signed, and an
// error that says nothing of the token.
func FuzzVerify(f *testing.F) {
	byFile := newVerifier(f, Config{JWKS: writeFile(f, fullSet(f))})
	bySecret := newVerifier(f, Config{Secret: secret})
	good := raw(`{"alg":"HS256"}`, `{"sub":"alice","exp":253402300799,"scope":["service"],"aud":["x"],"nbf":1}`)
	for _, seed := range []string{"", "..", good, good[:40], raw(`{"alg":"none"}`, `{"sub":"a"}`), raw(`{"alg":"RS256","kid":"r"}`, `{}`)} {
		f.Add(seed)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // an unknown kid does not wait
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range []*Verifier{byFile, bySecret} {
			c, err := v.Verify(ctx, token)
			if err == nil && (v == byFile || token != good) {
				t.Fatalf("accepted: %+v", c)
			}
			var refused *Error
			if err != nil && !errors.As(err, &refused) && !errors.Is(err, context.Canceled) {
				t.Fatalf("an error without a reason: %v", err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := keys()
	byFile, bySecret := newVerifier(b, Config{JWKS: writeFile(b, fullSet(b))}), newVerifier(b, Config{Secret: secret})
	for _, bc := range []struct {
		name  string
		v     *Verifier
		token string
	}{
		{"HS256", bySecret, sign(b, jwt.SigningMethodHS256, []byte(secret), nil, claims(nil))},
		{"RS256", byFile, sign(b, jwt.SigningMethodRS256, k.rsa, map[string]any{"kid": "r"}, claims(nil))},
		{"ES256", byFile, sign(b, jwt.SigningMethodES256, k.ec, map[string]any{"kid": "e"}, claims(nil))},
		{"EdDSA", byFile, sign(b, jwt.SigningMethodEdDSA, k.ed, map[string]any{"kid": "d"}, claims(nil))},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bc.v.Verify(context.Background(), bc.token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// The floor: one SHA-256 MAC over as many bytes.
	b.Run("floor", func(b *testing.B) {
		token := []byte(sign(b, jwt.SigningMethodHS256, []byte(secret), nil, claims(nil)))
		for b.Loop() {
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write(token)
			mac.Sum(nil)
		}
	})
}
