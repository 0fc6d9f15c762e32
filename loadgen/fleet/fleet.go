package fleet

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/feedgate/feedgate/loadgen/crowd"
	"github.com/feedgate/feedgate/loadgen/ledger"
	"github.com/feedgate/feedgate/loadgen/scenario"
)

// Process is one that Serve runs in.
type Process struct {
	In   io.WriteCloser // Serve's input
	Out  io.Reader      // Serve's output
	Wait func() error   // after In was closed: until it is gone
}

// Spawn starts a process.
type Spawn func(of int) (*Process, error)

// Fleet gives orders to processes. Its orders are for one goroutine; Cancel and
// Targets are for any.
type Fleet struct {
	ships    []*ship
	progress func(ship int, p *crowd.Progress)
	wg       sync.WaitGroup
}

// ship is one process.
type ship struct {
	Process
	answers chan *News // 1: the answer to the one order under way; closed when the process is gone

	mu   sync.Mutex
	gob  *gob.Encoder // guarded by mu
	fate error        // why answers was closed; set before
}

// Start starts n processes. progress is called with what they tell, one call at a
// time for each process.
func Start(n int, spawn Spawn, progress func(ship int, p *crowd.Progress)) (*Fleet, error) {
	f := &Fleet{progress: progress}
	for i := range n {
		p, err := spawn(n)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("fleet: process %d of %d: %w", i+1, n, err)
		}
		s := &ship{Process: *p, answers: make(chan *News, 1), gob: gob.NewEncoder(p.In)}
		f.ships = append(f.ships, s)
		f.wg.Go(func() { f.listen(i, s) })
	}
	return f, nil
}

// listen takes a process's news until it is gone.
func (f *Fleet) listen(i int, s *ship) {
	defer close(s.answers)
	in := gob.NewDecoder(s.Out)
	for {
		var n News
		if err := in.Decode(&n); err != nil {
			s.fate = err
			return
		}
		if n.Progress != nil {
			f.progress(i, n.Progress)
			continue
		}
		s.answers <- &n
	}
}

// Close ends all processes and waits for them.
func (f *Fleet) Close() error {
	var errs []error
	for _, s := range f.ships {
		s.In.Close()
	}
	f.wg.Wait()
	for _, s := range f.ships {
		errs = append(errs, s.Wait())
	}
	return errors.Join(errs...)
}

func (s *ship) send(o *Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gob.Encode(o)
}

// all gives every process an order and waits for all answers.
func (f *Fleet) all(order func(i int) *Order) ([]*News, error) {
	news := make([]*News, len(f.ships))
	errs := make([]error, len(f.ships))
	var wg sync.WaitGroup
	for i, s := range f.ships {
		wg.Go(func() {
			if err := s.send(order(i)); err != nil {
				errs[i] = fmt.Errorf("fleet: process %d: %w", i, err)
				return
			}
			n, ok := <-s.answers
			switch {
			case !ok:
				errs[i] = fmt.Errorf("fleet: process %d is gone: %w", i, s.fate)
			case n.Err != "":
				errs[i] = errors.New(n.Err)
			default:
				news[i] = n
			}
		})
	}
	wg.Wait()
	return news, errors.Join(errs...)
}

func (f *Fleet) same(o Order) error {
	_, err := f.all(func(int) *Order { return &o })
	return err
}

// perSource is how many clients a process connects from one loopback address, as
// package lean does.
const perSource = 4_000

// Setup divides the connections among the processes.
func (f *Fleet) Setup(s crowd.Setup) error {
	source := 0
	orders := make([]*Order, len(f.ships))
	for i := range orders {
		own := s
		own.From, own.To = s.Conns*i/len(f.ships), s.Conns*(i+1)/len(f.ships)
		own.Source = source
		source += (own.To-own.From)/perSource + 1
		orders[i] = &Order{Do: doSetup, Setup: &own}
	}
	_, err := f.all(func(i int) *Order { return orders[i] })
	return err
}

// Connect connects all, at a rate that is all processes' together.
func (f *Fleet) Connect(rate float64) error {
	return f.same(Order{Do: doConnect, Rate: rate / float64(len(f.ships))})
}

// ReadAll has all clients mark everything as read.
func (f *Fleet) ReadAll() error { return f.same(Order{Do: doReadAll}) }

// Drive has the plan worked off from a moment on, CLOCK_MONOTONIC.
func (f *Fleet) Drive(start int64) error { return f.same(Order{Do: doDrive, Start: start}) }

// Settle waits until every post's outcome is known and all clients are settled, but
// no longer than patience.
func (f *Fleet) Settle(patience time.Duration) error {
	return f.same(Order{Do: doSettle, Patience: patience})
}

// Posts is everything that was published. What had no answer counts if it came to
// anybody: then it has to come to all. unknown is how many others there are.
func (f *Fleet) Posts() (posts []ledger.Post, unknown int, err error) {
	news, err := f.all(func(int) *Order { return &Order{Do: doOutcome} })
	if err != nil {
		return nil, 0, err
	}
	var open []ledger.Post
	for _, n := range news {
		posts = append(posts, n.Outcome.Accepted...)
		open = append(open, n.Outcome.Open...)
	}
	if len(open) == 0 {
		return posts, 0, nil
	}
	if news, err = f.all(func(int) *Order { return &Order{Do: doSeen, Posts: open} }); err != nil {
		return nil, 0, err
	}
	known := map[int]bool{}
	for _, n := range news {
		for _, p := range n.Posts {
			if !known[p.Number] {
				known[p.Number] = true
				posts = append(posts, p)
			}
		}
	}
	return posts, len(open) - len(known), nil
}

// Verify is the ledger's word, of all processes together.
func (f *Fleet) Verify(posts []ledger.Post, s *scenario.Scenario) (*crowd.Verdict, error) {
	news, err := f.all(func(int) *Order {
		return &Order{Do: doVerify, Posts: posts, Quiet: s.Quiet.D(), Patience: s.Patience.D()}
	})
	if err != nil {
		return nil, err
	}
	sum := &crowd.Verdict{}
	never := false
	for _, n := range news {
		v := n.Verdict
		sum.Users += v.Users
		sum.Expected += v.Expected
		sum.Taken += v.Taken
		sum.Whole = max(sum.Whole, v.Whole)
		never = never || v.Whole == 0
		sum.Faults.Merge(&v.Faults)
	}
	if never {
		sum.Whole = 0
	}
	return sum, nil
}

// Cancel ends what is being done.
func (f *Fleet) Cancel() { f.tell(&Order{Do: doCancel}) }

// Targets says where clients connect to from now on.
func (f *Fleet) Targets(targets []string) { f.tell(&Order{Do: doTargets, Targets: targets}) }

func (f *Fleet) tell(o *Order) {
	for _, s := range f.ships {
		s.send(o) // a process that is gone is told of by the order under way
	}
}
