package auth

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims is what a verified token says of its bearer.
type Claims struct {
	User    string    // sub, a valid user id
	Expires time.Time // exp, UTC: from then on the token is refused
	Service bool      // the scope contains "service": may act for anybody
}

const (
	scopeService = "service"
	// maxTime is the last second of the year 9999, the last that RFC 3339 can say.
	maxTime = 253_402_300_799
)

// payload is a token's claim set. Unlike a struct with tags it takes a claim
// only under its exact name: encoding/json would let "SUB" override "sub".
type payload struct {
	subject  string
	issuer   string
	audience jwt.ClaimStrings
	expires  *jwt.NumericDate
	after    *jwt.NumericDate
	scope    scope
}

func (p *payload) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for name, into := range map[string]any{
		"sub": &p.subject, "iss": &p.issuer, "aud": &p.audience,
		"exp": &p.expires, "nbf": &p.after, "scope": &p.scope,
	} {
		raw, ok := all[name]
		if !ok {
			continue
		}
		if _, date := into.(**jwt.NumericDate); date && raw[0] == '"' {
			return errors.New("a time that is no number") // the library would read its digits
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return err
		}
	}
	for _, d := range []*jwt.NumericDate{p.expires, p.after} {
		if d != nil && (d.Unix() < 0 || d.Unix() > maxTime) {
			return errors.New("a time outside the years 1970 to 9999")
		}
	}
	return nil
}

func (p *payload) GetExpirationTime() (*jwt.NumericDate, error) { return p.expires, nil }
func (p *payload) GetNotBefore() (*jwt.NumericDate, error)      { return p.after, nil }
func (p *payload) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (p *payload) GetIssuer() (string, error)                   { return p.issuer, nil }
func (p *payload) GetSubject() (string, error)                  { return p.subject, nil }
func (p *payload) GetAudience() (jwt.ClaimStrings, error)       { return p.audience, nil }

// scope is the scope claim: a space-separated string (RFC 8693), or the list
// that some issuers send instead.
type scope []string

func (s *scope) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(s))
	}
	var joined string
	if err := json.Unmarshal(b, &joined); err != nil {
		return err
	}
	*s = strings.Split(joined, " ")
	return nil
}
