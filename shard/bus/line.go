package bus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
)

const (
	// silence is how long a subscribed connection may say nothing before it is
	// asked. Heartbeats come twice a second.
	silence = time.Second
	// lastLook is how long an answer is waited for when the connection is about to
	// be given up: long enough to read what is there. A process that was starved
	// finds its deadline over before it has looked.
	lastLook = 100 * time.Millisecond
)

var (
	errSilent = errors.New("bus: a subscription has gone silent")
	errMoved  = errors.New("bus: a subscription was ended by Redis")
)

// line is one connection's subscriptions. It connects again whenever it is lost,
// and subscribes to everything again.
type line struct {
	r      *Redis
	ctx    context.Context // ends with the line
	cancel context.CancelFunc
	change chan struct{} // holds one: topics has changed

	mu     sync.Mutex
	topics map[string][]*handler
	stand  map[string]bool // topics that Redis has confirmed on this connection
}

func newLine(r *Redis) *line {
	l := &line{r: r, change: make(chan struct{}, 1), topics: map[string][]*handler{}, stand: map[string]bool{}}
	l.ctx, l.cancel = context.WithCancel(r.ctx)
	return l
}

func (l *line) add(topic string, h *handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics[topic] = append(slices.Clip(l.topics[topic]), h)
	l.changed()
}

// remove says how many topics are left.
func (l *line) remove(topic string, h *handler) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(l.topics[topic]), func(other *handler) bool { return other == h })
	if l.topics[topic] = kept; len(kept) == 0 {
		delete(l.topics, topic)
		l.changed()
	}
	return len(l.topics)
}

func (l *line) changed() {
	select {
	case l.change <- struct{}{}:
	default:
	}
}

// stands reports whether Redis has confirmed all topics.
func (l *line) stands() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic := range l.topics {
		if !l.stand[topic] {
			return false
		}
	}
	return true
}

// listen keeps the line connected, until its end.
func (l *line) listen() {
	for pause := minBackoff; ; pause = min(2*pause, maxBackoff) {
		ps := l.r.open(l.ctx)
		heard, err := l.serve(ps)
		_ = ps.Close() // again, where the end of the line has closed it
		l.mu.Lock()
		clear(l.stand)
		l.mu.Unlock()
		if l.ctx.Err() != nil {
			return
		}
		if heard {
			pause = minBackoff
			l.r.count.reconnects.Inc()
			l.r.log.Warn("bus: a subscription was lost; connecting again", "err", err)
		}
		if !l.r.sleep(l.ctx, pause) {
			return
		}
	}
}

// open makes a subscription without topics, which is not connected yet.
func (r *Redis) open(ctx context.Context) *redis.PubSub {
	if r.sharded {
		return r.client.SSubscribe(ctx)
	}
	return r.client.Subscribe(ctx)
}

// serve subscribes and hands over what comes, until the connection fails. heard says
// whether it ever stood.
func (l *line) serve(ps *redis.PubSub) (heard bool, err error) {
	ctx, cancel := context.WithCancel(l.ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { l.steward(ctx, ps) })

	var asked time.Time // zero: not, since something was heard
	wait := silence
	for {
		msg, err := ps.ReceiveTimeout(ctx, wait)
		switch {
		case err != nil && timedOut(err) && asked.IsZero() && ctx.Err() == nil:
			asked = time.Now()
			if err := ps.Ping(ctx); err != nil {
				return heard, err
			}
			continue
		case err != nil && timedOut(err) && wait == lastLook:
			return heard, errSilent
		case err != nil && timedOut(err) && ctx.Err() == nil:
			if l.deaf(asked) {
				wait = lastLook
			}
			continue
		case err != nil:
			return heard, err
		}
		asked, wait = time.Time{}, silence
		switch m := msg.(type) {
		case *redis.Subscription:
			heard = true
			if !l.confirm(m) {
				return heard, errMoved
			}
		case *redis.Message:
			l.dispatch(m)
		}
	}
}

// deaf reports whether a connection that was asked, and has not answered since, is
// to be given up: when Redis has answered what another one asked later. As long as
// it answers nobody it may be late, and is waited for. Who of a Redis Cluster has
// answered is not known: there each connection speaks for itself.
func (l *line) deaf(asked time.Time) bool {
	if l.r.sharded || time.Since(asked) >= patience {
		return true
	}
	answered := l.r.answered.Load()
	return answered != nil && answered.After(asked)
}

// steward keeps the connection's subscriptions the same as topics, and closes it
// when the line ends or subscribing fails.
func (l *line) steward(ctx context.Context, ps *redis.PubSub) {
	asked := map[string]bool{}
	for {
		var more, less []string
		l.mu.Lock()
		for topic := range l.topics {
			if !asked[topic] {
				more = append(more, topic)
			}
		}
		for topic := range asked {
			if l.topics[topic] == nil {
				less = append(less, topic)
			}
		}
		l.mu.Unlock()
		if err := l.resubscribe(ctx, ps, more, less); err != nil {
			_ = ps.Close() // serve finds out
			return
		}
		for _, topic := range more {
			asked[topic] = true
		}
		for _, topic := range less {
			delete(asked, topic)
		}
		select {
		case <-l.change:
		case <-ctx.Done():
			_ = ps.Close()
			return
		}
	}
}

func (l *line) resubscribe(ctx context.Context, ps *redis.PubSub, more, less []string) error {
	subscribe, unsubscribe := ps.Subscribe, ps.Unsubscribe
	if l.r.sharded {
		subscribe, unsubscribe = ps.SSubscribe, ps.SUnsubscribe
	}
	if len(more) > 0 {
		if err := subscribe(ctx, more...); err != nil {
			return err
		}
	}
	if len(less) > 0 {
		return unsubscribe(ctx, less...)
	}
	return nil
}

// confirm takes note of what Redis says of a subscription. False: it has ended one
// that is wanted, as its slot of a Redis Cluster lives elsewhere now.
func (l *line) confirm(s *redis.Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s.Kind {
	case "subscribe", "ssubscribe":
		l.stand[s.Channel] = true
		return true
	}
	delete(l.stand, s.Channel)
	return l.topics[s.Channel] == nil || s.Kind == "unsubscribe"
}

// dispatch calls the handlers of the message's topic.
func (l *line) dispatch(m *redis.Message) {
	l.r.count.received.Inc()
	l.r.calling <- struct{}{}
	defer func() { <-l.r.calling }()
	l.mu.Lock()
	handlers := l.topics[m.Channel]
	l.mu.Unlock()
	for _, h := range handlers {
		// The string is this message's own; handlers only read.
		h.h(unsafe.Slice(unsafe.StringData(m.Payload), len(m.Payload)))
	}
}
