package shard

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestPoolRefusesWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(2, 3)
		release := make(chan struct{})
		var running, ran atomic.Int32
		check := func(context.Context) {
			running.Add(1)
			<-release
			running.Add(-1)
			ran.Add(1)
		}
		for i := range 2 {
			if !p.Go(check) {
				t.Fatalf("check %d refused", i)
			}
			synctest.Wait()
		}
		for i := range 3 {
			if !p.Go(check) {
				t.Fatalf("check %d of the queue refused", i)
			}
		}
		synctest.Wait()
		if running.Load() != 2 || p.Waiting() != 3 {
			t.Fatalf("%d running, %d waiting, want 2 and 3", running.Load(), p.Waiting())
		}
		if p.Go(check) {
			t.Fatal("took a check beyond its queue")
		}
		close(release)
		synctest.Wait()
		if ran.Load() != 5 {
			t.Fatalf("ran %d, want 5", ran.Load())
		}
		if !p.Go(check) {
			t.Fatal("refused when free again")
		}
		p.Stop()
	})
}

func TestPoolStopCallsWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(1, 4)
		var ended, late atomic.Int32
		check := func(ctx context.Context) {
			if ctx.Err() != nil {
				late.Add(1)
			}
			<-ctx.Done()
			ended.Add(1)
		}
		for range 3 {
			if !p.Go(check) {
				t.Fatal("refused")
			}
		}
		synctest.Wait()
		p.Stop()
		if ended.Load() != 3 || late.Load() != 2 {
			t.Fatalf("after Stop %d checks had returned, %d were called late; want 3 and 2", ended.Load(), late.Load())
		}
		if p.Go(check) {
			t.Fatal("took a check after Stop")
		}
		p.Stop() // once more does no harm
	})
}
