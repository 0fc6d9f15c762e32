package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

const (
	maxKeys    = 256
	minRSABits = 2048 // RFC 7518, 3.3
	// maxRSABits bounds what one verification can cost.
	maxRSABits = 8192
)

// keySet is the usable keys of a JWK set (RFC 7517), immutable. A key is found
// by its kid and the one algorithm that its kind is good for, so no key is ever
// tried with an algorithm that is not its own.
type keySet struct {
	byID map[keyID]any
	// only holds the key of an algorithm that has exactly one, for tokens
	// without a kid.
	only map[string]any
}

type keyID struct{ kid, alg string }

// get returns the public key, or nil.
func (s *keySet) get(kid, alg string) any {
	if kid == "" {
		return s.only[alg]
	}
	return s.byID[keyID{kid, alg}]
}

// parseKeySet reads a JWK set. Keys that are of no use here, for encryption or
// of another kind, are left out; skipped says which and why.
func parseKeySet(doc []byte) (set *keySet, skipped []error, err error) {
	var raw struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(doc, &raw); err != nil {
		return nil, nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if raw.Keys == nil {
		return nil, nil, errors.New(`not a JWK set: no "keys" in it`)
	}
	if len(*raw.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("a JWK set of %d keys; at most %d are taken", len(*raw.Keys), maxKeys)
	}
	set = &keySet{byID: make(map[keyID]any), only: make(map[string]any)}
	seen := make(map[string]int)
	for i, one := range *raw.Keys {
		kid, alg, key, err := parseKey(one)
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %d (kid %q): %w", i, kid, err))
			continue
		}
		set.byID[keyID{kid, alg}] = key
		if seen[alg]++; seen[alg] == 1 {
			set.only[alg] = key
		} else {
			delete(set.only, alg)
		}
	}
	return set, skipped, nil
}

// parseKey reads one key, which must be good for signatures by the algorithm
// returned.
func parseKey(raw json.RawMessage) (kid, alg string, key any, err error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", "", nil, errors.New("not a JWK")
	}
	if m.USE != "" && m.USE != jwkset.UseSig {
		return m.KID, "", nil, fmt.Errorf("its use is %q", m.USE)
	}
	if len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return m.KID, "", nil, errors.New("its key_ops has no verify")
	}
	if m.KTY == jwkset.KtyOct {
		return m.KID, "", nil, errors.New("a shared secret has no place in a key set")
	}
	// Private parts are not read, if somebody put them there.
	jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipX5UScheme: true})
	if err != nil {
		return m.KID, "", nil, err
	}
	switch k := jwk.Key().(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return m.KID, "", nil, fmt.Errorf("an RSA key of %d bits", bits)
		}
		alg = "RS256"
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return m.KID, "", nil, fmt.Errorf("curve %s", m.CRV)
		}
		alg = "ES256"
	case ed25519.PublicKey:
		alg = "EdDSA"
	default:
		return m.KID, "", nil, fmt.Errorf("kind %s", m.KTY)
	}
	// RFC 9864 names the curve in the key's alg where RFC 8037 said EdDSA.
	if a := m.ALG.String(); a != "" && a != alg && (alg != "EdDSA" || a != "Ed25519") {
		return m.KID, "", nil, fmt.Errorf("its alg is %s", a)
	}
	return m.KID, alg, jwk.Key(), nil
}
