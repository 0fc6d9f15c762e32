package socket

import (
	"fmt"
	"math"
	"net"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/feedgate/feedgate/rawnet"
)

// epoll holds the descriptors of all plain connections in one epoll instance of
// its own. One goroutine waits there and hands on what it hears to a few that
// read and a few that write; none of them ever waits for a peer.
type epoll struct {
	srv   *Server
	ep    *rawnet.Epoll
	lobby *lobby // owned by poll

	reads, writes *runq

	mu    sync.Mutex
	asks  []func() // guarded by mu: for poll to call, in order. Each asker waits for one
	ended bool     // guarded by mu: poll will call no more
	over  bool     // owned by poll: it is to end
}

// edges is what every descriptor is registered for, once: edge-triggered, so
// that no frame costs an epoll_ctl. Readers and writers therefore go on until
// the kernel says that it has no more. Room to write is added to it when that was
// missing for the first time: else each new socket would be told of at once.
const edges = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

func newEpoll(srv *Server) (poller, error) {
	// Handlers do not wait, so more than this would only take turns.
	cores := runtime.GOMAXPROCS(0)
	p := &epoll{srv: srv, reads: newRunq(2 * cores), writes: newRunq(cores)}
	var err error
	if p.ep, err = rawnet.NewEpoll(); err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	p.lobby = newLobby(p)
	for range 2 * cores {
		srv.wg.Go(p.read)
	}
	for range cores {
		srv.wg.Go(p.write)
	}
	srv.wg.Go(p.poll)
	return p, nil
}

func (p *epoll) name() string { return "epoll" }

// stop ends the goroutines.
func (p *epoll) stop() {
	p.do(func() { p.over = true })
	p.reads.end()
	p.writes.end()
}

// do has poll's goroutine call f and waits for that. It says false when that has
// ended: f is not called. Not for use by handlers, which may be on that goroutine.
func (p *epoll) do(f func()) bool {
	done := make(chan struct{})
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return false
	}
	p.asks = append(p.asks, func() { f(); close(done) })
	p.ep.Wake()
	p.mu.Unlock()
	<-done
	return true
}

// answer calls what was asked for.
func (p *epoll) answer() {
	p.mu.Lock()
	asks := p.asks
	p.asks = nil
	p.mu.Unlock()
	for _, f := range asks {
		f()
	}
}

// watch changes what epoll tells of fd. Events come with id: of a socket, or of
// what is in the lobby its descriptor (ids of sockets are above).
func (p *epoll) watch(op, fd int, id uint64, events uint32) error {
	return p.ep.Ctl(op, fd, id, events)
}

// take makes the connection's descriptor the link's own: a duplicate, after
// which the net.Conn is closed. Kept, it would stay in the runtime's epoll too:
// that works, but costs 300 bytes of heap and 900 of resident memory per
// connection, 2 to 3 µs per inbound frame for waking a thread that finds nothing
// to do, and 0.1 µs per write through its RawConn (BenchmarkIdle,
// BenchmarkInbound and BenchmarkWriteWays, 2 cores).
func (p *epoll) take(s *Socket, c net.Conn) (link, error) {
	l := &parked{s: s, p: p}
	switch c := c.(type) {
	case *visit: // a front's
		l.fd, l.known = c.fd, c.watched
		return l, nil
	case *net.TCPConn, *net.UnixConn:
	default:
		return streams{p.srv}.take(s, c) // TLS: the bytes are not the connection's
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	ctl := raw.Control(func(fd uintptr) {
		l.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if ctl != nil {
		err = ctl
	}
	if err != nil {
		return nil, fmt.Errorf("socket: taking the descriptor: %w", err)
	}
	c.Close()
	return l, nil
}

// poll hands on events until stop.
func (p *epoll) poll() {
	events := make([]unix.EpollEvent, 256)
	for !p.over {
		n := p.ep.Wait(events, p.lobby.due())
		for _, e := range events[:n] {
			switch id := rawnet.ID(e); {
			case id == 0:
				p.answer()
			case id <= math.MaxInt32:
				p.lobby.event(int(id))
			default:
				if s := p.srv.reg.get(id); s != nil {
					s.link.(*parked).event(e.Events)
				}
			}
		}
		p.lobby.expire()
	}
	p.lobby.closeAll()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.answer() // who asked until then
	p.ep.Close()
}

// read serves readable sockets, one at a time: a handler may have to wait for the
// keys that a token is to be checked with, and nobody is to wait behind it.
func (p *epoll) read() {
	room, msg := make([]byte, 16<<10), []byte(nil)
	var one [1]*Socket
	for len(p.reads.pop(one[:])) > 0 {
		s := one[0]
		one[0] = nil
		if s.enter() {
			s.link.(*parked).turn(room, &msg)
			s.exit()
		}
	}
}

// write serves woken sockets.
func (p *epoll) write() {
	b := new(Batch)
	var room [atOnce]*Socket
	for {
		sockets := p.writes.pop(room[:])
		if len(sockets) == 0 {
			return
		}
		fetch(sockets)
		for i, s := range sockets {
			sockets[i] = nil
			if !s.enter() {
				continue
			}
			out := s.flush(b)
			s.exit()
			switch out {
			case more:
				s.link.wake()
			case ended:
				s.exit() // the link's reference
			}
		}
		p.srv.metrics.sent(&b.sent)
	}
}

// fetch has the processor fetch the sockets into its cache side by side, instead
// of one after the other as each is entered: an atomic exchange waits for all
// that was asked for before it, a load does not.
func fetch(sockets []*Socket) {
	for _, s := range sockets {
		s.refs.Load()
		s.due[dueWrite].Load()
		s.end.begun.Load()
	}
	for _, s := range sockets {
		s.link.(*parked).reading.Load()
	}
}
