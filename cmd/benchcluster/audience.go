//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/meter"
	"github.com/feedgate/feedgate/loadgen/token"
)

// audience is the sockets of a line, and what they were sent.
type audience struct {
	pool   *lean.Pool
	secret string

	live   atomic.Int64
	closed atomic.Int64
	events atomic.Int64
	resets atomic.Int64
	broken atomic.Int64 // events whose n was not the next, without a reset
	late   atomic.Int64 // events of an author that came after a newer one of the same

	mu  sync.Mutex
	lag meter.Histogram // from the intended moment of a post to its coming, all sockets
	gap meter.Histogram // between two events of one socket
	all []*listener
}

// listener is one socket.
type listener struct {
	to     *audience
	live   bool
	n      uint64
	at     int64            // when the last event came
	counts map[string]int   // events by author
	newest map[string]int64 // id of the newest event by author
}

func newAudience(secret string) (*audience, error) {
	pool, err := lean.NewPool(lean.Options{Rate: 2000, Timeout: 30 * time.Second})
	return &audience{pool: pool, secret: secret}, err
}

// join opens a user's socket to a node.
func (a *audience) join(ctx context.Context, n *node, user string) (*listener, error) {
	target, err := lean.ParseTarget("ws://" + n.addr)
	if err != nil {
		return nil, err
	}
	t, err := token.Mint(a.secret, user, false)
	if err != nil {
		return nil, err
	}
	l := &listener{to: a, counts: map[string]int{}, newest: map[string]int64{}}
	a.all = append(a.all, l)
	_, err = a.pool.Dial(ctx, target, t, l)
	return l, err
}

// joined waits until all that were opened are attached.
func (a *audience) joined() error {
	return eventually("all are attached", func() error {
		if n := int(a.live.Load()); n < len(a.all) {
			return fmt.Errorf("%d of %d are attached, %d closed", n, len(a.all), a.closed.Load())
		}
		return nil
	})
}

// came waits until so many events have come in all.
func (a *audience) came(want int64, within time.Duration) error {
	for end := time.Now().Add(within); a.events.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d events came", a.events.Load(), want)
		}
	}
	return nil
}

// forget lets the latencies begin anew.
func (a *audience) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lag, a.gap = meter.Histogram{}, meter.Histogram{}
	for _, l := range a.all {
		l.at = 0
	}
}

// Opened, Text and Closed make listener a lean.Handler.
func (l *listener) Opened(c *lean.Conn) { c.Send([]byte(`{"id":1,"op":"connect"}`)) }

func (l *listener) Text(c *lean.Conn, p []byte) {
	switch {
	case bytes.HasPrefix(p, []byte(`{"n":`)):
		l.event(p)
	case bytes.HasPrefix(p, []byte(`{"hb":`)):
		c.Send(append(strconv.AppendUint([]byte(`{"ack":`), l.n, 10), '}'))
	case bytes.HasPrefix(p, []byte(`{"reset":`)):
		l.to.resets.Add(1)
		l.n = numberAfter(p, `"n":`)
	case !l.live && bytes.HasPrefix(p, []byte(`{"re":1,"ok":`)):
		l.live, l.n = true, numberAfter(p, `"n":`)
		l.to.live.Add(1)
	}
}

func (l *listener) Closed(*lean.Conn, lean.End) { l.to.closed.Add(1) }

func (l *listener) event(p []byte) {
	at := meter.Now()
	n := numberAfter(p, `{"n":`)
	if n != l.n+1 {
		l.to.broken.Add(1)
	}
	l.n = n
	author, id := textAfter(p, `"author":"`), int64(numberAfter(p, `"event":{"type":"post","id":"`))
	a := l.to
	a.mu.Lock()
	if sent := numberAfter(p, `"text":"`); sent > 0 {
		a.lag.Add(time.Duration(at - int64(sent)))
	}
	if l.at > 0 {
		a.gap.Add(time.Duration(at - l.at))
	}
	l.at = at
	l.counts[author]++
	if id <= l.newest[author] {
		a.late.Add(1)
	}
	l.newest[author] = id
	a.mu.Unlock()
	a.events.Add(1)
}

// numberAfter is the number behind the first occurrence of a key, 0 without one.
func numberAfter(p []byte, key string) (n uint64) {
	at := bytes.Index(p, []byte(key))
	if at < 0 {
		return 0
	}
	for _, c := range p[at+len(key):] {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// textAfter is what stands behind a key up to the next quote.
func textAfter(p []byte, key string) string {
	at := bytes.Index(p, []byte(key))
	if at < 0 {
		return ""
	}
	rest := p[at+len(key):]
	return string(rest[:max(bytes.IndexByte(rest, '"'), 0)])
}
