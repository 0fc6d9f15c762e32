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

	"github.com/feedgate/feedgate/gateway/auth"
	"github.com/feedgate/feedgate/loadgen/lean"
)

// patience bounds what a child waits for.
const patience = 90 * time.Second

// crowd is the role clients: many lean clients, and what they were sent.
type crowd struct {
	pools   []*lean.Pool
	clients []*client

	ready  atomic.Int64 // handshakes done, and connects answered where there are such
	failed atomic.Int64
	closed atomic.Int64
	events atomic.Int64
	resets atomic.Int64
	beats  atomic.Int64
	gaps   atomic.Int64 // events whose n was not the next, without a reset

	target  atomic.Int64  // of events
	reached chan struct{} // 1: events is at target
	at      atomic.Int64  // when it came to that, CLOCK_MONOTONIC

	mu     sync.Mutex
	lags   histogram
	sample []byte // an event's frame
	why    error  // the first failure
}

// client is one lean client.
type client struct {
	crowd *crowd
	conn  *lean.Conn
	hello bool   // it says connect, and answers heartbeats
	live  bool   // its connect was answered, or there is none
	n     uint64 // of the last event
}

func (w *crowd) do(c command) (r report, err error) {
	switch c.Do {
	case "open":
		return w.open(c)
	case "aim": // at N more events
		w.target.Store(w.events.Load() + int64(c.N))
		return report{}, nil
	case "await": // the events aimed at
		return w.await()
	case "beat":
		for _, cl := range w.clients {
			cl.conn.Send([]byte(`{"ack":0}`)) // a client that is gone is counted
		}
		return report{N: len(w.clients)}, nil
	case "pause":
		for _, cl := range w.clients[len(w.clients)-c.N:] {
			cl.conn.Pause()
		}
		return report{N: c.N}, nil
	case "drop":
		return w.drop(c.N)
	case "tell":
		return w.tell(), nil
	}
	return r, fmt.Errorf("no such command")
}

// open opens so many connections and waits until all are ready.
func (w *crowd) open(c command) (report, error) {
	if w.reached == nil {
		w.reached = make(chan struct{}, 1)
	}
	target, err := lean.ParseTarget(c.URL)
	if err != nil {
		return report{}, err
	}
	tokens, err := mint(c)
	if err != nil {
		return report{}, err
	}
	pool, err := lean.NewPool(lean.Options{Rate: c.Rate, ReadBuffer: c.Buffer, FirstSource: c.First, Timeout: 30 * time.Second})
	if err != nil {
		return report{}, err
	}
	w.pools = append(w.pools, pool)
	began, before, failed := time.Now(), w.ready.Load(), w.failed.Load()
	for i := range c.N {
		cl := &client{crowd: w, hello: c.Hello}
		if cl.conn, err = pool.Dial(context.Background(), target, tokens[i], cl); err != nil {
			return report{}, err
		}
		w.clients = append(w.clients, cl)
	}
	for end := time.Now().Add(patience); w.ready.Load() < before+int64(c.N); time.Sleep(time.Millisecond) {
		if time.Now().After(end) || w.failed.Load() > failed {
			w.mu.Lock()
			defer w.mu.Unlock()
			return report{}, fmt.Errorf("%d of %d are open, %d failed; the first: %v", w.ready.Load()-before, c.N, w.failed.Load(), w.why)
		}
	}
	return report{N: c.N, Took: time.Since(began)}, nil
}

func mint(c command) ([]string, error) {
	tokens := make([]string, c.N)
	if !c.Hello {
		return tokens, nil
	}
	signer, err := auth.NewSigner(c.Secret, "", "")
	if err != nil {
		return nil, err
	}
	for i := range tokens {
		if tokens[i], err = signer.Mint(user(c.From+i), false, time.Hour); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// await waits for the events aimed at.
func (w *crowd) await() (report, error) {
	select {
	case <-w.reached:
		return report{At: time.Duration(w.at.Load()), Events: w.events.Load()}, nil
	case <-time.After(patience):
		return w.tell(), fmt.Errorf("%d events came of %d", w.events.Load(), w.target.Load())
	}
}

// drop resets the last n connections and waits until they are gone.
func (w *crowd) drop(n int) (report, error) {
	last := w.clients[len(w.clients)-n:]
	w.clients = w.clients[:len(w.clients)-n]
	before := w.closed.Load()
	for _, cl := range last {
		cl.conn.Drop()
	}
	for end := time.Now().Add(patience); w.closed.Load() < before+int64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return report{}, fmt.Errorf("%d of %d are gone", w.closed.Load()-before, n)
		}
	}
	return report{N: n}, nil
}

// tell is what was counted so far; the latencies begin anew.
func (w *crowd) tell() report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := report{
		At: now(), Events: w.events.Load(), Resets: w.resets.Load(), Beats: w.beats.Load(), Gaps: w.gaps.Load(), Closed: w.closed.Load(),
		P50: w.lags.quantile(0.5), P99: w.lags.quantile(0.99), Max: w.lags.max(), Sample: bytes.Clone(w.sample),
	}
	w.lags = histogram{}
	return r
}

// Opened, Text and Closed make client a lean.Handler.
func (cl *client) Opened(c *lean.Conn) {
	if !cl.hello {
		cl.live = true
		cl.crowd.ready.Add(1)
		return
	}
	c.Send([]byte(`{"id":1,"op":"connect"}`)) // if it fails, Closed follows
}

func (cl *client) Text(c *lean.Conn, p []byte) {
	w := cl.crowd
	switch {
	case bytes.HasPrefix(p, []byte(`{"n":`)):
		n, _ := digits(p[len(`{"n":`):])
		if cl.hello && n != cl.n+1 {
			w.gaps.Add(1)
		}
		cl.n = n
		w.event(p)
	case bytes.HasPrefix(p, []byte(`{"hb":`)):
		w.beats.Add(1)
		c.Send(append(strconv.AppendUint([]byte(`{"ack":`), cl.n, 10), '}'))
	case bytes.HasPrefix(p, []byte(`{"reset":`)):
		w.resets.Add(1)
		cl.n = after(p, `"n":`)
	case !cl.live && bytes.HasPrefix(p, []byte(`{"re":1,"ok":`)):
		cl.live, cl.n = true, after(p, `"n":`)
		w.ready.Add(1)
	}
}

func (cl *client) Closed(_ *lean.Conn, end lean.End) {
	w := cl.crowd
	w.closed.Add(1)
	if !cl.live {
		w.failed.Add(1)
		w.mu.Lock()
		if w.why == nil {
			w.why = fmt.Errorf("closed with %d %q, %w", end.Code, end.Reason, end.Err)
		}
		w.mu.Unlock()
	}
}

// event counts an event's frame, and notes how long ago it was sent.
func (w *crowd) event(p []byte) {
	at := now()
	total := w.events.Add(1)
	sent, ok := stampOf(p)
	w.mu.Lock()
	if ok {
		w.lags.add(at - sent)
	}
	w.sample = append(w.sample[:0], p...)
	w.mu.Unlock()
	if total == w.target.Load() {
		w.at.Store(int64(at))
		w.reached <- struct{}{}
	}
}
