package gateway

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/gateway/wire"
)

func testBody(n int) *body { return &body{bytes: []byte(strings.Repeat("x", n))} }

// show is the outbox's content, as a line.
func (o *outbox) show() string {
	var out []string
	for _, e := range o.queue[o.head:] {
		switch {
		case e.body != nil:
			out = append(out, fmt.Sprintf("%d/v%d", e.n, e.counts.V))
		case e.frame.Kind == wire.ResetFrame:
			out = append(out, fmt.Sprintf("reset %d/v%d %s", e.n, e.frame.Counts.V, e.frame.Reset.Reason))
		case e.frame.Kind == wire.Goodbye:
			out = append(out, "bye")
		case e.moves:
			out = append(out, fmt.Sprintf("re %d at %d", e.frame.Re, e.n))
		default:
			out = append(out, fmt.Sprintf("re %d", e.frame.Re))
		}
	}
	if o.dirty {
		out = append(out, fmt.Sprintf("unread v%d", o.slot.V))
	}
	return strings.Join(out, ", ")
}

func TestOutboxRules(t *testing.T) {
	v := func(n uint64) wire.Counts { return wire.Counts{V: n} }
	re := func(n int64) *wire.Frame { return &wire.Frame{Kind: wire.Reply, Re: n} }
	now := int64(0) // steps add to it
	put := func(o *outbox, b *body, n uint64) verdict {
		v := o.event(b, n, wire.Counts{V: n}, 1000)
		if v == over {
			v = o.overflow(n, wire.Counts{V: n}, now)
		}
		return v
	}
	ev := func(n uint64) func(*outbox) verdict {
		return func(o *outbox) verdict { return put(o, testBody(100), n) } // 200 bytes each: 5 fit
	}
	later := func(ms int64, do func(*outbox) verdict) func(*outbox) verdict {
		return func(o *outbox) verdict { now += ms; return do(o) }
	}
	type step struct {
		do   func(*outbox) verdict
		want verdict
		show string
	}
	un := func(n uint64) func(*outbox) verdict {
		return func(o *outbox) verdict { return o.unread(v(n)) }
	}
	answer := func(n int64, bytes int) func(*outbox) verdict {
		return func(o *outbox) verdict { return o.answer(re(n), bytes) }
	}
	begin := func(n int64, at uint64) func(*outbox) verdict {
		return func(o *outbox) verdict { o.begin(re(n), 10, at); return taken }
	}
	reset := func(n uint64) func(*outbox) verdict {
		return func(o *outbox) verdict {
			o.putReset(wire.Reset{N: n, Reason: "view_rebuilt"}, v(n))
			return taken
		}
	}
	pop := func(o *outbox) verdict { o.pop(); return taken }
	void := func(n uint64) func(*outbox) verdict {
		return func(o *outbox) verdict {
			return put(o, &body{void: true, bytes: make([]byte, 100)}, n)
		}
	}
	for name, steps := range map[string][]step{
		"in order, once": {
			{ev(1), taken, "1/v1"}, {ev(2), taken, "1/v1, 2/v2"}, {ev(2), duplicate, "1/v1, 2/v2"}, {ev(1), duplicate, "1/v1, 2/v2"},
			{answer(9, 10), taken, "1/v1, 2/v2, re 9"}, {ev(4), taken, "1/v1, 2/v2, re 9, 4/v4"},
		},
		"counters coalesce": {
			{un(1), taken, "unread v1"}, {un(2), coalesced, "unread v2"}, {ev(3), coalesced, "3/v3"},
			{un(4), taken, "3/v3, unread v4"}, {void(5), taken, "3/v3, 5/v5, unread v4"},
		},
		"events become one reset, then it is full": {
			{answer(1, 10), taken, "re 1"},
			{ev(1), taken, "re 1, 1/v1"}, {ev(2), taken, "re 1, 1/v1, 2/v2"}, {ev(3), taken, "re 1, 1/v1, 2/v2, 3/v3"},
			{ev(4), taken, "re 1, 1/v1, 2/v2, 3/v3, 4/v4"}, {ev(5), taken, "re 1, 1/v1, 2/v2, 3/v3, 4/v4, 5/v5"},
			{un(9), taken, "re 1, 1/v1, 2/v2, 3/v3, 4/v4, 5/v5, unread v9"},
			{ev(6), replaced, "re 1, reset 6/v6 slow_consumer"},
			{ev(6), duplicate, "re 1, reset 6/v6 slow_consumer"},
			{ev(7), taken, "re 1, reset 6/v6 slow_consumer, 7/v7"}, {ev(8), taken, "re 1, reset 6/v6 slow_consumer, 7/v7, 8/v8"},
			{ev(9), taken, "re 1, reset 6/v6 slow_consumer, 7/v7, 8/v8, 9/v9"},
			{ev(10), taken, "re 1, reset 6/v6 slow_consumer, 7/v7, 8/v8, 9/v9, 10/v10"},
			{ev(11), taken, "re 1, reset 6/v6 slow_consumer, 7/v7, 8/v8, 9/v9, 10/v10, 11/v11"},
			{later(resetWait-1, ev(12)), replaced, "re 1, reset 12/v12 slow_consumer"}, // it came at once: still one reset
			{ev(13), taken, "re 1, reset 12/v12 slow_consumer, 13/v13"}, {ev(14), taken, "re 1, reset 12/v12 slow_consumer, 13/v13, 14/v14"},
			{ev(15), taken, "re 1, reset 12/v12 slow_consumer, 13/v13, 14/v14, 15/v15"},
			{ev(16), taken, "re 1, reset 12/v12 slow_consumer, 13/v13, 14/v14, 15/v15, 16/v16"},
			{ev(17), taken, "re 1, reset 12/v12 slow_consumer, 13/v13, 14/v14, 15/v15, 16/v16, 17/v17"},
			{later(1, ev(18)), full, "re 1, reset 12/v12 slow_consumer, 13/v13, 14/v14, 15/v15, 16/v16, 17/v17"},
			{pop, taken, "reset 12/v12 slow_consumer, 13/v13, 14/v14, 15/v15, 16/v16, 17/v17"},
			{pop, taken, "13/v13, 14/v14, 15/v15, 16/v16, 17/v17"},
			{ev(18), replaced, "reset 18/v18 slow_consumer"}, // the first reset has left: once more
		},
		"a void that is one too many": {
			{ev(1), taken, "1/v1"}, {ev(2), taken, "1/v1, 2/v2"}, {ev(3), taken, "1/v1, 2/v2, 3/v3"}, {ev(4), taken, "1/v1, 2/v2, 3/v3, 4/v4"},
			{ev(5), taken, "1/v1, 2/v2, 3/v3, 4/v4, 5/v5"}, {void(6), replaced, "reset 6/v6 slow_consumer"},
		},
		"a shard's reset": {
			{ev(5), taken, "5/v5"}, {un(6), taken, "5/v5, unread v6"}, {reset(2), taken, "reset 2/v2 view_rebuilt"},
			{ev(2), duplicate, "reset 2/v2 view_rebuilt"}, {ev(3), taken, "reset 2/v2 view_rebuilt, 3/v3"}, {reset(1), taken, "reset 1/v1 view_rebuilt"}, {ev(2), taken, "reset 1/v1 view_rebuilt, 2/v2"},
		},
		"sync goes back": {
			{ev(5), taken, "5/v5"}, {ev(6), taken, "5/v5, 6/v6"}, {begin(7, 3), taken, "re 7 at 3"},
			{ev(3), duplicate, "re 7 at 3"}, {ev(4), taken, "re 7 at 3, 4/v4"}, {ev(5), taken, "re 7 at 3, 4/v4, 5/v5"},
		},
		"replies are bounded, one of any size fits": {
			{answer(1, 9<<20), taken, "re 1"}, {answer(2, 1), full, "re 1"}, {pop, taken, ""},
			{answer(3, replyLimit-1), taken, "re 3"}, {answer(4, 1), taken, "re 3, re 4"}, {answer(5, 1), full, "re 3, re 4"},
		},
		"goodbye is last": {
			{ev(1), taken, "1/v1"}, {un(2), taken, "1/v1, unread v2"},
			{func(o *outbox) verdict { o.goodbye(&wire.Frame{Kind: wire.Goodbye}, false); return taken }, taken, "1/v1, bye"},
			{func(o *outbox) verdict { o.goodbye(&wire.Frame{Kind: wire.Goodbye}, true); return taken }, taken, "bye"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &outbox{}
			for i, s := range steps {
				if got := s.do(o); got != s.want {
					t.Fatalf("step %d: verdict %d, want %d", i, got, s.want)
				}
				if got := o.show(); got != s.show {
					t.Fatalf("step %d:\n got %s\nwant %s", i, got, s.show)
				}
			}
		})
	}
}

