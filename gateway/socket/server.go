package socket

import (
	"context"
	"net"
	"sync"
)

// Server holds what all sockets of a process share: the poller, the timing wheel
// and the counters. Its goroutines end with Shutdown.
type Server struct {
	opts    Options
	wheel   *wheel
	metrics *counters
	poller  poller
	reg     *registry

	stop chan struct{}  // ends the wheel
	wg   sync.WaitGroup // the wheel, and the poller's goroutines
}

// A poller makes links: it decides how connections wait.
type poller interface {
	name() string
	take(s *Socket, c net.Conn) (link, error) // c is the link's from here on
	stop()                                    // when no socket is left; its goroutines end soon
}

// NewServer starts a server's goroutines. It fails when the poller is not to be had.
func NewServer(opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: opts, wheel: newWheel(), reg: newRegistry(), stop: make(chan struct{})}
	if s.poller, err = newPoller(s); err != nil {
		return nil, err
	}
	s.metrics = newCounters(opts.Metrics, s.reg.count, s.poller.name())
	s.wg.Go(func() { s.wheel.run(s.stop) })
	opts.Log.Info("sockets ready", "poller", s.poller.name())
	return s, nil
}

// newPoller is the poller asked for, or the best there is.
func newPoller(s *Server) (poller, error) {
	if s.opts.Poller == "goroutine" {
		return streams{s}, nil
	}
	p, err := newEpoll(s)
	if err != nil && s.opts.Poller == "" {
		s.opts.Log.Info("no epoll: a goroutine per connection", "err", err)
		return streams{s}, nil
	}
	return p, err
}

// Shutdown refuses new sockets, closes those that are left with 1001 and waits
// for them; when ctx ends it drops the rest. Then it ends the server's
// goroutines. It returns ctx's error if something had to be dropped.
func (s *Server) Shutdown(ctx context.Context) (err error) {
	all, first := s.reg.shutdown()
	for _, sock := range all {
		sock.Close(CodeGoingAway, "shutting down")
	}
	select {
	case <-s.reg.empty:
	case <-ctx.Done():
		err = context.Cause(ctx)
		for _, sock := range all {
			sock.kill(CloseShutdown)
		}
		<-s.reg.empty
	}
	if first {
		close(s.stop)
		s.poller.stop()
	}
	s.wg.Wait()
	return err
}

// forget is the last that happens to a socket.
func (s *Server) forget(sock *Socket) { s.reg.remove(sock) }
