package lean

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// ErrStopped: the pool was closed.
var ErrStopped = errors.New("lean: the pool is closed")

// Options are a pool's. Zero values mean the default that a comment gives.
type Options struct {
	Loops       int           // goroutines that read; 2
	Rate        float64       // connects per second; 0: as fast as it goes
	Opening     int           // handshakes under way at a time; 256
	Timeout     time.Duration // of a handshake, and of a close; 10 s
	MaxMessage  int           // bytes of a server's message; 4 MiB
	PerSource   int           // connections from one loopback address; 4,000
	FirstSource int           // loopback addresses to pass over: another process's
	ReadBuffer  int           // bytes of the kernel's receive buffer; 0: the system's
}

func (o Options) withDefaults() Options {
	orElse(&o.Loops, 2)
	orElse(&o.Opening, 256)
	orElse(&o.Timeout, 10*time.Second)
	orElse(&o.MaxMessage, 4<<20)
	orElse(&o.PerSource, 4000)
	return o
}

func orElse[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Pool is the connections of one process.
type Pool struct {
	// Set at construction.
	opts    Options
	loops   []*loop
	sources *sources
	pace    *pace
	opening chan struct{} // a place for each handshake under way; full: Dial waits

	live atomic.Int64
	next atomic.Uint64 // whose turn it is among the loops
	wg   sync.WaitGroup
}

// NewPool starts the loops.
func NewPool(o Options) (*Pool, error) {
	o = o.withDefaults()
	p := &Pool{
		opts:    o,
		sources: &sources{first: o.FirstSource, per: o.PerSource},
		pace:    &pace{},
		opening: make(chan struct{}, o.Opening),
	}
	if o.Rate > 0 {
		p.pace.every = time.Duration(float64(time.Second) / o.Rate)
	}
	for range o.Loops {
		l, err := newLoop(p)
		if err != nil {
			for _, l := range p.loops {
				l.close()
			}
			return nil, err
		}
		p.loops = append(p.loops, l)
	}
	for _, l := range p.loops {
		p.wg.Go(l.run)
	}
	return p, nil
}

// Live is how many connections there are, those that are still opening included.
func (p *Pool) Live() int { return int(p.live.Load()) }

// Close drops all connections and waits for the loops: no callback comes after it.
func (p *Pool) Close() {
	for _, l := range p.loops {
		l.stop()
	}
	p.wg.Wait()
}

// Dial begins a connection: when Rate and Opening allow, or ctx ends. The token
// goes into the handshake, "" for none. Callbacks may come before Dial returns.
// What fails at once is its error, what fails later Closed tells.
func (p *Pool) Dial(ctx context.Context, to *Target, token string, h Handler) (*Conn, error) {
	if err := p.pace.wait(ctx); err != nil {
		return nil, err
	}
	select {
	case p.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := p.connect(to, token, h)
	if err != nil {
		<-p.opening
		return nil, err
	}
	return c, nil
}

func (p *Pool) connect(to *Target, token string, h Handler) (*Conn, error) {
	c := &Conn{
		loop: p.loops[p.next.Add(1)%uint64(len(p.loops))], handler: h, source: -1,
		opening: newOpening(to.host, to.path, token),
	}
	fd, err := p.socket(c, to.addr)
	if err == nil {
		c.fd = int32(fd)
		if err = c.loop.add(c); err != nil {
			rawnet.Close(fd)
		}
	}
	if err != nil {
		if c.source >= 0 {
			p.sources.give(int(c.source))
		}
		return nil, err
	}
	return c, nil
}

// socket makes a descriptor that is on its way to addr.
func (p *Pool) socket(c *Conn, addr netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("lean: socket: %w", err)
	}
	defer func() {
		if err != nil {
			rawnet.Close(fd)
		}
	}()
	if err = rawnet.Setsockopt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return 0, fmt.Errorf("lean: TCP_NODELAY: %w", err)
	}
	if p.opts.ReadBuffer > 0 {
		if err = rawnet.Setsockopt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, p.opts.ReadBuffer); err != nil {
			return 0, fmt.Errorf("lean: SO_RCVBUF: %w", err)
		}
	}
	if addr.Addr().Is4() && addr.Addr().IsLoopback() {
		index, ip := p.sources.take()
		c.source = int32(index)
		// The port is chosen by connect, which knows the destination: bind would
		// want one that nobody uses for anything.
		if err = rawnet.Setsockopt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return 0, fmt.Errorf("lean: IP_BIND_ADDRESS_NO_PORT: %w", err)
		}
		if err = rawnet.Bind(fd, netip.AddrPortFrom(netip.AddrFrom4(ip), 0)); err != nil {
			return 0, fmt.Errorf("lean: bind to %v: %w", netip.AddrFrom4(ip), err)
		}
	}
	if err = rawnet.Connect(fd, addr); err != nil && err != unix.EINPROGRESS {
		return 0, fmt.Errorf("lean: connect: %w", err)
	}
	return fd, nil
}
