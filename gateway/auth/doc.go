// Package auth says who a token's bearer is.
//
//	token ── Verify ──> algorithm allowed? ── key ──> signature ──> times, issuer, audience, sub ──> Claims
//	                                           │
//	                          the secret (HS256), or the key set's key
//	                          of that kid and kind (RS256, ES256, EdDSA)
//	                                           │
//	                          keySource: one goroutine that reads the file
//	                          or the URL again, in the background
//
// A Verifier has either a secret or a key set, never both, so that a public
// key of the set can never be taken for a secret. Verify may be called from
// many goroutines and takes no lock. Only a token whose kid is not in the set
// may wait, at most unknownKeyWait, for a refresh that it asks for; refreshes
// are rate-limited and waiters are counted, so that forged kids hold up nobody.
//
// A refusal is an *Error with a typed Reason; its text never holds a piece of
// the token. A key set that cannot be reached is not the bearer's fault: such
// errors are IsRetryable.
//
// What it does not do: sessions, revocation, and closing a socket whose token
// expires; those are the gateway's.
package auth
