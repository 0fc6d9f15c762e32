package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/feedgate/feedgate/feedengine"
)

// A handshake's token is nearly always good, and of a form that its issuer never
// changes. plain accepts such tokens in a tenth of the library's time (HS256); it refuses
// none: what it does not understand completely, or find good, is the library's to
// judge. Nothing is remembered but what a header's bytes mean.

// plainHeader is a header that the library has taken, in a token that was good.
type plainHeader struct {
	segment string // as it stands in tokens
	kid     string
	method  jwt.SigningMethod
}

const (
	maxPlainHeader = 256 // bytes of a segment
	maxPlainClaims = 768 // bytes, decoded
)

// learn remembers the header of a good token, in place of the last one.
func (v *Verifier) learn(token string, t *jwt.Token) {
	segment, _, _ := strings.Cut(token, ".")
	if h := v.header.Load(); len(segment) > maxPlainHeader || h != nil && h.segment == segment {
		return
	}
	kid, _ := t.Header["kid"].(string)
	v.header.Store(&plainHeader{segment: strings.Clone(segment), kid: kid, method: t.Method})
}

// strict is what the library decodes with.
var strict = base64.RawURLEncoding.Strict()

// plain verifies a token that is plain and good. The caller has looked at its
// length and for line ends.
func (v *Verifier) plain(token string) (claims Claims, ok bool) {
	h := v.header.Load()
	if h == nil || len(token) <= len(h.segment) || token[:len(h.segment)] != h.segment || token[len(h.segment)] != '.' {
		return claims, false
	}
	dot := strings.LastIndexByte(token, '.')
	if dot <= len(h.segment) {
		return claims, false
	}
	segment := token[len(h.segment)+1 : dot]
	if strict.DecodedLen(len(segment)) > maxPlainClaims {
		return claims, false
	}
	w := plains.Get().(*plainWork)
	defer plains.Put(w)
	if !v.signed(w, h, token[:dot], token[dot+1:]) {
		return claims, false
	}
	w.text = append(w.text[:0], segment...)
	n, err := strict.Decode(w.claims[:], w.text)
	if err != nil {
		return claims, false
	}
	return v.plainClaims(w.claims[:n])
}

// plainWork is room for one verification.
type plainWork struct {
	text   []byte
	claims [maxPlainClaims]byte
	sum    [sha256.Size]byte
	mac    hash.Hash // HS256 with secret, of the verifier that used it last
	of     *Verifier
}

var plains = sync.Pool{New: func() any { return new(plainWork) }}

// signed checks the signature of text.
func (v *Verifier) signed(w *plainWork, h *plainHeader, text, signature string) bool {
	if v.secret == nil {
		key := v.keys.lookup(h.kid, h.method.Alg())
		if key == nil { // it has gone, or is to be waited for
			return false
		}
		sig, err := strict.DecodeString(signature)
		return err == nil && h.method.Verify(text, sig, key) == nil
	}
	var sig [sha256.Size]byte
	w.text = append(w.text[:0], signature...)
	if strict.DecodedLen(len(signature)) != len(sig) {
		return false
	}
	if n, err := strict.Decode(sig[:], w.text); err != nil || n != len(sig) {
		return false
	}
	if w.of != v {
		w.mac, w.of = hmac.New(sha256.New, v.secret), v
	}
	w.mac.Reset()
	w.text = append(w.text[:0], text...)
	w.mac.Write(w.text)
	return hmac.Equal(sig[:], w.mac.Sum(w.sum[:0]))
}

// plainClaims reads an object of strings without escapes and of whole numbers,
// without white space, each name of interest once.
func (v *Verifier) plainClaims(b []byte) (c Claims, ok bool) {
	var seen struct{ sub, iss, aud, exp, nbf, scope bool }
	twice := func(flag *bool) bool {
		was := *flag
		*flag = true
		return was
	}
	now := time.Now()
	if len(b) < 2 || b[0] != '{' {
		return c, false
	}
	for b = b[1:]; ; b = b[1:] {
		name, rest, ok := plainString(b)
		if !ok || len(rest) < 2 || rest[0] != ':' {
			return c, false
		}
		var text []byte
		var number int64
		isText := rest[1] == '"'
		if isText {
			text, b, ok = plainString(rest[1:])
		} else {
			number, b, ok = plainNumber(rest[1:])
		}
		if !ok || len(b) == 0 {
			return c, false
		}
		switch string(name) {
		case "sub":
			if !isText || twice(&seen.sub) {
				return c, false
			}
			c.User = string(text)
		case "iss":
			if !isText || twice(&seen.iss) || v.issuer != "" && string(text) != v.issuer {
				return c, false
			}
		case "aud":
			if !isText || twice(&seen.aud) || v.audience != "" && string(text) != v.audience {
				return c, false
			}
		case "exp":
			if isText || twice(&seen.exp) || number > maxTime {
				return c, false
			}
			c.Expires = time.Unix(number, 0).UTC()
		case "nbf":
			if isText || twice(&seen.nbf) || number > now.Unix() {
				return c, false
			}
		case "scope":
			if !isText || twice(&seen.scope) {
				return c, false
			}
			c.Service = slices.Contains(strings.Split(string(text), " "), scopeService)
		}
		if b[0] != ',' {
			break
		}
	}
	return c, string(b) == "}" && seen.exp && now.Before(c.Expires) && feedengine.ValidUser(c.User) &&
		(v.issuer == "" || seen.iss) && (v.audience == "" || seen.aud)
}

// plainString reads a string of printable ASCII without escapes.
func plainString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// plainNumber reads a whole number of at most 12 digits.
func plainNumber(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		if i++; i > 12 {
			return 0, nil, false
		}
	}
	if i == 0 || i > 1 && b[0] == '0' {
		return 0, nil, false
	}
	return n, b[i:], true
}
