//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// timers is by when the kernel's retransmission timers of a round have expired.
// Each write leaves one behind (an acknowledgement does not take it back), which
// ends after about 200 ms in an interrupt that is charged to whoever runs then: in
// turns that follow each other at once, the one pays for the other's.
const timers = 500 * time.Millisecond

// deliver compares single posts to all with the floor's loop, turn and turn about.
func (r *run) deliver(ctx context.Context) error {
	var ours, bare []time.Duration
	var oursCPU, bareCPU cpu
	_, err := r.profiled("deliver", func() error {
		for range r.rounds {
			pause(ctx, timers)
			last, used, err := r.postToAll(ctx)
			if err != nil {
				return err
			}
			ours, oursCPU = append(ours, last), oursCPU.plus(used)
			pause(ctx, timers)
			if last, used, err = r.writeToAll(); err != nil {
				return err
			}
			bare, bareCPU = append(bare, last), bareCPU.plus(used)
		}
		return nil
	})
	if err != nil {
		return err
	}
	n := time.Duration(r.rounds * r.conns)
	x := float64(oursCPU.total()) / float64(bareCPU.total())
	r.table.add("delivery: CPU", micros(oursCPU.total()/n), micros(bareCPU.total()/n), ratio(x), "1.25", x <= 1.25)
	split := func(c cpu) string { return micros(c.user/n) + ", " + micros(c.system/n) }
	r.table.note("  user, system", split(oursCPU), split(bareCPU))
	slices.Sort(ours)
	slices.Sort(bare)
	a, b := ours[len(ours)/2], bare[len(bare)/2]
	x = float64(a) / float64(b)
	r.table.add("one post to all: the last has it after", millis(a), millis(b), ratio(x), "2.0", x <= 2)
	r.table.note("  at best, at worst", millis(ours[0])+", "+millis(ours[len(ours)-1]), millis(bare[0])+", "+millis(bare[len(bare)-1]))
	return nil
}

// How long a client may be silent before a heartbeat can come, and by when it has
// come, as the protocol says (jittered; timers are up to 200 ms late).
const (
	beatsFrom = 22 * time.Second
	beatsTill = 26 * time.Second
)

// beat has all clients give a sign of life, waits until their heartbeats are due,
// and counts what these cost beyond what the node costs while it does nothing.
func (r *run) beat(ctx context.Context) error {
	if _, err := r.crowd.do(command{Do: "beat"}); err != nil {
		return err
	}
	began := time.Now()
	pause(ctx, time.Second)
	const quiet = 10 * time.Second
	nothing, err := cost(r.node.pid(), func() error { pause(ctx, quiet); return nil })
	if err != nil {
		return err
	}
	pause(ctx, time.Until(began.Add(beatsFrom)))
	before, err := r.crowd.do(command{Do: "tell"})
	if err != nil {
		return err
	}
	used, err := r.profiled("beat", func() error { pause(ctx, time.Until(began.Add(beatsTill))); return nil })
	if err != nil {
		return err
	}
	after, err := r.crowd.do(command{Do: "tell"})
	if err != nil {
		return err
	}
	beats := after.Beats - before.Beats
	if beats < int64(r.conns)*9/10 {
		return fmt.Errorf("%d heartbeats of %d connections", beats, r.conns)
	}
	idle := nothing.total() * (beatsTill - beatsFrom) / quiet
	per := (used.total() - idle) / time.Duration(beats)
	r.table.add("heartbeat and its answer: CPU", micros(per), "", "", "30 µs", per <= 30*time.Microsecond)
	r.table.note("  of a core while nothing happens", fmt.Sprintf("%.1f %%", 100*idle.Seconds()/(beatsTill-beatsFrom).Seconds()), "")
	return nil
}

