//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
)

// Everybody follows the star, whose posts go to all, and otherwise people by a
// power law; those who will be slow also follow the flood.
const (
	star  = "star"
	flood = "flood"
)

func user(i int) string { return fmt.Sprint("u", i) }

// follows are the people that user i follows, the same in every run.
func follows(s *settings, i int) []string {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	law := rand.NewZipf(random, 1.1, 10, uint64(s.conns-1))
	all, seen := []string{star}, map[uint64]bool{uint64(i): true}
	if i >= s.conns {
		all = append(all, flood)
	}
	for len(all) < s.following {
		if a := law.Uint64(); !seen[a] {
			seen[a] = true
			all = append(all, user(int(a)))
		}
	}
	return all
}

// seed has everybody follow, over HTTP. Users from s.conns on are the slow ones.
func seed(ctx context.Context, n *node, s *settings) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan int) // unbuffered: the workers pace it
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range jobs {
				if err := n.call(ctx, "POST", "/v1/following", user(i), map[string]any{"users": follows(s, i)}); err != nil {
					cancel(fmt.Errorf("seed: %w", err))
				}
			}
		})
	}
	for i := range s.conns + s.slow {
		select {
		case jobs <- i:
		case <-ctx.Done():
		}
	}
	close(jobs)
	wg.Wait()
	return context.Cause(ctx)
}
