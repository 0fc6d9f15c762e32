package gateway

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	// drainWindow is over how long a full node's sockets are closed: as long as
	// their clients are asked to spread their return.
	drainWindow = 5 * time.Second
	drainStep   = 20 * time.Millisecond
	drainLeast  = 8 // sockets per step at least: a small node is done at once
	// closeWait bounds the end of what is still open in Close.
	closeWait = 5 * time.Second
)

// Refuse has /readyz fail and new sockets refused; those that are open stay.
func (g *Gateway) Refuse() { g.phase.Store(int32(draining)) }

// Drain has /readyz fail and new sockets refused, then closes all sockets at a
// rate that other nodes can take, each with a bye, and waits until they are
// gone or ctx ends.
func (g *Gateway) Drain(ctx context.Context) error {
	g.Refuse()
	n := g.Sockets()
	g.log.Info("draining", "sockets", n)
	if err := g.closeAll(ctx, max(drainLeast, n*int(drainStep)/int(drainWindow))); err != nil {
		return err
	}
	for g.Sockets() > 0 {
		select {
		case <-g.sessions.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	g.log.Info("drained")
	return nil
}

// closeAll ends so many sockets per step.
func (g *Gateway) closeAll(ctx context.Context, step int) error {
	t := time.NewTicker(drainStep)
	defer t.Stop()
	left := step
	for s := range g.sessions.all() {
		if left == 0 {
			select {
			case <-t.C:
				left = step
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s.end(wire.ByeFor(wire.CloseDraining))
		left--
	}
	return nil
}

// Close ends what is left and waits for the gateway's goroutines. The shards
// must still be there: they are told of every socket that goes.
func (g *Gateway) Close() error {
	g.phase.Store(int32(draining))
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	err := g.sockets.Shutdown(ctx)
	g.cancel()
	g.reads.close()
	g.wg.Wait()
	return err
}