// TestOutboxRandom checks the bound, the order and the books over random use.
func TestOutboxRandom(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	o := &outbox{}
	const limit = 5000
	next, seen := uint64(0), uint64(0)
	for i := range 50_000 {
		switch rnd.IntN(8) {
		case 0, 1, 2:
			next++
			if o.event(testBody(rnd.IntN(600)), next, wire.Counts{V: next}, limit) == over {
				if o.overflow(next, wire.Counts{V: next}, 1) != replaced {
					t.Fatalf("seed %d, step %d: no reset", seed, i)
				}
			}
		case 3:
			o.unread(wire.Counts{V: next})
		case 4:
			o.answer(&wire.Frame{Kind: wire.Reply}, rnd.IntN(100))
		case 5:
			if rnd.IntN(40) == 0 && next > 5 {
				next -= uint64(rnd.IntN(5))
				o.begin(&wire.Frame{Kind: wire.Reply}, 1, next)
			}
		default:
			if e, ok := o.pop(); ok && (e.body != nil || e.moves) {
				if e.body != nil && e.n <= seen {
					t.Fatalf("seed %d, step %d: %d after %d", seed, i, e.n, seen)
				}
				seen = e.n
			} else if !ok {
				o.counters()
			}
		}
		events, replies, resets := 0, 0, 0
		for _, e := range o.queue[o.head:] {
			switch {
			case e.body != nil:
				events += int(e.cost)
			case e.frame.Kind == wire.ResetFrame:
				resets++
			default:
				replies += int(e.cost)
			}
		}
		if events != o.events || replies != o.reply || resets > 1 || o.reset != (resets == 1) || events > limit {
			t.Fatalf("seed %d, step %d: %d %d %d, books %d %d %v", seed, i, events, replies, resets, o.events, o.reply, o.reset)
		}
	}
	for ok := true; ok; {
		_, ok = o.pop()
	}
	if o.queue != nil || o.events != 0 || o.reply != 0 {
		t.Errorf("an empty outbox holds %v %d %d", o.queue, o.events, o.reply)
	}
}

