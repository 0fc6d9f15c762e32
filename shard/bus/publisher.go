package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// publisher sends what is queued, pipeline by pipeline, until Close.
func (r *Redis) publisher() {
	for {
		select {
		case <-r.queue.wake:
		case <-r.ctx.Done():
			return
		}
		taken := r.queue.take()
		for rest := taken; len(rest) > 0 && r.ctx.Err() == nil; {
			n := pipelineLength(rest)
			if err := r.send(rest[:n]); err != nil && r.ctx.Err() == nil {
				r.count.away.Add(len(rest) - n)
				r.awaitReturn(err)
				break
			}
			rest = rest[n:]
		}
		r.queue.recycle(taken)
	}
}

// pipelineLength is how many of the messages go together.
func pipelineLength(out []outgoing) int {
	bytes := 0
	for i := range out {
		bytes += len(out[i].msg)
		if bytes > maxPipeline && i > 0 {
			return i
		}
	}
	return len(out)
}

// send publishes messages by one pipeline. An error means that Redis is away: a
// refusal of single messages, by one node of a Redis Cluster say, is only counted.
func (r *Redis) send(out []outgoing) error {
	start := time.Now()
	ended := make(chan struct{})
	r.underway.Store(&ended)
	defer func() {
		r.underway.Store(nil)
		close(ended)
	}()
	pipe := r.client.Pipeline()
	for i := range out {
		if r.sharded {
			pipe.SPublish(r.ctx, out[i].topic, out[i].msg)
		} else {
			pipe.Publish(r.ctx, out[i].topic, out[i].msg)
		}
	}
	cmds, err := pipe.Exec(r.ctx)
	failed, bytes := 0, 0
	for i, cmd := range cmds {
		if cmd.Err() != nil {
			failed++
		} else {
			bytes += len(out[i].msg)
		}
	}
	r.count.published.Add(len(out) - failed)
	r.count.bytes.Add(bytes)
	r.count.failed.Add(failed)
	r.count.pipeline.UpdateDuration(start)
	if failed == len(out) {
		return err
	}
	r.answered.Store(&start)
	if failed > 0 {
		r.log.Warn("bus: messages were refused", "messages", failed, "of", len(out), "err", err)
	}
	return nil
}

const minBackoff, maxBackoff = 20 * time.Millisecond, 500 * time.Millisecond

// awaitReturn drops what is queued and all that comes, until Redis answers again.
func (r *Redis) awaitReturn(why error) {
	r.queue.up.Store(false)
	since := time.Now()
	r.log.Warn("bus: Redis is away; messages to other nodes are dropped, and repaired later", "err", why)
	for pause := minBackoff; ; pause = min(2*pause, maxBackoff) {
		dropped := r.queue.take()
		r.count.away.Add(len(dropped))
		r.queue.recycle(dropped)
		if !r.sleep(r.ctx, pause) {
			return
		}
		if r.ping(r.ctx) == nil {
			break
		}
	}
	r.queue.up.Store(true)
	r.log.Info("bus: Redis is back", "after", time.Since(since).Round(time.Millisecond))
}

// sleep waits half to the whole of d, so that the nodes of a cluster do not come
// back in step. It says false when ctx ended.
func (r *Redis) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// timedOut reports whether an error says only that nothing came.
func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() && !errors.Is(err, redis.ErrClosed)
}
