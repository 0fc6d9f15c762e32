package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// stop is the graceful end: sockets are told, requests under way are answered,
// what shards hold is written, the database is closed. The setting StopTimeout
// bounds it; sockets get at most two thirds of that, so that the writes that
// have been taken find the time to become durable.
func (n *parts) stop(l *listeners) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.StopTimeout)
	defer cancel()

	drain, end := context.WithTimeout(ctx, n.cfg.StopTimeout*2/3)
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
