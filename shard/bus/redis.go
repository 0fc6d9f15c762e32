package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/redis/go-redis/v9"
)

// RedisOptions configure a Redis bus.
type RedisOptions struct {
	URL     string       // see connect
	Metrics *metrics.Set // nil: nobody looks
	Log     *slog.Logger // nil: nobody reads
}

// Redis is a bus over Redis pub/sub: one Redis, one behind Sentinels, or a Redis
// Cluster, where topics are sharded channels.
type Redis struct {
	client  redis.UniversalClient
	sharded bool
	log     *slog.Logger
	count   counters

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // of the publisher and the lines

	queue    queue
	underway atomic.Pointer[chan struct{}] // closed when the pipeline that is under way has ended; nil: none is
	answered atomic.Pointer[time.Time]     // when the last pipeline that Redis has answered was begun; nil: none was

	calling chan struct{} // holds one: a handler is being called

	mu     sync.Mutex
	closed bool
	lines  map[string]*line // by topic; unless sharded there is one, under ""
}

// DialRedis makes a Redis bus. It does not wait for Redis, which may be away
// now and come later: the only errors are about the URL.
func DialRedis(opts RedisOptions) (*Redis, error) {
	client, err := connect(opts.URL)
	if err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	_, sharded := client.(*redis.ClusterClient)
	r := &Redis{
		client: client, sharded: sharded, log: opts.Log,
		calling: make(chan struct{}, 1),
		lines:   map[string]*line{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.queue.init()
	r.count.register(r, opts.Metrics)
	r.wg.Go(r.publisher)
	return r, nil
}

// Publish is Bus.Publish.
func (r *Redis) Publish(topic string, msg []byte) bool {
	if !r.queue.up.Load() {
		r.count.away.Inc()
		return false
	}
	if !r.queue.add(topic, msg) {
		r.count.full.Inc()
		return false
	}
	return true
}

// Busy is closed when the pipeline that is under way has ended, nil when none is.
// What is published before would wait for that.
func (r *Redis) Busy() <-chan struct{} {
	if c := r.underway.Load(); c != nil {
		return *c
	}
	return nil
}

// Subscribe is Bus.Subscribe. When it returns, Redis may not have heard of it yet; see Ping.
func (r *Redis) Subscribe(topic string, h func(msg []byte)) (cancel func()) {
	name := ""
	if r.sharded {
		name = topic // topics live on different nodes of the cluster: a connection each
	}
	mine := &handler{h}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lines[name]
	if l == nil {
		l = newLine(r)
		r.lines[name] = l
		if !r.closed {
			r.wg.Go(l.listen)
		}
	}
	l.add(topic, mine)
	return func() {
		r.mu.Lock()
		if left := l.remove(topic, mine); left == 0 && r.sharded {
			delete(r.lines, name)
			l.cancel()
		}
		r.mu.Unlock()
		r.calling <- struct{}{} // waits for a call under way
		<-r.calling
	}
}

// Ping is Bus.Ping.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.ping(ctx); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if !r.queue.up.Load() {
		return ErrAway
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if !l.stands() {
			return fmt.Errorf("%w: not all subscriptions stand", ErrAway)
		}
	}
	return nil
}

// Listeners is how many connections are subscribed to each topic. In a Redis Cluster
// each of its nodes knows only of its own: errors.ErrUnsupported.
func (r *Redis) Listeners(ctx context.Context, topics []string) ([]int, error) {
	if r.sharded {
		return nil, errors.ErrUnsupported
	}
	counts, err := r.client.PubSubNumSub(ctx, topics...).Result()
	if err != nil {
		return nil, fmt.Errorf("bus: listeners: %w", err)
	}
	listeners := make([]int, len(topics))
	for i, topic := range topics {
		listeners[i] = int(counts[topic])
	}
	return listeners, nil
}

func (r *Redis) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	return r.client.Ping(ctx).Err()
}

// Close is Bus.Close.
func (r *Redis) Close() error {
	r.mu.Lock()
	r.closed = true
	for _, l := range r.lines {
		l.cancel()
	}
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
	r.queue.up.Store(false)
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("bus: close: %w", err)
	}
	return nil
}
