package route

import (
	"slices"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/shard/link"
)

// served is a server's surroundings.
type served struct {
	*Server
	t     *testing.T
	sent  []letter
	asked []handed
	from  []feedengine.GatewayID // of asked
	taken []feedengine.RejoinInput
	gone  []feedengine.GatewayID
}

func newServed(t *testing.T) *served {
	s := &served{t: t}
	s.Server = NewServer(ServerOptions{
		Host: s, Links: s, Epoch: func(feedengine.ShardID) uint64 { return 5 },
		Served:  func() []feedengine.Place { return []feedengine.Place{{Shard: 2, Epoch: 5}} },
		Metrics: metrics.NewSet(), Log: quiet,
	})
	return s
}

func (s *served) Send(to string, m link.Message) bool {
	s.sent = append(s.sent, letter{to, cloned(m)})
	return true
}

func (s *served) SubmitFrom(g feedengine.GatewayID, key string, r feedengine.Request) {
	s.asked, s.from = append(s.asked, handed{key, r}), append(s.from, g)
}

func (s *served) Rejoin(g feedengine.GatewayID, _ feedengine.ShardID, in feedengine.RejoinInput) bool {
	if in.Gateway != g {
		s.t.Errorf("gateway %d brought the sessions of %d", g, in.Gateway)
	}
	s.taken = append(s.taken, in)
	return true
}

func (s *served) GatewayGone(g feedengine.GatewayID) { s.gone = append(s.gone, g) }

// letter returns the one message that was sent since the last call.
func (s *served) letter() letter {
	s.t.Helper()
	if len(s.sent) != 1 {
		s.t.Fatalf("sent %+v", s.sent)
	}
	l := s.sent[0]
	s.sent = nil
	return l
}

var g1 = link.Peer{Node: "g", Incarnation: 1}

func TestServerAnswers(t *testing.T) {
	s := newServed(t)
	ask := link.Ask{ID: 7, Shard: 2, User: "ann", Do: feedengine.Publish{Text: "x"}, Key: "k", Deadline: time.Now().Add(time.Second)}
	s.Receive(g1, ask)
	s.Receive(g1, ask) // under way
	if len(s.asked) != 1 || s.asked[0].key != "k" || s.asked[0].User != "ann" || !s.asked[0].Deadline.Equal(ask.Deadline) || s.from[0] == 0 {
		t.Fatalf("asked %+v from %v", s.asked, s.from)
	}
	s.asked[0].Done(feedengine.Result{N: 3})
	if l := s.letter(); l.to != "g" || l.m.(link.Answer).ID != 7 || l.m.(link.Answer).Result.N != 3 || l.m.(link.Answer).Place != (feedengine.Place{Shard: 2, Epoch: 5}) {
		t.Fatalf("answered %+v", l)
	}
	s.Receive(g1, ask) // its answer was lost
	s.Receive(link.Peer{Node: "h", Incarnation: 1}, ask)
	if len(s.asked) != 3 || s.from[1] != s.from[0] || s.from[2] == s.from[0] {
		t.Fatalf("asked %+v from %v", s.asked, s.from)
	}
	s.asked[1].Done(feedengine.Result{Err: feedengine.ErrElsewhere})
	if l := s.letter(); !l.m.(link.Answer).Elsewhere || l.m.(link.Answer).Result.Err != nil {
		t.Fatalf("answered %+v", l)
	}
	for id := range uint64(maxUnanswered) {
		s.Receive(g1, link.Ask{ID: id, Shard: 2, User: "ann", Do: feedengine.Unread{}})
	}
	s.sent = nil
	s.Receive(g1, link.Ask{ID: 1 << 40, Shard: 2, User: "ann", Do: feedengine.Unread{}})
	if l := s.letter(); l.m.(link.Answer).Result.Err.Code != feedengine.Overloaded {
		t.Fatalf("answered %+v", l)
	}
}

