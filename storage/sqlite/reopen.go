package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/feedgate/feedgate/feedengine"
)

// use returns the open files and holds swap for reading, to be released by the
// caller, when it returns no error.
func (s *Store) use(ctx context.Context) (*files, error) {
	s.swap.RLock()
	err := s.usable()
	if err == nil {
		return s.files, nil
	}
	s.swap.RUnlock()
	if errors.Is(err, errGone) {
		if err = s.reopen(ctx); err == nil {
			s.swap.RLock()
			if err = s.usable(); err == nil {
				return s.files, nil
			}
			s.swap.RUnlock()
		}
	}
	return nil, fmt.Errorf("%w: %w", feedengine.ErrUnavailable, err)
}

var errClosed = errors.New("the store is closed")

// usable reports whether the files are open and where they were. swap is held.
func (s *Store) usable() error {
	switch {
	case s.closed:
		return errClosed
	case s.files == nil:
		return errGone
	}
	return s.files.check()
}

// reopen opens what the directory has in the place of the files that were open.
// While it has nothing there, they stay open: moved back, they go on. A database
// that was put in their place has its shards' epochs raised above all that were
// given out before, so that whoever wrote to the old one claims anew and learns
// where the new one's logs stand.
func (s *Store) reopen(ctx context.Context) error {
	s.swap.Lock()
	defer s.swap.Unlock()
	err := s.usable()
	if !errors.Is(err, errGone) {
		return err // mended meanwhile, or closed
	}
	if s.files != nil {
		if !s.files.replaced() {
			return err
		}
		s.files.close() // of a database that is not there any more
		s.files = nil
	}
	cfg := s.cfg
	cfg.Shards = s.shards
	f, err := openFiles(ctx, cfg, "rw")
	if err != nil {
		return err
	}
	given := slices.Clone(s.heads.of) // or higher, after a write that failed
	s.heads.known = false
	if _, err = setUp(ctx, f.writer, s.shards); err == nil {
		err = f.writer.transact(ctx, begin, func() error {
			if err := s.heads.begin(ctx, f.writer); err != nil {
				return err
			}
			for shard := range s.heads.of {
				if err := s.raise(ctx, f.writer, feedengine.ShardID(shard), given[shard].Epoch, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s.heads.known = false
	if err != nil {
		s.heads.of = given
		return errors.Join(err, f.close())
	}
	s.files = f
	return nil
}
