package login

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// maxBuckets is how many accounts, or addresses, are remembered. Beyond, those that
// have tried the least are forgotten: who is at the limit stays there.
const maxBuckets = 1 << 17

// Attempts bounds how often each of many may try, as leaky buckets: Burst at once,
// and one more every Every. A bucket that is empty again is forgotten. Only hashes
// of the names are kept, with a seed of this process's.
type Attempts struct {
	Burst int
	Every time.Duration

	seed maphash.Seed
	most int

	mu sync.Mutex
	m  map[uint64]bucket // guarded by mu
}

type bucket struct {
	level float64 // attempts that have not leaked out at the time at
	at    time.Time
}

// NewAttempts makes an Attempts.
func NewAttempts(burst int, every time.Duration) *Attempts {
	return &Attempts{Burst: burst, Every: every, seed: maphash.MakeSeed(), most: maxBuckets, m: map[uint64]bucket{}}
}

// Take takes one attempt of the name, or says how long until there is one again.
func (a *Attempts) Take(name string, now time.Time) (wait time.Duration, ok bool) {
	key := maphash.String(a.seed, name)
	a.mu.Lock()
	defer a.mu.Unlock()
	level := a.level(a.m[key], now)
	if level+1 > float64(a.Burst) {
		missing := level + 1 - float64(a.Burst)
		return time.Duration(math.Ceil(missing * float64(a.Every))), false
	}
	if _, known := a.m[key]; !known && len(a.m) >= a.most {
		a.makeRoom(now)
	}
	a.m[key] = bucket{level + 1, now}
	return 0, true
}

// Return gives an attempt back: it was none that guessed.
func (a *Attempts) Return(name string, now time.Time) {
	key := maphash.String(a.seed, name)
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := a.m[key]
	if !ok {
		return
	}
	if level := a.level(b, now) - 1; level > 0 {
		a.m[key] = bucket{level, now}
	} else {
		delete(a.m, key)
	}
}

// Sweep forgets the buckets that are empty.
func (a *Attempts) Sweep(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, b := range a.m {
		if a.level(b, now) == 0 {
			delete(a.m, key)
		}
	}
}

// level is how full a bucket is now.
func (a *Attempts) level(b bucket, now time.Time) float64 {
	return max(0, b.level-float64(now.Sub(b.at))/float64(a.Every))
}

// makeRoom forgets the least full of a few buckets. mu is held.
func (a *Attempts) makeRoom(now time.Time) {
	const few = 32
	var least uint64
	level, seen := math.Inf(1), 0
	for key, b := range a.m { // begins at random
		if l := a.level(b, now); l < level {
			least, level = key, l
		}
		if seen++; seen == few {
			break
		}
	}
	delete(a.m, least)
}

// Network names whom an address is counted with: itself, or the /64 of IPv6, of
// which one client may have all.
func Network(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
