package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// Signer mints HS256 tokens that a Verifier with the same settings accepts: for
// the token command, the demo page and tests.
type Signer struct {
	secret   []byte
	issuer   string
	audience string
}

// NewSigner makes a Signer. Issuer and audience may be empty: then they are
// left out of the tokens.
func NewSigner(secret, issuer, audience string) (*Signer, error) {
	if secret == "" {
		return nil, errors.New("auth: no JWT secret to sign with")
	}
	return &Signer{secret: []byte(secret), issuer: issuer, audience: audience}, nil
}

// Mint makes a token for the user that is good for ttl, to the second.
func (s *Signer) Mint(user string, service bool, ttl time.Duration) (string, error) {
	token, _, err := s.sign(user, service, ttl)
	return token, err
}

// Issue is Mint of a token that is no service's, and says when it expires.
func (s *Signer) Issue(user string, ttl time.Duration) (token string, expires time.Time, err error) {
	return s.sign(user, false, ttl)
}

func (s *Signer) sign(user string, service bool, ttl time.Duration) (string, time.Time, error) {
	if !feedengine.ValidUser(user) {
		return "", time.Time{}, fmt.Errorf("auth: %q is not a user id: 1 to 64 bytes of A-Z a-z 0-9 . _ : @ -", user)
	}
	if ttl < time.Second {
		return "", time.Time{}, errors.New("auth: a token's life is at least 1s")
	}
	now := time.Now()
	expires := time.Unix(now.Add(ttl).Unix(), 0).UTC()
	claims := jwt.MapClaims{"sub": user, "iat": now.Unix(), "exp": expires.Unix()}
	if service {
		claims["scope"] = scopeService
	}
	if s.issuer != "" {
		claims["iss"] = s.issuer
	}
	if s.audience != "" {
		claims["aud"] = s.audience
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.secret)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("auth: sign: %w", err)
	}
	return token, expires, nil
}
