package login

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// params are argon2id's: what a hash costs.
type params struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// current is what new hashes cost: the first of the equal settings of OWASP's
// Password Storage Cheat Sheet (Argon2id: 19 MiB, 2 iterations, 1 thread;
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html).
var current = params{memory: 19 << 10, passes: 2, threads: 1}

const (
	saltBytes = 16 // RFC 9106, 3.1: recommended for password hashing
	hashBytes = 32

	// Bounds of what a stored hash may ask for: it may come from elsewhere.
	maxMemory  = 64 << 10 // KiB
	maxPasses  = 8
	maxThreads = 4
)

// phc is a hash in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>, base64 without padding.
type phc struct {
	params
	salt, hash []byte
}

var errNotOurs = errors.New("login: not an argon2id hash in PHC format")

func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.hash))
}

func parsePHC(s string) (h phc, err error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errNotOurs
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil {
		return phc{}, errNotOurs
	}
	var saltErr, hashErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(part[4])
	h.hash, hashErr = base64.RawStdEncoding.DecodeString(part[5])
	switch {
	case saltErr != nil, hashErr != nil,
		len(h.salt) < 8, len(h.salt) > 64, len(h.hash) < 16, len(h.hash) > 64,
		h.memory < 8*uint32(h.threads), h.memory > maxMemory, h.passes < 1, h.passes > maxPasses,
		h.threads < 1, h.threads > maxThreads, h.paramsString() != part[3]:
		return phc{}, errNotOurs
	}
	return h, nil
}

// paramsString is the params as they stand in a PHC string, in its one spelling.
func (p params) paramsString() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.passes, p.threads)
}

func (p params) key(password string, salt []byte, bytes int) []byte {
	return argon2.IDKey([]byte(password), salt, p.passes, p.memory, p.threads, uint32(bytes))
}
