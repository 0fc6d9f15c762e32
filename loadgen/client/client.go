package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/feedgate/feedgate/gateway/wire"
	"github.com/feedgate/feedgate/loadgen/lean"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/meter"
)

// Line is a socket as a client needs it: *lean.Conn is one.
type Line interface {
	Send(text []byte) error
	Drop()
	Pause()
	Resume()
}

// Client is one user's device.
type Client struct {
	run  *Run   // set at construction
	user uint32 // likewise

	state    state // guarded by mu, as is all below
	wants    want
	fails    uint8 // attempts to connect since the last that worked
	met      bool  // it has been attached before
	n        uint64
	v        uint64
	live     int64  // posts that were due before then, CLOCK_MONOTONIC, it was not there for
	heard    int32  // when something came last, seconds since the process began
	asked    int32  // when the oldest of what is under way was asked for, likewise; 0: nothing is
	unread   uint32 // the feed's counter as last pushed
	talked   uint32 // the messages' counter as last pushed
	fresh    int32  // the server's time of the newest post that came without a gap, seconds since Run.Began
	mu       sync.Mutex
	line     Line
	stream   string
	book     ledger.Book
	task     *task // nil: nothing is under way
	farewell *wire.Bye
}

// state is how far a client is.
type state uint8

const (
	offline state = iota
	opening       // Dial was called
	greeting
	attached
)

// New makes a client that is offline.
func New(r *Run, user uint32) *Client { return &Client{run: r, user: user} }

// User is the user's number.
func (c *Client) User() uint32 { return c.user }

// Dialing: a connection is about to be opened. False: there is one. fails is how many
// attempts have failed since the last that worked.
func (c *Client) Dialing() (fails int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != offline || c.run.over.Load() {
		return 0, false
	}
	c.state = opening
	return int(c.fails), true
}

// Failed: Dial could not even begin. The client comes back later.
func (c *Client) Failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = offline
	c.run.code("dial: " + err.Error())
	c.back(c.backoff())
}

// Opened makes Client a lean.Handler.
func (c *Client) Opened(conn *lean.Conn) { c.open(conn) }

// Text makes Client a lean.Handler.
func (c *Client) Text(_ *lean.Conn, p []byte) { c.take(p) }

// Closed makes Client a lean.Handler.
func (c *Client) Closed(_ *lean.Conn, end lean.End) { c.closed(end) }

func (c *Client) open(l Line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line, c.state = l, greeting
	c.heard, c.asked = seconds(), seconds()
	r := wire.Request{ID: reConnect, Op: "connect", Feed: uint64(c.run.Feed)}
	if c.met {
		r.Resume = &wire.Resume{Stream: c.stream, N: c.n}
		r.Feed = 0
	}
	c.send(&r)
}

// take takes a frame.
func (c *Client) take(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = seconds()
	if e, ok := scanEvent(p); ok {
		c.event(e)
		return
	}
	if counts, ok := scanUnread(p); ok {
		c.run.Stats.Counters.Add(1)
		c.counters(counts)
		return
	}
	f, err := wire.DecodeServer(p)
	if err != nil {
		c.fault(ledger.Protocol, fmt.Sprintf("%v: %.200q", err, p))
		return
	}
	switch {
	case f.Re != nil && f.Err != nil:
		c.refused(int(*f.Re), f.Err)
	case f.Re != nil && f.OK != nil:
		c.answered(int(*f.Re), f.OK)
	case f.Event != nil:
		e := event{n: f.N, counted: f.Unread != nil, body: f.Event}
		if e.counted {
			e.counts = *f.Unread
		}
		c.event(e)
	case f.Reset != nil:
		c.reset(f.Reset, f.Unread)
	case f.HB != nil:
		c.heartbeat(*f.HB)
	case f.Bye != nil:
		c.farewell = f.Bye
	case f.Unread != nil:
		c.run.Stats.Counters.Add(1)
		c.counters(*f.Unread)
	default:
		c.fault(ledger.Protocol, fmt.Sprintf("a frame that is nothing: %.200q", p))
	}
}

// counters takes counters as they were pushed.
func (c *Client) counters(u wire.Counts) {
	if u.V >= c.v {
		c.v, c.unread, c.talked = u.V, u.Feed, u.Messages
	}
}

func (c *Client) heartbeat(n uint64) {
	c.run.Stats.Heartbeats.Add(1)
	var b [32]byte
	c.line.Send(append(strconv.AppendUint(append(b[:0], `{"ack":`...), c.n, 10), '}')) // if it fails, Closed follows
	if c.state == attached && n > c.n {
		c.gap()
	}
}

// closed is the end of a socket: when is the client to come back?
func (c *Client) closed(end lean.End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == attached {
		c.run.Stats.Attached.Add(-1)
	}
	c.run.Stats.Closed.Add(1)
	bye := c.farewell
	c.line, c.farewell, c.state, c.asked = nil, nil, offline, 0
	c.hangUp()
	if c.run.over.Load() {
		return
	}
	c.run.code("close: " + reasonOf(end))
	var refused *lean.RefusedError
	var violation lean.Violation
	switch {
	case errors.As(end.Err, &violation):
		c.fault(ledger.Protocol, end.Err.Error())
		c.back(c.backoff())
	case errors.As(end.Err, &refused) && refused.Status >= 400 && refused.Status < 500 && refused.Status != 429:
		c.fault(ledger.Refused, "the upgrade: "+end.Err.Error())
		c.back(-1)
	case errors.As(end.Err, &refused):
		wait, err := strconv.Atoi(refused.RetryAfter)
		if err != nil {
			c.back(c.backoff())
			return
		}
		c.back(time.Duration(wait)*time.Second + jitter(time.Second))
	case end.Code >= 4500 && end.Code < 5000:
		c.fault(ledger.Refused, fmt.Sprintf("closed with %d %q", end.Code, end.Reason))
		c.back(-1)
	case errors.Is(end.Err, lean.ErrDropped):
		c.back(0)
	case bye != nil:
		c.back(bye.Retry + jitter(bye.Spread))
	default:
		c.back(c.backoff())
	}
}

func reasonOf(end lean.End) string {
	var refused *lean.RefusedError
	switch {
	case errors.As(end.Err, &refused):
		return "HTTP " + strconv.Itoa(refused.Status)
	case end.Code != 0:
		return strconv.Itoa(end.Code) + " " + end.Reason
	default:
		return end.Err.Error()
	}
}

// back has the host bring the client back.
func (c *Client) back(after time.Duration) {
	if after < 0 {
		c.run.Stats.GivenUp.Add(1)
	}
	c.run.Host.Lost(c, after)
}

// backoff starts at half a second and ends at thirty, as docs/protocol.md says.
func (c *Client) backoff() time.Duration {
	d := min(500*time.Millisecond<<min(c.fails, 6), 30*time.Second)
	c.fails = min(c.fails+1, 100)
	return d/2 + jitter(d/2)
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// send sends a request. If it fails, Closed follows, or Look finds out.
func (c *Client) send(r *wire.Request) {
	if c.line == nil {
		return
	}
	var room [512]byte
	c.line.Send(wire.AppendRequest(room[:0], r))
}

func (c *Client) fault(k ledger.Kind, what string) { c.run.Fault(k, c.user, what) }

// seconds is CLOCK_MONOTONIC.
func seconds() int32 { return int32(meter.Now() / int64(time.Second)) }