// overloaded offers more than can be delivered, and looks at what is.
func (r *run) overloaded(ctx context.Context) error {
	before, err := r.node.metrics()
	if err != nil {
		return err
	}
	if err := clearPeak(r.node.pid()); err != nil {
		return err
	}
	from, err := r.crowd.do(command{Do: "tell"})
	if err != nil {
		return err
	}
	var tried, failed atomic.Int64
	var slowest atomic.Int64
	probing, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for probing.Err() == nil {
			took, err := r.node.ready()
			tried.Add(1)
			if err != nil {
				failed.Add(1)
			}
			slowest.Store(max(slowest.Load(), int64(took)))
			pause(probing, 200*time.Millisecond)
		}
	})
	var till report
	_, err = r.profiled("overload", func() error {
		err := r.publish(ctx, r.posts, r.overload)
		till, _ = r.crowd.do(command{Do: "tell"})
		return err
	})
	end()
	wg.Wait()
	if err != nil {
		return err
	}
	drained := r.quiet(ctx)
	peak, err := statusOf(r.node.pid(), "VmHWM")
	if err != nil {
		return err
	}
	after, err := r.node.metrics()
	if err != nil {
		return err
	}
	all, err := r.crowd.do(command{Do: "tell"})
	if err != nil {
		return err
	}

	bareFrom, err := r.control.do(command{Do: "tell"})
	if err != nil {
		return err
	}
	if _, err := r.floor.do(command{Do: "write", Frame: r.frame, For: r.overload}); err != nil {
		return err
	}
	bareTill, err := r.control.do(command{Do: "tell"})
	if err != nil {
		return err
	}
	ours := float64(till.Events-from.Events) / (till.At - from.At).Seconds()
	bare := float64(bareTill.Events-bareFrom.Events) / (bareTill.At - bareFrom.At).Seconds()
	x := ours / bare
	r.table.add(fmt.Sprintf("%.0f posts/s to all: delivered per second", r.posts), fmt.Sprintf("%.0f", ours), fmt.Sprintf("%.0f", bare), ratio(x), "0.8", x >= 0.8)
	r.table.add("  /readyz: asked, failed, slowest", fmt.Sprintf("%d, %d, %s", tried.Load(), failed.Load(), millis(time.Duration(slowest.Load()))), "", "", "all", failed.Load() == 0)
	diff := func(name string) int64 { return int64(after[name] - before[name]) }
	r.table.note("  coalesced, reset, closed as slow", fmt.Sprintf("%d, %d, %d", diff("feedgate_outbox_coalesced_total"), diff("feedgate_outbox_resets_total"), diff("feedgate_outbox_full_total")), "")
	r.table.note("  events out of order, sockets lost", fmt.Sprintf("%d, %d", all.Gaps-from.Gaps, all.Closed-from.Closed), "")
	r.table.note("  offered, delivered in all", fmt.Sprintf("%.0f, %d", r.posts*r.overload.Seconds()*float64(r.conns), all.Events-from.Events), "")
	r.table.note("  the rest took", millis(drained), "")
	r.table.note("  peak RSS", mega(peak), "")
	return nil
}