func TestServerDelivers(t *testing.T) {
	s := newServed(t)
	at := feedengine.Place{Shard: 2, Epoch: 5}
	r := []feedengine.Rejoin{{User: "ann", Session: 1}}
	s.Receive(g1, link.Rejoin{Shard: 2, Sessions: r, Whole: true})
	r[0].User = "overwritten" // valid during the call only
	if len(s.taken) != 1 || !s.taken[0].Whole || s.taken[0].Sessions[0].User != "ann" {
		t.Fatalf("rejoined %+v", s.taken)
	}
	g := s.taken[0].Gateway
	s.Deliver(at, g, feedengine.Delivery{To: []feedengine.Recipient{{Session: 1, N: 1}}})
	if l := s.letter(); l.to != "g" || l.m.(link.Deliver).Place != at || len(l.m.(link.Deliver).To) != 1 {
		t.Fatalf("sent %+v", l)
	}
	s.Reset(at, g, feedengine.Reset{Session: 1, N: 9})
	if l := s.letter(); l.to != "g" || l.m.(link.Reset).Place != at || l.m.(link.Reset).N != 9 {
		t.Fatalf("sent %+v", l)
	}
	s.Deliver(at, g+1, feedengine.Delivery{})
	s.Reset(at, g+1, feedengine.Reset{})
	s.Deliver(at, 0, feedengine.Delivery{}) // the node has no gateway
	s.Reset(at, 0, feedengine.Reset{})
	if len(s.sent) != 0 {
		t.Errorf("sent %+v", s.sent)
	}
}

func TestServerGateways(t *testing.T) {
	s := newServed(t)
	unread := link.Ask{ID: 1, Shard: 2, User: "ann", Do: feedengine.Unread{}}
	g2 := link.Peer{Node: "g", Incarnation: 2}
	s.Receive(g1, link.Heads{}) // is nobody yet
	s.Receive(g1, unread)
	s.Receive(g2, unread) // another life: the first one's sessions end, and what it asked
	s.Receive(g1, unread) // a straggler
	if len(s.asked) != 2 || s.from[0] == s.from[1] || !slices.Equal(s.gone, s.from[:1]) {
		t.Fatalf("asked by %v, gone %v", s.from, s.gone)
	}
	s.asked[0].Done(feedengine.Result{})
	s.Deliver(feedengine.Place{}, s.from[0], feedengine.Delivery{})
	if len(s.sent) != 0 {
		t.Fatalf("sent %+v", s.sent)
	}
	s.Server.GatewayGone(g1)
	s.Server.GatewayGone(g2)
	s.Server.GatewayGone(g2)
	if len(s.gone) != 2 || s.gone[1] != s.from[1] {
		t.Fatalf("gone %v", s.gone)
	}
	s.Receive(g2, link.Heads{}) // it was not dead
	if l := s.letter(); l.to != "g" || l.m.(link.Serving).Places[0] != (feedengine.Place{Shard: 2, Epoch: 5}) {
		t.Fatalf("sent %+v", l)
	}
	s.Receive(g2, link.Heads{})
	s.Receive(g2, unread)
	if len(s.sent) != 0 || len(s.asked) != 3 || s.from[2] == s.from[1] || s.from[2] == s.from[0] {
		t.Fatalf("sent %+v, asked by %v", s.sent, s.from)
	}
	s.Receive(link.Peer{Node: "g", Incarnation: 3}, link.Heads{})
	if len(s.gone) != 3 {
		t.Fatalf("gone %v", s.gone)
	}
}

// A number comes again only after all others have been used.
func TestServerNumbers(t *testing.T) {
	s := newServed(t)
	s.Receive(link.Peer{Node: "stays", Incarnation: 1}, link.Ask{ID: 1})
	seen := map[feedengine.GatewayID]bool{s.from[0]: true}
	for i := range 1<<16 - 2 {
		s.Receive(link.Peer{Node: "g", Incarnation: uint64(i) + 1}, link.Ask{ID: 1})
		id := s.from[len(s.from)-1]
		if seen[id] || id == 0 {
			t.Fatalf("incarnation %d got %d again", i, id)
		}
		seen[id] = true
	}
	s.Receive(link.Peer{Node: "g", Incarnation: 1 << 20}, link.Ask{ID: 1})
	if id := s.from[len(s.from)-1]; id == 0 || id == s.from[0] {
		t.Errorf("two gateways are %d", id)
	}
}