// TestRepliesWeigh: what shards answer counts as what it is: a client that asks for
// long answers and takes none is slow.
func TestRepliesWeigh(t *testing.T) {
	g := newBareGateway(t, func(o *Options) {
		o.Shards = shardsWith(func(r feedengine.Request) feedengine.Result {
			res := plain(r)
			if _, is := r.Do.(feedengine.Unread); is {
				res.Chats = make([]feedengine.ChatCount, 10_000)
			}
			return res
		})
	})
	defer g.Close()
	long := strings.Repeat("x", 8000)
	for _, request := range []string{
		`"op":"unread"`, `"op":"publish","text":"` + long + `"`, `"op":"comment","post":"12","text":"` + long + `"`,
		`"op":"message","to":"ann","text":"` + long + `"`,
	} {
		f := attach(t, g)
		f.receive(`{"id":1,"op":"connect","token":"service:bob"}`)
		f.took()
		f.mu.Lock()
		f.stuck = true
		f.mu.Unlock()
		for range 150 {
			f.receive(`{"id":2,` + request + `}`)
		}
		f.mu.Lock()
		code := f.code
		f.mu.Unlock()
		if code != int(wire.CloseSlow) {
			t.Errorf("%.30s: closed with %d", request, code)
		}
	}
}

type shardsWith func(feedengine.Request) feedengine.Result

func (answer shardsWith) Submit(r feedengine.Request) { r.Done(answer(r)) }
