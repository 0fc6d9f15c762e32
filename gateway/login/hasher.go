package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"

	"github.com/VictoriaMetrics/metrics"
)

// ErrBusy: as many hashes are under way, and waited for, as may be.
var ErrBusy = errors.New("login: too many passwords are being checked")

// waiting is how many may wait for each hash under way.
const waiting = 8

// Hasher makes and compares password hashes, so many at a time as half of the
// cores, at least one, can make: logins leave the other half to everybody else.
// Its methods may be called from any goroutine.
type Hasher struct {
	places chan struct{} // holds one word for each hash under way or waited for; when full, ErrBusy
	going  chan struct{} // holds one word for each hash under way
	nobody phc           // compared where there is nothing to compare with
	key    func(p params, password string, salt []byte, bytes int) []byte

	hashes *metrics.Counter
	busy   *metrics.Counter
}

// NewHasher makes a Hasher.
func NewHasher(set *metrics.Set) *Hasher {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	h := &Hasher{
		places: make(chan struct{}, n*(1+waiting)), going: make(chan struct{}, n),
		nobody: phc{params: current, salt: make([]byte, saltBytes), hash: make([]byte, hashBytes)},
		key:    params.key,
		hashes: set.NewCounter("feedgate_password_hashes_total"),
		busy:   set.NewCounter(`feedgate_limited_total{limit="password_hashes"}`),
	}
	rand.Read(h.nobody.salt) // never fails (Go 1.24)
	rand.Read(h.nobody.hash)
	return h
}

// Hash makes a hash of the password, in PHC format. Errors: ErrBusy and the context's.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	made := phc{params: current, salt: make([]byte, saltBytes)}
	rand.Read(made.salt)
	var err error
	if made.hash, err = h.run(ctx, made.params, password, made.salt, hashBytes); err != nil {
		return "", err
	}
	return made.String(), nil
}

// Matches compares a password with a hash in PHC format; "" is that of nobody, which
// takes as long. Errors: ErrBusy, the context's, and that the hash is not readable.
func (h *Hasher) Matches(ctx context.Context, hash, password string) (bool, error) {
	want, unreadable := h.nobody, error(nil)
	if hash != "" {
		if want, unreadable = parsePHC(hash); unreadable != nil {
			want = h.nobody
		}
	}
	got, err := h.run(ctx, want.params, password, want.salt, len(want.hash))
	if err != nil {
		return false, err
	}
	same := subtle.ConstantTimeCompare(got, want.hash) == 1
	if unreadable != nil {
		return false, fmt.Errorf("a stored password: %w", unreadable)
	}
	return same && hash != "", nil
}

// run makes one hash, when it is its turn.
func (h *Hasher) run(ctx context.Context, p params, password string, salt []byte, bytes int) ([]byte, error) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		h.busy.Inc()
		return nil, ErrBusy
	}
	select {
	case h.going <- struct{}{}:
		defer func() { <-h.going }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.hashes.Inc()
	return h.key(p, password, salt, bytes), nil
}
