//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
)

// named makes up users whose shards a node serves.
type named struct {
	owners []string
	last   int
}

func (f *fleet) names() (*named, error) {
	owners, err := f.nodes[0].owners()
	return &named{owners: owners}, err
}

func (m *named) of(node string) string {
	for {
		m.last++
		user := fmt.Sprint("u", m.last)
		if m.owners[xxhash.Sum64String(user)%uint64(len(m.owners))] == node {
			return user
		}
	}
}

// stage is a cluster of three nodes with nobody there yet.
func stage(ctx context.Context, s settings, shards int) (*fleet, *named, *audience, error) {
	f, err := launch(ctx, s, shards, 3)
	if err != nil {
		return nil, nil, nil, err
	}
	names, err := f.names()
	if err != nil {
		return nil, nil, nil, errors.Join(err, f.stop())
	}
	a, err := newAudience(f.secret)
	if err != nil {
		return nil, nil, nil, errors.Join(err, f.stop())
	}
	return f, names, a, nil
}

// leave ends the sockets and then the cluster.
func (f *fleet) leave(a *audience) error {
	a.pool.Close()
	return f.stop()
}

// authors are so many, whose shards the nodes own in turn, and who post there.
func (f *fleet) authors(names *named, n int) (all []author) {
	for i := range n {
		at := f.nodes[i%len(f.nodes)]
		all = append(all, author{name: names.of(at.name), at: at})
	}
	return all
}

// latency: 18 authors with 50 followers each, 200 posts a second; author,
// followers' shards and followers' sockets on three different nodes.
func latency(ctx context.Context, s settings, t *table) (err error) {
	f, names, a, err := stage(ctx, s, 256)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave(a)) }()
	var authors []author
	for i := range 18 {
		turn := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}[i%6]
		by := author{names.of(f.nodes[turn[0]].name), f.nodes[turn[0]], 50}
		var users []string
		for range by.followers {
			users = append(users, names.of(f.nodes[turn[1]].name))
		}
		if err := follow(ctx, f.nodes[turn[0]], users, []string{by.name}); err != nil {
			return err
		}
		for _, u := range users {
			if _, err := a.join(ctx, f.nodes[turn[2]], u); err != nil {
				return err
			}
		}
		authors = append(authors, by)
	}
	if err := a.joined(); err != nil {
		return err
	}
	var warm, posts traffic
	warm.post(ctx, authors, 200, 3*time.Second)
	if err := a.came(warm.due.Load(), 10*time.Second); err != nil {
		return err
	}
	a.forget()
	posts.post(ctx, authors, 200, s.duration)
	if err := a.came(warm.due.Load()+posts.due.Load(), 10*time.Second); err != nil {
		return err
	}
	p50, p99 := a.lag.Quantile(0.5), a.lag.Quantile(0.99)
	t.add("publish to socket across three nodes, p50", millis(p50), "10 ms", p50 < 10*time.Millisecond)
	t.add("publish to socket across three nodes, p99", millis(p99), "60 ms", p99 < 60*time.Millisecond)
	t.note("posts, refused, deliveries", fmt.Sprint(posts.posted.Load(), ", ", posts.refused.Load(), ", ", posts.due.Load()))
	t.note("gaps, out of order, resets, closed", a.faults())
	return nil
}

func (a *audience) faults() string {
	return fmt.Sprint(a.broken.Load(), ", ", a.late.Load(), ", ", a.resets.Load(), ", ", a.closed.Load())
}

// clean reports whether nobody saw anything but delay.
func (a *audience) clean() bool {
	return a.broken.Load()+a.late.Load()+a.resets.Load()+a.closed.Load() == 0
}

// crowd opens so many sockets, spread over the nodes, that follow one author each
// node's authors in turn.
func (f *fleet) crowd(ctx context.Context, a *audience, names *named, whom []author, each int) error {
	for i := range whom {
		var users []string
		for j := range each {
			users = append(users, names.of(f.nodes[(i+j)%len(f.nodes)].name))
		}
		if err := follow(ctx, f.nodes[i%len(f.nodes)], users, []string{whom[i].name}); err != nil {
			return err
		}
		for j, u := range users {
			if _, err := a.join(ctx, f.nodes[(i+j/len(f.nodes)+1)%len(f.nodes)], u); err != nil {
				return err
			}
		}
		whom[i].followers = each
	}
	return a.joined()
}

