// Package login checks passwords, for those who have no identity provider.
//
//	address, account ─▶ Attempts ─▶ look-up ─▶ Hasher ─▶ a token, or "no"
//
// Attempts bounds how often somebody may try; Hasher makes and compares argon2id
// hashes, a bounded number at a time, since each takes 19 MiB and a core. Neither
// tells whether there is such an account: of one that is not there, a hash that
// nobody knows the password of is compared.
//
// What the package does not do: it knows no storage, no tokens and no HTTP.
package login
