package auth

import "errors"

// Reason is why a token was refused.
type Reason string

const (
	TooLong         Reason = "too_long"
	Malformed       Reason = "malformed"
	BadAlgorithm    Reason = "bad_algorithm"
	UnknownKey      Reason = "unknown_key"
	BadSignature    Reason = "bad_signature"
	MissingSubject  Reason = "missing_sub"
	BadSubject      Reason = "bad_sub"
	MissingExpiry   Reason = "missing_exp"
	Expired         Reason = "expired"
	NotYetValid     Reason = "not_yet_valid"
	BadIssuer       Reason = "bad_issuer"
	BadAudience     Reason = "bad_audience"
	KeysUnavailable Reason = "keys_unavailable" // not the token's fault: come back
)

// reasons holds the sentence for each Reason, which may be sent to the client.
var reasons = map[Reason]string{
	TooLong:         "the token is longer than 8 KiB",
	Malformed:       "the token is not a well-formed signed JWT",
	BadAlgorithm:    "the token's alg is not accepted here",
	UnknownKey:      "the token's key is not in the key set",
	BadSignature:    "the token's signature does not fit",
	MissingSubject:  "the token has no sub",
	BadSubject:      "the token's sub is not a user id: 1 to 64 bytes of A-Z a-z 0-9 . _ : @ -",
	MissingExpiry:   "the token has no exp",
	Expired:         "the token has expired",
	NotYetValid:     "the token is not valid yet",
	BadIssuer:       "the token's iss is not accepted here",
	BadAudience:     "the token's aud is not accepted here",
	KeysUnavailable: "the key set cannot be read at the moment",
}

// Error is the refusal of a token.
type Error struct{ Reason Reason }

func (e *Error) Error() string { return reasons[e.Reason] }

// IsRetryable reports whether the same token may be accepted later: the keys to
// check it with could not be had.
func IsRetryable(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Reason == KeysUnavailable
}

func refuse(r Reason) *Error { return &Error{Reason: r} }
