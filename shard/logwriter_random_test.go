package shard

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/feedgate/feedgate/feedengine"
)

// Actors write through every kind of fault, and other nodes steal their shards
// and write there. Whatever happens: what was acknowledged stands in the log
// exactly once and where it was said to, what was refused does not, a log has no
// holes, its ids ascend, and everybody gets one answer.
func TestWriterThroughRandomFaults(t *testing.T) {
	const seeds = 12
	tally := map[string]int{} // writes by outcome, faults by call, over all seeds
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctested(t, func(t *testing.T) { writeThroughFaults(t, seed, tally) })
		})
	}
	for want, least := range map[string]int{
		"committed": seeds * randomShards * randomWrites / 10,
		"mark":      100, "prior": 100, "conflict": 10, "unavailable": 100, "internal": 10, "not taken": 100, "shards lost": seeds,
		"append unavailable": 1, "append unknown, committed": 1, "append unknown, not committed": 1,
		"append ghost": 1, "append hangs": 1, "append odd": 1, "claim unavailable": 1, "claim hangs": 1, "keys unavailable": 1,
	} {
		if tally[want] < least {
			t.Errorf("%q came up %d times, want %d: %v", want, tally[want], least, tally)
		}
	}
	t.Log(tally)
}

const (
	randomShards = 6
	randomWrites = 400 // of each shard
)

// chaos is the world around the writer.
type chaos struct {
	*writerBench
	mu    sync.Mutex // guards rng, and that a shard's ids are submitted in order
	rng   *rand.Rand
	tally map[string]int
	calls [randomShards][]*call
}

func (c *chaos) intn(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *chaos) fault(call string) fault {
	faults := []fault{faultUnavailable, faultHangs}
	if call == "append" {
		faults = append(faults, faultCommitted, faultNotCommitted, faultGhost, faultOdd, faultCommitted, faultNotCommitted, faultGhost)
	}
	if call == "claim" {
		faults = append(faults, faultCommitted, faultNotCommitted)
	}
	if c.intn(10) > 0 {
		return works
	}
	f := faults[c.intn(len(faults))]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally[call+" "+f.String()]++
	return f
}

// act is one shard's actor: it writes, now in bursts, now slowly.
func (c *chaos) act(shard feedengine.ShardID) {
	var keys []feedengine.Key
	for i := range randomWrites {
		if c.intn(3) == 0 {
			time.Sleep(time.Duration(c.intn(100)) * time.Millisecond)
		}
		kind := c.intn(20)
		c.mu.Lock()
		var w feedengine.Write
		switch {
		case kind < 3:
			w = c.mark(shard, fmt.Sprint("reader", shard), feedengine.ID(i+1))
		case kind < 4:
			w = c.follow(shard, 1+c.rng.IntN(300))
		case kind < 5:
			w = c.post(shard, "poison")
		case kind < 10: // a key, often one that was used lately, sometimes for something else
			key := fmt.Sprint("k", shard, "/", i)
			text := key
			if len(keys) > 0 && c.rng.IntN(2) == 0 {
				key = keys[len(keys)-1-c.rng.IntN(min(len(keys), 5))].Key
				if text = key; c.rng.IntN(5) == 0 {
					text = "something else"
				}
			}
			w = c.keyed(shard, key, text)
			copy(w.Key.Hash[:], text+strings.Repeat("-", 16))
			keys = append(keys, *w.Key)
		default:
			w = c.post(shard, "x")
		}
		var deadline time.Time
		if c.rng.IntN(10) == 0 {
			deadline = time.Now().Add(100 * time.Millisecond)
		}
		call := c.submitBy(w, deadline)
		c.calls[shard] = append(c.calls[shard], call)
		c.mu.Unlock()
		if call.refused != nil {
			time.Sleep(time.Duration(c.intn(500)) * time.Millisecond)
		}
	}
}

// steal has another node claim a shard now and then, and write there.
func (c *chaos) steal(until chan struct{}) {
	for {
		select {
		case <-until:
			return
		case <-time.After(time.Duration(c.intn(1500)) * time.Millisecond):
		}
		shard, write := feedengine.ShardID(c.intn(randomShards)), c.intn(2) == 0
		c.mu.Lock()
		foreign := c.post(shard, "foreign").Event
		c.store.mu.Lock()
		head := c.store.claim(shard)
		if write && foreign.ID > head.ID {
			foreign.Epoch, foreign.Seq = head.Epoch, head.Seq+1
			c.store.logs[shard] = append(c.store.logs[shard], foreign)
		}
		c.store.mu.Unlock()
		c.mu.Unlock()
	}
}

