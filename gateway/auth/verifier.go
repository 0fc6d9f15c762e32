package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/golang-jwt/jwt/v5"

	"github.com/feedgate/feedgate/feedengine"
)

const (
	maxToken = 8 << 10 // bytes
	// MinSecret is how many bytes of secret HS256 asks for (RFC 7518, 3.2): as
	// many as its hash is wide.
	MinSecret = 32
	// DefaultLeeway is how far ahead of ours an issuer's clock is commonly allowed to be.
	DefaultLeeway = 5 * time.Second
)

// Config says which tokens are good. Exactly one of Secret and JWKS is set.
type Config struct {
	Secret   string // HS256; shorter than MinSecret only with WeakSecret
	JWKS     string // an http(s) URL or a file's path; RS256, ES256 and EdDSA only
	Issuer   string // the iss that a token must have; "" is not checked
	Audience string // one of the aud that a token must have; "" is not checked

	// Leeway is how far ahead of this node's clock the issuer's may be (nbf).
	// It does not prolong a token: exp is exact.
	Leeway time.Duration
	// WeakSecret lets a short Secret pass with a warning: for development.
	WeakSecret bool

	Log     *slog.Logger
	Metrics *metrics.Set
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	parser   *jwt.Parser
	methods  []string
	issuer   string     // "" is not checked
	audience string     // "" is not checked
	secret   []byte     // nil with a key set
	keys     *keySource // nil with a secret
	refused  map[Reason]*metrics.Counter

	header atomic.Pointer[plainHeader] // of the last good token that had another one; nil before the first
}

// New makes a Verifier. A key file that is missing or broken is an error. A URL
// that does not answer is not: the node starts, says so in its log, keeps trying
// (after 1 s, then less and less often, at least every 30 s) and refuses tokens
// with KeysUnavailable until it succeeds, so that a restart during an outage of
// the issuer does not become a second outage. New waits for the first answer for
// at most fetchTimeout. Ctx ends the background refresh; Close waits for it.
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	v := &Verifier{issuer: cfg.Issuer, audience: cfg.Audience, refused: make(map[Reason]*metrics.Counter, len(reasons))}
	switch {
	case cfg.Secret != "" && cfg.JWKS != "":
		return nil, errors.New("auth: a JWT secret and a JWKS exclude one another: set one of them")
	case cfg.Secret == "" && cfg.JWKS == "":
		return nil, errors.New("auth: neither a JWT secret nor a JWKS is set")
	case cfg.Secret != "":
		if err := checkSecret(cfg); err != nil {
			return nil, err
		}
		v.secret, v.methods = []byte(cfg.Secret), []string{"HS256"}
	default:
		keys, err := newKeySource(ctx, cfg)
		if err != nil {
			return nil, fmt.Errorf("auth: JWKS: %w", err)
		}
		v.keys, v.methods = keys, []string{"RS256", "ES256", "EdDSA"}
	}
	for r := range reasons {
		v.refused[r] = cfg.Metrics.NewCounter(fmt.Sprintf(`feedgate_auth_refused_total{reason=%q}`, string(r)))
	}
	opts := []jwt.ParserOption{
		jwt.WithValidMethods(v.methods), jwt.WithExpirationRequired(),
		jwt.WithLeeway(cfg.Leeway), jwt.WithStrictDecoding(),
	}
	if cfg.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		opts = append(opts, jwt.WithAudience(cfg.Audience))
	}
	v.parser = jwt.NewParser(opts...)
	return v, nil
}

func checkSecret(cfg Config) error {
	if len(cfg.Secret) >= MinSecret {
		return nil
	}
	if !cfg.WeakSecret {
		return fmt.Errorf("auth: the JWT secret has %d bytes; HS256 needs at least %d (try: openssl rand -base64 32)", len(cfg.Secret), MinSecret)
	}
	cfg.Log.Warn("the JWT secret is too short for anything but development", "bytes", len(cfg.Secret), "want", MinSecret)
	return nil
}

// Verify says who the bearer of the token is. Its error is an *Error, or the
// context's while it waited for a key.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	claims, err := v.verify(ctx, token)
	if err == nil {
		return claims, nil
	}
	var refused *Error
	if errors.As(err, &refused) {
		v.refused[refused.Reason].Inc()
		return Claims{}, refused
	}
	return Claims{}, err
}

// Close waits for the background refresh, which ends with New's context.
func (v *Verifier) Close() {
	if v.keys != nil {
		<-v.keys.done
	}
}

func (v *Verifier) verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, refuse(TooLong)
	}
	if strings.ContainsAny(token, "\r\n") { // which encoding/base64 reads over
		return Claims{}, refuse(Malformed)
	}
	if claims, ok := v.plain(token); ok {
		return claims, nil
	}
	var p payload
	parsed, err := v.parser.ParseWithClaims(token, &p, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return Claims{}, v.explain(parsed, &p, err)
	}
	switch {
	case p.subject == "":
		return Claims{}, refuse(MissingSubject)
	case !feedengine.ValidUser(p.subject):
		return Claims{}, refuse(BadSubject)
	case !time.Now().Before(p.expires.Time): // the parser granted it the leeway
		return Claims{}, refuse(Expired)
	}
	v.learn(token, parsed)
	return Claims{
		User:    p.subject,
		Expires: p.expires.UTC(),
		Service: slices.Contains(p.scope, scopeService),
	}, nil
}

// key finds what to check the signature with. The parser has made sure that the
// algorithm is one of v.methods.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	// An extension that must be understood (RFC 7515, 4.1.11): we know none.
	if _, ok := t.Header["crit"]; ok {
		return nil, refuse(Malformed)
	}
	if v.secret != nil {
		return v.secret, nil
	}
	kid, isText := t.Header["kid"].(string)
	if _, ok := t.Header["kid"]; ok && !isText {
		return nil, refuse(Malformed)
	}
	return v.keys.find(ctx, kid, t.Method.Alg())
}

// explain turns the library's error into ours, which says no more than the
// reason: the library's quotes pieces of the token.
func (v *Verifier) explain(t *jwt.Token, p *payload, err error) error {
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return refuse(v.reason(t, p, err))
}

func (v *Verifier) reason(t *jwt.Token, p *payload, err error) Reason {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Malformed
	case errors.Is(err, jwt.ErrTokenUnverifiable): // an alg that the library has never heard of
		return BadAlgorithm
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		if t.Method != nil && !slices.Contains(v.methods, t.Method.Alg()) {
			return BadAlgorithm
		}
		return BadSignature
	case p.expires == nil:
		return MissingExpiry
	case errors.Is(err, jwt.ErrTokenExpired):
		return Expired
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return NotYetValid
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return BadIssuer
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing) && p.issuer == "" && v.issuer != "":
		return BadIssuer
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return BadAudience
	}
	return Malformed
}
