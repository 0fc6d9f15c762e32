package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

// answer is what became of a query.
type answer struct {
	ok    wire.Object
	bytes int // about, of ok
	err   *feedengine.Error
	sent  func() // called when ok has been queued for a socket; nil: nothing is to be done
}

// readPool asks storage: so many queries at a time, so many waiting, and no more.
type readPool struct {
	from Reads
	wait time.Duration // for one query
	log  *slog.Logger

	ctx  context.Context
	jobs chan readJob
	wg   sync.WaitGroup
}

type readJob struct {
	query query
	done  func(answer)
}

func newReadPool(ctx context.Context, from Reads, l Limits, log *slog.Logger) *readPool {
	p := &readPool{
		from: from, wait: l.Request, log: log, ctx: ctx,
		// When it is full, further reads are refused as overloaded.
		jobs: make(chan readJob, l.ReadsWaiting),
	}
	for range l.Reads {
		p.wg.Add(1)
		go p.run() // until ctx ends; waited for by close
	}
	return p
}

// ask has done called with the answer, on a goroutine of the pool. When it
// returns an error, done is not called.
func (p *readPool) ask(q query, done func(answer)) *feedengine.Error {
	select {
	case p.jobs <- readJob{q, done}:
		return nil
	default:
		return &feedengine.Error{Code: feedengine.Overloaded, Message: "too many reads under way", Retry: time.Second}
	}
}

func (p *readPool) run() {
	defer p.wg.Done()
	for {
		select {
		case j := <-p.jobs:
			j.done(p.answer(j.query))
		case <-p.ctx.Done():
			return
		}
	}
}

func (p *readPool) answer(q query) answer {
	ctx, cancel := context.WithTimeout(p.ctx, p.wait)
	defer cancel()
	ok, bytes, err := q(ctx, p.from)
	if err != nil {
		return answer{err: p.refusal(err)}
	}
	return answer{ok: ok, bytes: bytes}
}

// refusal is how a client is told of a store's error.
func (p *readPool) refusal(err error) *feedengine.Error {
	var refused *feedengine.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, feedengine.ErrNotFound):
		return feedengine.Refuse(feedengine.NotFound, "there is no such thing, or it has been deleted")
	case errors.Is(err, feedengine.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &feedengine.Error{Code: feedengine.Unavailable, Message: "storage cannot be reached at the moment", Retry: time.Second}
	}
	p.log.Error("a read failed", "err", err)
	return feedengine.Refuse(feedengine.Internal, "something went wrong")
}

// close waits for the pool's goroutines, whose context has ended, and refuses
// what they left.
func (p *readPool) close() {
	p.wg.Wait()
	for {
		select {
		case j := <-p.jobs:
			j.done(answer{err: feedengine.Refuse(feedengine.Unavailable, "this node stops")})
		default:
			return
		}
	}
}