// often is how many posts a second the line cpu has: as many as the figures of
// centrifuge that the issue compares with were taken at. What a quiet cluster uses is
// shared by so many deliveries, and printed beside.
const often = 50

// processor: one author with 1,000 followers online, whose shards and sockets are
// spread over three nodes.
func processor(ctx context.Context, s settings, t *table) (err error) {
	f, names, a, err := stage(ctx, s, 256)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave(a)) }()
	by := []author{{name: names.of("node-1"), at: f.nodes[0]}}
	if err := f.crowd(ctx, a, names, by, 1000); err != nil {
		return err
	}
	var warm, posts traffic
	warm.post(ctx, by, often, 2*time.Second)
	if err := a.came(warm.due.Load(), 10*time.Second); err != nil {
		return err
	}
	before, err := f.used()
	if err != nil {
		return err
	}
	profiles := f.profiled()
	posts.post(ctx, by, often, s.duration)
	if err := a.came(warm.due.Load()+posts.due.Load(), 10*time.Second); err != nil {
		return err
	}
	if err := profiles(); err != nil {
		return err
	}
	after, err := f.used()
	if err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
	}
	quiet, err := f.used()
	if err != nil {
		return err
	}
	each := (after - before) / time.Duration(max(posts.due.Load(), 1))
	t.add("CPU of nodes and Redis per delivery across nodes", micros(each), "15 µs", each < 15*time.Microsecond)
	t.note("deliveries; CPU per second of the quiet cluster", fmt.Sprint(posts.due.Load(), "; ",
		millis(time.Duration(float64(quiet-after)/time.Since(began).Seconds()))))
	t.note("gaps, out of order, resets, closed", a.faults())
	return nil
}

// away is how long Redis is.
const away = 5 * time.Second

// outage: 100 posts a second of 12 authors with 50 followers each; Redis is
// killed and comes back empty.
func outage(ctx context.Context, s settings, t *table) (err error) {
	f, names, a, err := stage(ctx, s, 256)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave(a)) }()
	authors := f.authors(names, 12)
	if err := f.crowd(ctx, a, names, authors, 50); err != nil {
		return err
	}
	var posts traffic
	done := make(chan struct{}) // closed when the traffic has ended
	go func() {
		posts.post(ctx, authors, 100, 4*time.Second+away+6*time.Second)
		close(done)
	}()
	whole := time.Duration(-1)
	err = func() error {
		pause(ctx, 4*time.Second)
		if err := f.redis.stop(syscall.SIGKILL); err != nil {
			return err
		}
		pause(ctx, away)
		if err := f.redis.start(); err != nil {
			return err
		}
		back := time.Now()
		// Whole again: everything that was acknowledged 300 ms ago has come.
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
			due := posts.due.Load()
			pause(ctx, 300*time.Millisecond)
			if a.events.Load() >= due {
				whole = max(time.Since(back)-300*time.Millisecond, 0)
				return nil
			}
		}
		return nil
	}()
	<-done
	if err != nil {
		return err
	}
	missing := a.came(posts.due.Load(), 10*time.Second)
	t.add("Redis away for 5 s, 100 posts/s: refused", fmt.Sprint(posts.refused.Load()), "0", posts.refused.Load() == 0)
	t.add("  lost", fmt.Sprint(posts.due.Load()-a.events.Load()), "0", missing == nil && a.events.Load() == posts.due.Load())
	t.add("  gaps, out of order, resets, closed", a.faults(), "0, 0, 0, 0", a.clean())
	t.add("  streams whole after its return", millis(whole), "2 s", whole >= 0 && whole < 2*time.Second)
	if posts.first != nil {
		t.note("the first refusal", posts.first.Error())
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