// own claims what was lost again, as a host does.
func (c *chaos) own(shards []feedengine.ShardID) {
	time.Sleep(time.Duration(c.intn(50)) * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally["shards lost"] += len(shards)
	for _, shard := range shards {
		c.store.mu.Lock()
		head := c.store.claim(shard)
		c.store.mu.Unlock()
		c.w.Own(shard, head)
	}
}

func writeThroughFaults(t *testing.T, seed uint64, tally map[string]int) {
	c := &chaos{rng: rand.New(rand.NewPCG(seed, 7)), tally: tally}
	var owning sync.WaitGroup
	set := metrics.NewSet()
	c.writerBench = newWriterBench(t, randomShards, func(o *WriterOptions) {
		o.MaxRows, o.Queue, o.Timeout, o.Metrics = 64, 200, time.Second, set
		o.OnLost = func(shards []feedengine.ShardID, err error) { owning.Go(func() { c.own(shards) }) }
	})
	c.store.poison = "poison"
	c.store.slow = 5 * time.Millisecond
	c.store.setFail(c.fault)

	var acting, stealing sync.WaitGroup
	until := make(chan struct{})
	for shard := range feedengine.ShardID(randomShards) {
		acting.Go(func() { c.act(shard) })
	}
	stealing.Go(func() { c.steal(until) })
	acting.Wait()
	close(until)
	stealing.Wait()
	synctest.Wait()
	c.stop()
	owning.Wait()

	known := map[feedengine.ID]int{}
	var order [randomShards]feedengine.ID
	for _, e := range c.known {
		known[e.ID]++
		if e.ID <= order[e.Shard] {
			t.Errorf("OnCommit told of %d of shard %d after %d", e.ID, e.Shard, order[e.Shard])
		}
		order[e.Shard] = e.ID
	}
	for shard, calls := range c.calls {
		at := map[feedengine.ID]*feedengine.Event{}
		for i, e := range c.store.logs[shard] {
			if e.Seq != uint64(i+1) || i > 0 && e.ID <= c.store.logs[shard][i-1].ID {
				t.Errorf("log %d: event %d has seq %d at place %d", shard, e.ID, e.Seq, i+1)
			}
			at[e.ID] = e
		}
		for i, call := range calls {
			verdict, ok := c.judge(call, at, known)
			tally[verdict]++
			if !ok {
				t.Errorf("shard %d, write %d: %s: refused %v, outcomes %+v", shard, i, verdict, call.refused, call.outcomes)
			}
		}
	}
}

// judge says how a write came out, and whether the log agrees.
func (c *chaos) judge(call *call, log map[feedengine.ID]*feedengine.Event, known map[feedengine.ID]int) (verdict string, ok bool) {
	event, mark, key := call.write.Event, call.write.Mark, call.write.Key
	var stands *feedengine.Event
	if event != nil {
		stands = log[event.ID]
	}
	absent := stands == nil && (event == nil || known[event.ID] == 0)
	if call.refused != nil {
		return "not taken", len(call.outcomes) == 0 && absent
	}
	if len(call.outcomes) != 1 {
		return "answered not once", false
	}
	switch o := call.outcomes[0]; {
	case o.Err == nil && o.Prior != nil:
		first := log[o.Prior.ID]
		return "prior", absent && first != nil && o.Prior.Hash == key.Hash && o.Prior.Key == key.Key
	case o.Err == nil && mark != nil:
		return "mark", c.store.marks[fakeMark{mark.User, mark.List}] >= mark.Upto
	case o.Err == nil:
		return "committed", stands != nil && o.Event == event && stands.Seq == event.Seq && stands.Epoch == event.Epoch && known[event.ID] == 1
	case call.is(feedengine.Conflict):
		used, found := c.store.keys[fakeKey{key.User, key.Op, key.Key}]
		return "conflict", absent && found && used.Hash != key.Hash
	case call.is(feedengine.Internal):
		return "internal", absent && event != nil && event.Post != nil && event.Post.Text == "poison"
	case call.is(feedengine.Unavailable):
		return "unavailable", absent
	}
	return cmp.Or(call.outcomes[0].Err.Error(), "?"), false
}
