package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Append commits the writes, all or nothing, in one round trip, if every fence
// still holds. See storage.Log.
//
// When ctx ends before anything was sent, its error is returned; after that,
// ErrUnknownOutcome.
func (s *Store) Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error {
	start := time.Now()
	rows, err := newRows(fences, writes)
	if err != nil {
		return fmt.Errorf("postgres: append: %w", err)
	}
	bound, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := s.writers.Acquire(bound)
	if err != nil {
		return failed(ctx, "append", err)
	}
	defer conn.Release()

	batch := rows.batch(start)
	defer s.ops.append.done(start, batch.Len())
	results := conn.SendBatch(bound, batch)
	ran := 0
	for range batch.Len() {
		if _, err = results.Exec(); err != nil {
			break
		}
		ran++
	}
	if closed := results.Close(); err == nil { // the commit's own answer
		err = closed
	}
	if err != nil {
		return commitFailed(ctx, "append", err, ran == batch.Len())
	}
	return nil
}
