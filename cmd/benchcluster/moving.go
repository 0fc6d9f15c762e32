//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// residents of each shard in the line moves.
const residents = 400

// moves: 8 shards with 400 resident users each, all with sockets and following
// two of 16 authors that post 100 times a second; shards are moved by hand from node to
// node all the time.
func moves(ctx context.Context, s settings, t *table) (err error) {
	const shards = 8
	f, names, a, err := stage(ctx, s, shards)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave(a)) }()
	authors := f.authors(names, 16)
	if err := f.settle(ctx, a, authors, shards); err != nil {
		return err
	}
	var posts traffic
	done := make(chan struct{}) // closed when the traffic has ended
	during := max(s.duration, 20*time.Second)
	go func() {
		posts.post(ctx, authors, 100, during)
		close(done)
	}()
	moved := 0
	for end := time.Now().Add(during); time.Now().Before(end) && ctx.Err() == nil; moved++ {
		owners, err := f.nodes[0].owners()
		if err != nil {
			return err
		}
		shard := moved % shards
		to := f.nodes[(slices.IndexFunc(f.nodes, func(n *node) bool { return n.name == owners[shard] })+1)%len(f.nodes)]
		if err := f.move(ctx, shard, to.name); err != nil {
			return err
		}
	}
	<-done
	missing := a.came(posts.due.Load(), 10*time.Second)
	count, p99, err := f.pauses()
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("moving a shard of %d residents: pause, p99", residents), p99.String(), "100 ms", p99 <= 100*time.Millisecond && count > 0)
	t.note("moves asked, done; posts, refused", fmt.Sprint(moved, ", ", count, "; ", posts.posted.Load(), ", ", posts.refused.Load()))
	t.add("  lost", fmt.Sprint(posts.due.Load()-a.events.Load()), "0", missing == nil && a.events.Load() == posts.due.Load())
	t.add("  gaps, out of order, resets, closed", a.faults(), "0, 0, 0, 0", a.clean())
	t.note("publish to socket, p50, p99, max", millis(a.lag.Quantile(0.5))+", "+millis(a.lag.Quantile(0.99))+", "+millis(a.lag.Max))
	if posts.first != nil {
		t.note("the first refusal", posts.first.Error())
	}
	return nil
}

// settle fills the shards: each author's followers are spread over all of them.
func (f *fleet) settle(ctx context.Context, a *audience, authors []author, shards int) error {
	each := shards * residents / len(authors)
	for i := range authors {
		by := &authors[i]
		by.followers = each
		var users []string
		for j := range each {
			users = append(users, fmt.Sprintf("r%d-%d", i, j))
		}
		if err := follow(ctx, f.nodes[i%len(f.nodes)], users, []string{by.name}); err != nil {
			return err
		}
		for j, u := range users {
			if _, err := a.join(ctx, f.nodes[j%len(f.nodes)], u); err != nil {
				return err
			}
		}
	}
	return a.joined()
}

// move moves a shard and waits until it is served there.
func (f *fleet) move(ctx context.Context, shard int, to string) error {
	url := fmt.Sprintf("http://%s/cluster/move?shard=%d&node=%s", f.nodes[0].admin, shard, to)
	resp, err := f.nodes[0].client.Post(url, "application/json", strings.NewReader(fmt.Sprintf(`{"shard":%d,"node":%q}`, shard, to)))
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s", url, resp.Status)
	}
	return eventually(fmt.Sprintf("shard %d is at %s", shard, to), func() error {
		owners, err := f.nodes[0].owners()
		if err == nil && owners[shard] != to {
			err = fmt.Errorf("it is at %q", owners[shard])
		}
		return err
	})
}

// pauses reads from the nodes' metrics how many moves there were, and the upper
// bound of the bucket that holds the 99th percentile of their pauses.
func (f *fleet) pauses() (count int, p99 time.Duration, err error) {
	type bucket struct {
		upto  float64
		count int
	}
	var all []bucket
	for _, n := range f.nodes {
		b, err := n.get("/metrics")
		if err != nil {
			return 0, 0, err
		}
		for line := range strings.Lines(string(b)) {
			rest, ok := strings.CutPrefix(line, `feedgate_shard_move_pause_seconds_bucket{`)
			if !ok {
				continue
			}
			_, rest, _ = strings.Cut(rest, `vmrange="`)
			span, value, _ := strings.Cut(rest, `"`)
			_, upto, _ := strings.Cut(span, "...")
			x, err1 := strconv.ParseFloat(upto, 64)
			c, err2 := strconv.Atoi(strings.TrimSpace(value[strings.LastIndexByte(value, ' ')+1:]))
			if err := errors.Join(err1, err2); err != nil {
				return 0, 0, fmt.Errorf("/metrics: %w in %q", err, line)
			}
			all = append(all, bucket{x, c})
			count += c
		}
	}
	slices.SortFunc(all, func(a, b bucket) int {
		if a.upto < b.upto {
			return -1
		}
		return 1
	})
	sum := 0
	for _, b := range all {
		if sum += b.count; float64(sum) >= 0.99*float64(count) {
			return count, time.Duration(b.upto * float64(time.Second)), nil
		}
	}
	return count, 0, nil
}

// grow: three nodes with 1,024 shards get a fourth, while the machine is kept
// busy by posts.
func grow(ctx context.Context, s settings, t *table) (err error) {
	f, names, a, err := stage(ctx, s, 1024)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.leave(a)) }()
	authors := f.authors(names, 12)
	if err := f.crowd(ctx, a, names, authors, 50); err != nil {
		return err
	}
	before, err := f.nodes[0].owners()
	if err != nil {
		return err
	}
	var posts traffic
	under, stop := context.WithCancel(ctx)
	done := make(chan struct{}) // closed when the traffic has ended
	go func() {
		posts.post(under, authors, 100, time.Hour)
		close(done)
	}()
	began := time.Now()
	err = errors.Join(f.add(), f.settled())
	took := time.Since(began)
	stop()
	<-done
	if err != nil {
		return err
	}
	after, err := f.nodes[0].owners()
	if err != nil {
		return err
	}
	moved, astray := 0, 0
	for i := range before {
		switch {
		case before[i] == after[i]:
		case after[i] == "node-4":
			moved++
		default:
			astray++
		}
	}
	share := 100 * float64(moved) / float64(len(before))
	t.add("a fourth node takes of 1,024 shards", fmt.Sprintf("%.1f %%", share), "25 % ± 5", share >= 20 && share <= 30)
	t.add("  shards that changed owner otherwise", fmt.Sprint(astray), "0", astray == 0)
	t.note("until settled, with 2 s of quiet", took.Round(100*time.Millisecond).String())
	t.note("gaps, out of order, resets, closed", a.faults())
	return nil
}