// publish posts to all at a rate, each at its time whatever became of the others,
// and returns when the time is over.
func (r *run) publish(ctx context.Context, rate float64, long time.Duration) error {
	began := now()
	every := time.Duration(float64(time.Second) / rate)
	ctx, cancel := context.WithTimeout(ctx, long+patience)
	defer cancel()
	errs := make(chan error, int(rate*long.Seconds())+1) // one for each post
	sent := 0
	for at := began; at < began+long; at += every {
		pause(ctx, at-now())
		go func() { errs <- r.node.post(ctx, star, stamp(at)) }() // read below, or ended by ctx
		sent++
	}
	pause(ctx, began+long-now())
	for range sent {
		select {
		case err := <-errs:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// quiet waits until no more events come, and says how long that took.
func (r *run) quiet(ctx context.Context) time.Duration {
	const still = 500 * time.Millisecond
	began := now()
	for last := int64(-1); ctx.Err() == nil; {
		said, err := r.crowd.do(command{Do: "tell"})
		if err != nil || said.Events == last {
			break
		}
		last = said.Events
		pause(ctx, still)
	}
	return now() - began - still
}

// reconnect has some come back to views that are still there.
func (r *run) reconnect(context.Context) error {
	n := r.conns / 3
	if _, err := r.crowd.do(command{Do: "drop", N: n}); err != nil {
		return err
	}
	used, err := r.profiled("reconnect", func() error {
		_, err := r.crowd.do(r.open(r.conns-n, n, 0))
		return err
	})
	if err != nil {
		return err
	}
	per := used.total() / time.Duration(n)
	r.table.add("connect, its view still there: CPU", micros(per), "", "", "150 µs", per <= 150*time.Microsecond)
	return nil
}

// among compares the others' latency without and with clients that never read.
func (r *run) among(ctx context.Context) error {
	if _, err := r.crowd.do(command{Do: "drop", N: r.slow}); err != nil {
		return err
	}
	if _, err := r.crowd.do(r.open(r.conns, r.slow, 8<<10)); err != nil {
		return err
	}
	without, err := r.steadily(ctx)
	if err != nil {
		return err
	}
	if _, err := r.crowd.do(command{Do: "pause", N: r.slow}); err != nil {
		return err
	}
	before, err := r.node.metrics()
	if err != nil {
		return err
	}
	if err := r.block(ctx, before[writeAgain]+float64(r.slow)); err != nil {
		return err
	}
	with, err := r.steadily(ctx)
	if err != nil {
		return err
	}
	after, err := r.node.metrics()
	if err != nil {
		return err
	}
	x := float64(with.P99) / float64(without.P99)
	r.table.add(fmt.Sprintf("p99 of the others, %d never read", r.slow), millis(with.P99), millis(without.P99)+" without", ratio(x), "1.2", x < 1.2)
	r.table.note("  p50", millis(with.P50), millis(without.P50)+" without")
	diff := func(name string) string { return fmt.Sprintf("%.0f", after[name]-before[name]) }
	r.table.note("  full kernel buffers, resets, closes", diff(writeAgain)+", "+
		diff("feedgate_outbox_resets_total")+", "+diff(outboxFull), "")
	return r.cutOff(ctx, after)
}

// cutOff goes on posting to those that do not read until the node has given all of
// them up with 4102, which it is to live through.
func (r *run) cutOff(ctx context.Context, before map[string]float64) error {
	const every, most = 40 * time.Millisecond, 25 * time.Second // a blocked write is given up after 30 s
	large := strings.Repeat("x", 7900)
	began, closed, slowest := time.Now(), 0.0, time.Duration(0)
	for i := 0; closed < float64(r.slow) && time.Since(began) < most; i++ {
		if err := r.node.post(ctx, flood, large); err != nil {
			return err
		}
		if i%25 == 0 {
			took, err := r.node.ready()
			if err != nil {
				return err
			}
			slowest = max(slowest, took)
			m, err := r.node.metrics()
			if err != nil {
				return err
			}
			closed = m[outboxFull] - before[outboxFull]
		}
		pause(ctx, every)
	}
	r.table.add(fmt.Sprintf("  posted to on and on: of %d closed with 4102", r.slow), fmt.Sprintf("%.0f after %s", closed, millis(time.Since(began))), "", "", "all", closed >= float64(r.slow))
	r.table.note("  /readyz at its slowest meanwhile", millis(slowest), "")
	return nil
}

const (
	writeAgain  = "feedgate_socket_write_again_total" // writes that found a full kernel buffer
	outboxFull  = "feedgate_outbox_full_total"        // sockets given up as too slow
	floodPosts  = 800                                 // of 8 KB to each that does not read: more than any buffer takes
	steadyPosts = 3                                   // per second, to all
)

// block posts to those that do not read until the node has found so many full
// buffers.
func (r *run) block(ctx context.Context, full float64) error {
	large := strings.Repeat("x", 7900)
	for i := range floodPosts {
		if err := r.node.post(ctx, flood, large); err != nil {
			return err
		}
		if i%20 != 0 {
			continue
		}
		m, err := r.node.metrics()
		if err != nil || m[writeAgain] >= full {
			return err
		}
	}
	return fmt.Errorf("%d posts of 8 KB do not block those that do not read", floodPosts)
}

// steadily posts to all, well below what can be delivered.
func (r *run) steadily(ctx context.Context) (report, error) {
	r.quiet(ctx) // and the latencies begin anew
	if err := r.publish(ctx, steadyPosts, r.steady); err != nil {
		return report{}, err
	}
	return r.crowd.do(command{Do: "tell"})
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
