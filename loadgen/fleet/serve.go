package fleet

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/feedgate/feedgate/loadgen/crowd"
)

// every is how often a process tells its progress.
const every = 500 * time.Millisecond

// server is a process that is given orders.
type server struct {
	orders chan Order // unbuffered: one is done at a time

	mu     sync.Mutex
	out    *gob.Encoder       // guarded by mu
	crowd  *crowd.Crowd       // guarded by mu; set once, by doSetup
	cancel context.CancelFunc // guarded by mu: ends what is being done
	ended  bool               // guarded by mu: there are no more orders
}

// Serve obeys orders until there are no more.
func Serve(in io.Reader, out io.Writer) error {
	s := &server{orders: make(chan Order), out: gob.NewEncoder(out)}
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() {
		readErr = s.read(gob.NewDecoder(in))
	})
	done := make(chan struct{})
	wg.Go(func() { s.report(done) })
	var err error
	for o := range s.orders {
		if e := s.obey(o); e != nil && err == nil {
			err = e
		}
	}
	close(done)
	wg.Wait()
	if s.crowd != nil {
		s.crowd.Close()
	}
	return errors.Join(readErr, err)
}

// read passes orders on. At the input's end, what is being done is ended.
func (s *server) read(in *gob.Decoder) error {
	defer close(s.orders)
	for {
		var o Order
		if err := in.Decode(&o); err != nil {
			s.mu.Lock()
			s.ended = true
			if s.cancel != nil {
				s.cancel()
			}
			s.mu.Unlock()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return nil
			}
			return fmt.Errorf("fleet: orders: %w", err)
		}
		switch o.Do {
		case doCancel:
			s.mu.Lock()
			if s.cancel != nil {
				s.cancel()
			}
			s.mu.Unlock()
		case doTargets:
			s.mu.Lock()
			if s.crowd != nil {
				s.crowd.SetTargets(o.Targets) // they were parsed by who sent them
			}
			s.mu.Unlock()
		default:
			s.orders <- o
		}
	}
}

func (s *server) obey(o Order) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	s.cancel = cancel
	ended := s.ended
	s.mu.Unlock()
	if ended {
		cancel()
	}
	news, err := s.do(ctx, o)
	if err != nil && ctx.Err() == nil {
		news.Err = err.Error()
	}
	return s.tell(&news)
}

func (s *server) do(ctx context.Context, o Order) (n News, err error) {
	if o.Do == doSetup {
		c, err := crowd.New(*o.Setup)
		s.mu.Lock()
		s.crowd = c
		s.mu.Unlock()
		return n, err
	}
	c := s.crowd
	if c == nil {
		return n, errors.New("fleet: there is no crowd")
	}
	switch o.Do {
	case doConnect:
		err = c.Connect(ctx, o.Rate)
	case doReadAll:
		err = c.ReadAll(ctx)
	case doDrive:
		err = c.Drive(ctx, o.Start)
	case doSettle:
		if err = c.Settle(ctx, o.Patience); errors.Is(err, context.DeadlineExceeded) {
			err = nil // what did not settle, Verify tells of
		}
	case doOutcome:
		out := c.Outcome()
		n.Outcome = &out
	case doSeen:
		n.Posts = c.Seen(o.Posts)
	case doVerify:
		n.Verdict, err = c.Verify(ctx, o.Posts, o.Quiet, o.Patience)
	default:
		err = fmt.Errorf("fleet: no such order: %q", o.Do)
	}
	return n, err
}

func (s *server) tell(n *News) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Encode(n); err != nil {
		return fmt.Errorf("fleet: news: %w", err)
	}
	return nil
}

// report tells the progress until done is closed.
func (s *server) report(done <-chan struct{}) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-done:
			return
		}
		s.mu.Lock()
		c := s.crowd
		s.mu.Unlock()
		if c != nil && s.tell(&News{Progress: c.Progress()}) != nil {
			return // nobody listens: the input ends too
		}
	}
}
