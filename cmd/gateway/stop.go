package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// stop is the graceful end: nobody is sent here any more, other nodes take the
// shards, sockets are told, requests under way are answered, what shards hold is
// written, the database is closed. The setting StopTimeout bounds it: shards have
// moved after two fifths of that, sockets are gone after four, and the last is
// for the writes that have been taken to become durable. cause is why, nil when
// it was asked for.
func (n *parts) stop(l *listeners, cause error) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.StopTimeout)
	defer cancel()

	n.gateway.Refuse()
	if n.node != nil && !errors.Is(cause, feedengine.ErrFenced) {
		n.handOver(ctx)
	}
	drain, end := context.WithDeadline(ctx, began.Add(n.cfg.StopTimeout*4/5))
	err := n.gateway.Drain(drain)
	if err == nil {
		err = l.publicS.Shutdown(drain)
	}
	end()
	if err != nil {
		n.log.Warn("clients are cut off", "after", time.Since(began), "err", err)
		l.publicS.Close()
	}
	if err := n.takeDown(ctx); err != nil {
		return err
	}
	n.log.Info("stopped", "after", time.Since(began))
	return nil
}

// handOver has other nodes take the shards. What they do not take in time, or
// cannot since there are none, they claim when this node is gone.
func (n *parts) handOver(ctx context.Context) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.StopTimeout*2/5)
	defer cancel()
	if err := n.node.Drain(ctx); err != nil {
		n.log.Warn("not all shards were handed over", "after", time.Since(began), "err", err)
		return
	}
	n.log.Info("shards handed over", "after", time.Since(began))
}

// takeDown ends the parts that there are, the last made first.
func (n *parts) takeDown(ctx context.Context) error {
	var errs []error
	if n.gateway != nil {
		errs = append(errs, n.gateway.Close())
	}
	if n.host != nil {
		if err := n.host.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("shards: writes were given up: %w", err))
		}
	}
	if n.node != nil {
		errs = append(errs, n.node.Stop(ctx))
	}
	if n.air != nil {
		n.air.close()
	}
	if n.bus != nil {
		errs = append(errs, n.bus.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.forget != nil {
		n.forget()
	}
	if n.verifier != nil {
		n.verifier.Close()
	}
	if n.memory != nil {
		n.memory.Stop()
	}
	return errors.Join(errs...)
}
