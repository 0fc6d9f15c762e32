package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/feedgate/feedgate/feedengine"
)

// testLostReply loses the answer to a commit that happened.
func testLostReply(t *testing.T, h Harness) { lostOutcome(t, h, true) }

// testLostCommit loses a batch before its commit.
func testLostCommit(t *testing.T, h Harness) { lostOutcome(t, h, false) }

// lostOutcome resolves an unknown outcome as a log writer does: claim anew, then
// read what is there, which is final.
func lostOutcome(t *testing.T, h Harness, committed bool) {
	f := h.OpenFaulty(t, 4)
	w, other := claim(t, f.Store, "a", 1), claim(t, f.Store, "a", 2)
	w.post("alice", "before")
	w.commit(t)

	if committed {
		f.LoseReply()
	} else {
		f.LoseCommit()
	}
	w.post("alice", "which?")
	other.post("bob", "which?")
	lost := append(w.take(), other.take()...)
	err := f.Store.Append(t.Context(), []feedengine.Fence{w.fence(), other.fence()}, lost)
	if !errors.Is(err, feedengine.ErrUnknownOutcome) {
		t.Fatalf("append whose outcome was lost: %v, want ErrUnknownOutcome", err)
	}

	heads := Claim(t, f.Store, "a", 1, 2)
	for i, wr := range []*writer{w, other} {
		want := wr.head.Seq
		if !committed {
			want--
		}
		if heads[i].Seq != want || len(wr.written(t)) != int(want) {
			t.Errorf("shard %d stands at %+v with %d events, want seq %d", wr.shard, heads[i], len(wr.written(t)), want)
		}
	}
	// What was sent under the old epoch stays out, and work goes on.
	if err := f.Store.Append(t.Context(), []feedengine.Fence{w.fence(), other.fence()}, lost); !errors.Is(err, feedengine.ErrFenced) {
		t.Errorf("the lost batch again: %v, want ErrFenced", err)
	}
	w = claim(t, f.Store, "a", 1)
	w.post("alice", "after")
	w.commit(t)
}

// testBadRowAmongGood puts one row that can never be stored among 255 others, and
// isolates it by halving the batch, as a log writer does.
func testBadRowAmongGood(t *testing.T, h Harness) {
	for _, c := range []struct {
		name  string
		spoil func(w *writer, taken feedengine.ID)
	}{
		{"key taken", func(w *writer, _ feedengine.ID) { w.keyed("alice", "bad", "taken") }},
		{"post id taken", func(w *writer, taken feedengine.ID) { w.post("alice", "bad").ID = taken }},
	} {
		t.Run(c.name, func(t *testing.T) {
			const rows, culprit = 256, 77
			w := claim(t, h.Open(t, 4), "a", 1)
			taken := w.keyed("alice", "first", "taken")
			w.commit(t)

			attempts := 0
			var try func(from, to int) error
			try = func(from, to int) error {
				attempts++
				head := w.head
				for i := from; i < to; i++ {
					if i == culprit {
						c.spoil(w, taken.ID)
					} else {
						w.post("alice", fmt.Sprint(i))
					}
				}
				err := w.append(t)
				if err == nil {
					return nil
				}
				w.head = head // its seqs are free again
				if !errors.Is(err, feedengine.ErrRefused) {
					return err
				}
				if n := len(w.written(t)); n != int(head.Seq) {
					return fmt.Errorf("a refused batch left %d events, want %d", n, head.Seq)
				}
				if to-from == 1 {
					if from != culprit {
						return fmt.Errorf("row %d was refused: %w", from, err)
					}
					return nil
				}
				half := (from + to) / 2
				return errors.Join(try(from, half), try(half, to))
			}
			if err := try(0, rows); err != nil {
				t.Fatal(err)
			}
			got := w.written(t)
			if len(got) != rows { // the first, and all but the culprit
				t.Fatalf("log holds %d events, want %d", len(got), rows)
			}
			for i, e := range got {
				if e.Seq != uint64(i+1) || e.Post.Text == "bad" {
					t.Fatalf("event %d: %+v", i, e)
				}
			}
			if attempts != 17 { // 1 + 2·log2(256)
				t.Errorf("isolated by %d attempts, want 17", attempts)
			}
		})
	}
}

// testCancelled calls everything with a context that has ended.
func testCancelled(t *testing.T, h Harness) {
	s := h.Open(t, 4)
	w := claim(t, s, "a", 1)
	p := w.post("alice", "x")
	w.mark("alice", feedengine.ListFeed, p.ID)
	writes := w.take()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Append":    func() error { return s.Append(ctx, []feedengine.Fence{w.fence()}, writes) },
		"Claim":     func() error { _, err := s.Claim(ctx, "b", []feedengine.Fence{{Shard: 1, Epoch: 1}}); return err },
		"Owners":    func() error { _, err := s.Owners(ctx); return err },
		"Heads":     func() error { _, err := s.Heads(ctx); return err },
		"ReadLogs":  func() error { _, err := s.ReadLogs(ctx, []feedengine.Position{{Shard: 1}}, 10); return err },
		"Keys":      func() error { _, err := s.Keys(ctx, []feedengine.Key{{User: "a", Op: "b", Key: "c"}}); return err },
		"ReadLog":   func() error { _, err := s.ReadLog(ctx, 1, 0, 10); return err },
		"Load":      func() error { _, err := s.Load(ctx, []feedengine.LoadUser{{User: "alice"}}, 10); return err },
		"Followed":  func() error { _, _, err := s.Followed(ctx, "alice", []string{"bob"}); return err },
		"Post":      func() error { _, err := s.Post(ctx, p.ID); return err },
		"Feed":      func() error { _, err := s.Feed(ctx, "alice", 0, 10); return err },
		"Following": func() error { _, err := s.Following(ctx, "alice", "", 10); return err },
		"Followers": func() error { _, err := s.Followers(ctx, "alice", "", 10); return err },
		"Ping":      func() error { return s.Ping(ctx) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	// Nothing happened, and nothing is broken.
	if err := s.Append(t.Context(), []feedengine.Fence{w.fence()}, writes); err != nil {
		t.Fatalf("append afterwards: %v", err)
	}
	if got := w.written(t); len(got) != 1 || !cmp.Equal(got[0].Post, p) {
		t.Errorf("log: %d events", len(got))
	}
}
