package storefake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Store is a connection to a database. Its fields are set before use, or by the
// methods that say so.
type Store struct {
	// Slow is how long a call takes: half of it before it is carried out and
	// half after. nil: no time.
	Slow func(call string) time.Duration
	// Lag is by how many events of a log Load's snapshot trails; nil: none.
	Lag func(feedengine.ShardID) uint64
	// OnLoad is told of each Load that comes so far; nil: nobody.
	OnLoad func([]feedengine.LoadUser)

	db *database

	mu    sync.Mutex
	fail  func(call string) Fault
	calls map[string]int
}

// Fault is how one call goes wrong.
type Fault int

const (
	Works        Fault = iota
	Unavailable        // nothing was written
	Committed          // outcome unknown; it was committed
	NotCommitted       // outcome unknown; it was not
	Ghost              // outcome unknown; it commits later, or not (see EndGhosts)
	Hangs              // until the context ends; it was not committed
	Odd                // an error that no contract names; it was committed
)

func (f Fault) String() string {
	return [...]string{"works", "unavailable", "unknown, committed", "unknown, not committed", "ghost", "hangs", "odd"}[f]
}

// New makes an empty database with that many shards, and a connection to it.
func New(shards int) *Store {
	return &Store{db: newDatabase(shards), calls: map[string]int{}}
}

// Connect makes another connection to the same database.
func (s *Store) Connect() *Store { return &Store{db: s.db, calls: map[string]int{}} }

// SetFail has fail asked at each call how it is to go wrong; nil: not at all.
func (s *Store) SetFail(fail func(call string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// Count is how often a call was made on this connection.
func (s *Store) Count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

// begin counts a call, takes the first half of its time, and says how it is to
// go wrong. An error is the context's.
func (s *Store) begin(ctx context.Context, call string) (Fault, time.Duration, error) {
	s.mu.Lock()
	s.calls[call]++
	s.mu.Unlock()
	var half time.Duration
	if s.Slow != nil {
		half = s.Slow(call) / 2
	}
	if err := pause(ctx, half); err != nil {
		return Works, 0, fmt.Errorf("%s: %w", call, err)
	}
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil {
		return Works, half, nil
	}
	f := fail(call)
	if f == Hangs {
		<-ctx.Done()
		return Works, 0, fmt.Errorf("%s: %w", call, ctx.Err())
	}
	return f, half, nil
}

// read begins a call that changes nothing: whatever goes wrong, it is unavailable.
func (s *Store) read(ctx context.Context, call string) error {
	f, half, err := s.begin(ctx, call)
	switch {
	case err != nil:
		return err
	case f != Works:
		return fmt.Errorf("%s: %w", call, feedengine.ErrUnavailable)
	}
	return pause(ctx, half)
}

// write carries out a call that changes something, or not, as its fault says.
func (s *Store) write(ctx context.Context, call string, do func(ghost bool) error) error {
	f, half, err := s.begin(ctx, call)
	if err != nil {
		return err
	}
	switch f {
	case Unavailable:
		return fmt.Errorf("%s: %w", call, feedengine.ErrUnavailable)
	case NotCommitted:
		return fmt.Errorf("%s: %w", call, feedengine.ErrUnknownOutcome)
	}
	err = do(f == Ghost)
	switch {
	case f == Odd && err == nil:
		return errors.New("something nobody thought of")
	case f == Committed && err == nil, f == Ghost:
		return fmt.Errorf("%s: %w", call, feedengine.ErrUnknownOutcome)
	}
	if pause(ctx, half) != nil && err == nil {
		return fmt.Errorf("%s: %w: %w", call, feedengine.ErrUnknownOutcome, ctx.Err())
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shards is the number of logs.
func (s *Store) Shards() int { return len(s.db.logs) }

// Ping fails as any other call does.
func (s *Store) Ping(ctx context.Context) error { return s.read(ctx, "ping") }

// Close does nothing: the database stays.
func (s *Store) Close() error { return nil }
