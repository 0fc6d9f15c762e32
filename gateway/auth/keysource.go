package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

const (
	fileEvery = 10 * time.Second // a changed file is in use after at most this
	fileApart = 500 * time.Millisecond
	urlEvery  = 5 * time.Minute
	urlApart  = 10 * time.Second // between refreshes that unknown kids ask for

	// retryFirst and retryMost bound the doubling pause after a failed read.
	retryFirst = time.Second
	retryMost  = 30 * time.Second

	// unknownKeyWait is how long a token may wait for a refresh.
	unknownKeyWait = time.Second
	// maxWaiters tokens may wait at once; more are refused as retryable at once.
	maxWaiters = 256
)

// keySource holds the newest key set and reads it again in the background. A
// read that fails, or finds no usable key, leaves the keys as they were: half a
// file or an issuer's outage must not shut everybody out.
type keySource struct {
	load  func(context.Context) ([]byte, error)
	every time.Duration // between reads when all is well
	apart time.Duration // at least, between reads that unknown kids ask for
	log   *slog.Logger
	reads map[bool]*metrics.Counter

	keys    atomic.Pointer[keySet] // nil until the first good read
	waiters atomic.Int32
	asked   chan struct{} // holds one wish for a read; more at once are the same wish
	done    chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	reading *read     // the one under way, or nil
	next    *read     // the one that has not begun
	after   time.Time // next begins no sooner, if asked for
	failed  bool      // the last one did
}

// read is one reading of the key set. failed is set before done is closed.
type read struct {
	done   chan struct{}
	failed bool
}

func newRead() *read { return &read{done: make(chan struct{})} }

// newKeySource reads the set once and starts to keep it fresh.
func newKeySource(ctx context.Context, cfg Config) (*keySource, error) {
	remote, err := isURL(cfg.JWKS)
	if err != nil {
		return nil, err
	}
	s := makeKeySource(cfg.Log, cfg.Metrics)
	if remote {
		s.load, s.every, s.apart = urlLoader(cfg.JWKS), urlEvery, urlApart
	} else {
		s.load, s.every, s.apart = fileLoader(cfg.JWKS), fileEvery, fileApart
	}
	if err := s.refresh(ctx); err != nil && !remote {
		return nil, err
	}
	go s.run(ctx) // waited for by Verifier.Close
	return s, nil
}

func makeKeySource(log *slog.Logger, set *metrics.Set) *keySource {
	return &keySource{
		log:   log,
		asked: make(chan struct{}, 1),
		done:  make(chan struct{}),
		next:  newRead(),
		reads: map[bool]*metrics.Counter{
			true:  set.NewCounter(`feedgate_jwks_reads_total{result="ok"}`),
			false: set.NewCounter(`feedgate_jwks_reads_total{result="failed"}`),
		},
	}
}

// find returns the key for a token. An unknown one has the set read again. The
// answer is UnknownKey only if a read that began after the question did not
// have it either; else it is KeysUnavailable, and the client may come back.
func (s *keySource) find(ctx context.Context, kid, alg string) (any, error) {
	if key := s.lookup(kid, alg); key != nil {
		return key, nil
	}
	r, fresh := s.ask()
	if r == nil {
		return nil, refuse(KeysUnavailable)
	}
	if s.waiters.Add(1) > maxWaiters {
		s.waiters.Add(-1)
		return nil, refuse(KeysUnavailable)
	}
	defer s.waiters.Add(-1)
	limit := time.NewTimer(unknownKeyWait)
	defer limit.Stop()
	select {
	case <-r.done:
	case <-limit.C:
		return nil, refuse(KeysUnavailable)
	case <-s.done:
		return nil, refuse(KeysUnavailable)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if key := s.lookup(kid, alg); key != nil {
		return key, nil
	}
	if r.failed || !fresh {
		return nil, refuse(KeysUnavailable)
	}
	return nil, refuse(UnknownKey)
}

func (s *keySource) lookup(kid, alg string) any {
	if set := s.keys.Load(); set != nil {
		return set.get(kid, alg)
	}
	return nil
}

// ask asks for a read and returns the one to wait for, nil when none ends soon.
// It is fresh when it has not begun yet.
func (s *keySource) ask() (r *read, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.asked <- struct{}{}:
	default: // a wish is waiting already
	}
	if s.reading != nil {
		return s.reading, false
	}
	if time.Until(s.after) > unknownKeyWait/2 { // the other half is the read's
		return nil, false
	}
	return s.next, true
}

// run reads again when it is time, when asked, and soon after a failure.
func (s *keySource) run(ctx context.Context) {
	defer close(s.done)
	pause := retryFirst
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := s.every
		if s.hasFailed() {
			wait, pause = min(pause, s.every), min(2*pause, retryMost)
		} else {
			pause = retryFirst
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.asked:
			if !s.rest(ctx) {
				return
			}
		}
		s.refresh(ctx) // a failure has been logged, and shortens the wait
	}
}

// rest waits until the next asked-for read may begin.
func (s *keySource) rest(ctx context.Context) bool {
	s.mu.Lock()
	d := time.Until(s.after)
	s.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *keySource) hasFailed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// refresh reads the set once. Whoever asked before it began is answered by it.
func (s *keySource) refresh(ctx context.Context) error {
	s.mu.Lock()
	r := s.next
	s.reading, s.next = r, newRead()
	s.after = time.Now().Add(s.apart)
	select {
	case <-s.asked:
	default:
	}
	s.mu.Unlock()

	set, err := s.read(ctx)
	if err == nil {
		s.keys.Store(set)
	}
	s.reads[err == nil].Inc()

	s.mu.Lock()
	s.reading, s.failed, r.failed = nil, err != nil, err != nil
	s.mu.Unlock()
	close(r.done)
	if err != nil && ctx.Err() == nil {
		s.log.Error("cannot read the JWKS", "err", err, "have_keys", s.keys.Load() != nil)
	}
	return err
}

func (s *keySource) read(ctx context.Context) (*keySet, error) {
	doc, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	set, skipped, err := parseKeySet(doc)
	if err != nil {
		return nil, err
	}
	if len(set.byID) == 0 {
		return nil, fmt.Errorf("no usable key in the JWK set (%d left out: %v)", len(skipped), skipped)
	}
	if len(skipped) > 0 && s.keys.Load() == nil { // once is enough
		s.log.Warn("keys of the JWK set left out", "keys", skipped)
	}
	return set, nil
}
