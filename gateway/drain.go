package gateway

import (
	"context"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
)

const (
	// drainWindow is over how long a node's sockets are closed at least: as long
	// as their clients are asked to spread their return.
	drainWindow = 5 * time.Second
	drainStep   = 20 * time.Millisecond
	drainLeast  = 8 // sockets per step at least: a small node is done at once
	// drainShare is the share of the handshakes that other nodes admit which those
	// who come from here may take: the others have clients of their own.
	drainShare = 0.5
	// drainHurry is the share of the time that is left which closing may take.
	drainHurry = 0.8
	// closeWait bounds the end of what is still open in Close.
	closeWait = 5 * time.Second
)

// Refuse has /readyz fail and new sockets refused; those that are open stay.
func (g *Gateway) Refuse() {
	g.phase.Store(int32(draining))
	g.sockets.Tell()
}

// Drain has /readyz fail and new sockets refused, then closes all sockets at a
// rate that other nodes can take, each with a bye, and waits until they are
// gone or ctx ends.
func (g *Gateway) Drain(ctx context.Context) error {
	g.Refuse()
	n := g.Sockets()
	left := time.Duration(0)
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
	}
	others := 0
	if g.takers != nil {
		others = g.takers()
	}
	rate := drainRate(n, float64(others)*g.admission.share, left)
	g.log.Info("draining", "sockets", n, "per_second", int(rate), "other_nodes", others)
	if err := g.closeAll(ctx, max(drainLeast, int(rate*drainStep.Seconds()))); err != nil {
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

// drainRate is how many of n sockets are closed per second, when other nodes admit
// so many handshakes in that time (0: not known) and it must be done when left
// (0: no matter when) is over. Who is cut off at the end has no bye to go by, so
// that being done comes first.
func drainRate(n int, admitted float64, left time.Duration) float64 {
	rate := float64(n) / drainWindow.Seconds()
	if admitted > 0 {
		rate = min(rate, drainShare*admitted)
	}
	if left > 0 {
		rate = max(rate, float64(n)/(drainHurry*left.Seconds()))
	}
	return rate
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
	g.presence.Close(ctx)
	g.cancel()
	g.reads.close()
	g.wg.Wait()
	return err
}
