package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/feedgate/feedgate/shard/link"
)

const (
	askAgain      = time.Second      // links lose messages: a question is sent again
	askPatience   = 10 * time.Second // for a node's own work on a question
	maxAnswering  = 64               // questions of others at once; further ones wait to be sent again
	maxAnswerSize = 8 << 20
)

// Told is one node's answer.
type Told struct {
	Node string
	Data []byte // JSON
	Err  error
}

// ErrNoNode: there is no live node of that name.
var ErrNoNode = errors.New("no such node is alive")

// asks are questions on their way.
type asks struct {
	last      uint64
	open      map[uint64]chan link.Told // 1: the first answer is taken
	answering map[question]bool
}

type question struct {
	from link.Peer
	id   uint64
}

func newAsks() asks {
	return asks{open: map[uint64]chan link.Told{}, answering: map[question]bool{}}
}

// Query asks a node (itself too) one of "state", "check", "drain", "explain",
// "pin", "move" or what Options.Answer knows, with args that are JSON or nil, and returns its
// JSON. Questions may be asked twice on the way, so none changes more then.
func (n *Node) Query(ctx context.Context, node, what string, args []byte) ([]byte, error) {
	if node == n.opts.Node {
		return n.carryOut(ctx, what, args)
	}
	n.mu.Lock()
	if n.watch.dead(node) {
		n.mu.Unlock()
		return nil, fmt.Errorf("%w: %q", ErrNoNode, node)
	}
	n.asks.last++
	id := n.asks.last
	answer := make(chan link.Told, 1)
	n.asks.open[id] = answer
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.asks.open, id)
		n.mu.Unlock()
	}()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		n.links.Send(node, link.Query{ID: id, What: what, Args: args})
		select {
		case m := <-answer:
			if m.Err != "" {
				return nil, fmt.Errorf("%s: %s", node, m.Err)
			}
			return m.Data, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("%s does not answer: %w", node, ctx.Err())
		case <-n.ctx.Done():
			return nil, n.ctx.Err()
		case <-again.C:
		}
	}
}

// Gather asks all live nodes the same, this one too. The answers are in order of
// node.
func (n *Node) Gather(ctx context.Context, what string, args []byte) []Told {
	nodes := n.live()
	answers := make([]Told, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() {
			data, err := n.Query(ctx, node, what, args)
			answers[i] = Told{node, data, err}
		})
	}
	wg.Wait()
	return answers
}

// live are the nodes that are not dead, this one among them, in order.
func (n *Node) live() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	nodes := []string{n.opts.Node}
	for node, s := range n.watch.seen {
		if !s.dead && node != n.opts.Node {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// told takes an answer.
func (n *Node) told(m link.Told) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := n.asks.open[m.ID]
	if answer == nil {
		return // nobody waits any more
	}
	m.Data = slices.Clone(m.Data)
	select {
	case answer <- m:
	default: // an answer to the same question, sent again
	}
}

// asked takes a question of another node.
func (n *Node) asked(from link.Peer, m link.Query) {
	q := question{from, m.ID}
	args := slices.Clone(m.Args)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asks.answering[q] || len(n.asks.answering) >= maxAnswering || n.stopping {
		return
	}
	n.asks.answering[q] = true
	n.metrics.queries.Inc()
	n.spawn(func() {
		ctx, cancel := context.WithTimeout(n.ctx, askPatience)
		defer cancel()
		answer := link.Told{ID: m.ID}
		data, err := n.carryOut(ctx, m.What, args)
		switch {
		case err != nil:
			answer.Err = err.Error()
		case len(data) > maxAnswerSize:
			answer.Err = "the answer is too large to travel"
		default:
			answer.Data = data
		}
		n.mu.Lock()
		delete(n.asks.answering, q)
		n.mu.Unlock()
		n.links.Send(from.Node, answer)
	})
}

// carryOut answers a question.
func (n *Node) carryOut(ctx context.Context, what string, args []byte) ([]byte, error) {
	var answer any
	var err error
	switch what {
	case "state":
		answer = n.report()
	case "check":
		if err = n.Check(ctx); err == nil {
			answer = struct{}{}
		}
	case "drain":
		n.drainOnce.Do(func() { close(n.drainAsked) })
		answer = struct{}{}
	case "explain":
		answer, err = n.explain(ctx, args)
	case "pin", "move":
		var w wish
		if err = json.Unmarshal(args, &w); err == nil {
			answer, err = struct{}{}, n.grant(ctx, what, w)
		}
	default:
		if n.opts.Answer == nil {
			return nil, fmt.Errorf("%q is no question that this node knows", what)
		}
		answer, err = n.opts.Answer(ctx, what, args)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// DrainAsked is closed when an operator has asked this node to go ("drain"):
// then do as on SIGTERM.
func (n *Node) DrainAsked() <-chan struct{} { return n.drainAsked }

// CheckAll has all live nodes verify their shards. It returns what is broken and
// who did not answer, or nil.
func (n *Node) CheckAll(ctx context.Context) error {
	var errs []error
	for _, t := range n.Gather(ctx, "check", nil) {
		if t.Err != nil {
			errs = append(errs, t.Err)
		}
	}
	return errors.Join(errs...)
}
