package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/feedgate/feedgate/feedengine"
	"github.com/feedgate/feedgate/storage/storagetest"
)

func open(t testing.TB, dir string, shards int) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir, Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// poster appends posts to shard 1.
type poster struct {
	store *Store
	head  feedengine.Head
	tick  feedengine.Tick
}

// newPoster claims shard 1 and goes on from its head.
func newPoster(t testing.TB, s *Store) *poster {
	t.Helper()
	p := &poster{store: s}
	p.claim(t)
	return p
}

func (p *poster) claim(t testing.TB) {
	t.Helper()
	p.head = storagetest.Claim(t, p.store, "a", 1)[0]
	p.tick = max(feedengine.TickAt(time.Now()), p.head.ID.Tick())
}

// post appends n posts in one commit. When it fails, their seqs are free again.
func (p *poster) post(t testing.TB, n int) error {
	t.Helper()
	before := p.head
	writes := make([]feedengine.Write, n)
	for i := range writes {
		p.tick++
		p.head.Seq++
		p.head.ID = p.tick.ID(1)
		writes[i] = feedengine.Write{Shard: 1, Event: &feedengine.Event{
			Shard: 1, Epoch: p.head.Epoch, Seq: p.head.Seq, ID: p.head.ID, Kind: feedengine.KindPost, Actor: "ann",
			Post: &feedengine.Post{ID: p.head.ID, Author: "ann", Kind: "post", Text: fmt.Sprint("post ", p.head.Seq)},
		}}
	}
	err := p.store.Append(t.Context(), []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}, writes)
	if err != nil {
		p.head = before
	}
	return err
}

// stored fails unless the log holds exactly the posts up to the head, once each.
func (p *poster) stored(t testing.TB) {
	t.Helper()
	stored(t, p.store, p.head.Seq, p.head.Seq)
}

// stored fails unless the log of shard 1 and ann's feed hold the posts 1 … n,
// once each, for an n from least to most.
func stored(t testing.TB, s *Store, least, most uint64) {
	t.Helper()
	events, err := s.ReadLog(t.Context(), 1, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if n := uint64(len(events)); n < least || n > most {
		t.Fatalf("the log holds %d events, want %d to %d", n, least, most)
	}
	page, err := s.Feed(t.Context(), "ann", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Posts) != len(events) {
		t.Fatalf("%d posts in the feed, %d in the log", len(page.Posts), len(events))
	}
	for i, e := range events {
		want := fmt.Sprint("post ", i+1)
		p := page.Posts[len(events)-1-i]
		if e.Seq != uint64(i+1) || e.Post.Text != want || p.Text != want || p.ID != e.ID {
			t.Fatalf("event %d is %+v, its post %+v", i+1, e, p)
		}
	}
}

func TestOpenMakesItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er? %41 #", "data")
	s := open(t, dir, 0)
	if s.Shards() != DefaultShards {
		t.Errorf("%d shards, want %d", s.Shards(), DefaultShards)
	}
	p := newPoster(t, s)
	if err := p.post(t, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), dir); err != nil {
		t.Errorf("migrate what is migrated: %v", err)
	}
	s = open(t, dir, DefaultShards)
	p.store = s
	p.stored(t)
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noDatabase := t.TempDir()
	if err := os.WriteFile(filepath.Join(noDatabase, databaseFile), []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	held := t.TempDir()
	open(t, held, 4)
	for _, c := range []struct {
		name string
		cfg  Config
		kind error  // nil: none that passes
		says string // part of the message
	}{
		{"negative shards", Config{Dir: t.TempDir(), Shards: -1}, nil, "1 to 1024"},
		{"too many shards", Config{Dir: t.TempDir(), Shards: 1025}, nil, "1 to 1024"},
		{"negative readers", Config{Dir: t.TempDir(), Readers: -1}, nil, "readers"},
		{"a file for a directory", Config{Dir: file}, feedengine.ErrUnavailable, "not a directory"},
		{"below a file", Config{Dir: filepath.Join(file, "x")}, feedengine.ErrUnavailable, "not a directory"},
		{"no database", Config{Dir: noDatabase}, feedengine.ErrUnavailable, "not a database"},
		{"in use", Config{Dir: held}, feedengine.ErrUnavailable, fmt.Sprintf("in use by process %d", os.Getpid())},
	} {
		s, err := Open(t.Context(), c.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		if got := errors.Is(err, feedengine.ErrUnavailable); got != (c.kind != nil) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q, of kind %v", c.name, err, c.says, c.kind)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := p.post(t, 1); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("append to a closed store: %v", err)
	}
	if _, err := s.Load(t.Context(), nil, 0); !errors.Is(err, feedengine.ErrUnavailable) {
		t.Errorf("load from a closed store: %v", err)
	}
}

// TestReadLogPastWaypoints reads a log in pieces from everywhere, also after its
// begin has been trimmed.
func TestReadLogPastWaypoints(t *testing.T) {
	const total = 4*waypointEvery + 50
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	p.tick = feedengine.TickAt(time.Now().Add(-48 * time.Hour))
	for range total / 50 {
		if p.head.Seq == 600 {
			p.tick = feedengine.TickAt(time.Now())
		}
		if err := p.post(t, 50); err != nil {
			t.Fatal(err)
		}
	}
	last := p.head.Seq
	check := func(first uint64) {
		t.Helper()
		for after := uint64(0); after < last+5; after += 37 {
			for _, limit := range []int{1, 2, 100, waypointEvery, 1 << 20} {
				events, err := s.ReadLog(t.Context(), 1, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				from := max(first, after+1)
				want := 0
				if from <= last {
					want = min(limit, int(last-from)+1)
				}
				if len(events) != want {
					t.Fatalf("%d events after %d, limit %d: want %d", len(events), after, limit, want)
				}
				for i, e := range events {
					if e.Seq != from+uint64(i) || e.Post.Text != fmt.Sprint("post ", e.Seq) {
						t.Fatalf("after %d, limit %d: event %d is %+v", after, limit, i, e)
					}
				}
			}
		}
	}
	check(1)
	for {
		n, err := s.Trim(t.Context(), time.Now().Add(-24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	check(601)
}

// TestDeletedTextGoes: a deleted post's text stays as long as its event is in
// the log, and no longer.
func TestDeletedTextGoes(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	p.tick = feedengine.TickAt(time.Now().Add(-48 * time.Hour))
	if err := p.post(t, 3); err != nil {
		t.Fatal(err)
	}
	events, err := s.ReadLog(t.Context(), 1, 0, 10)
	if err != nil || len(events) != 3 {
		t.Fatal(events, err)
	}
	text := func(i int) (text string) {
		err := database(t, s).QueryRow(`SELECT text FROM posts WHERE id = ?`, int64(events[i].ID)).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	remove := func(i int) {
		p.tick++
		p.head.Seq++
		p.head.ID = p.tick.ID(1)
		err := s.Append(t.Context(), []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}, []feedengine.Write{{Shard: 1, Event: &feedengine.Event{
			Shard: 1, Epoch: p.head.Epoch, Seq: p.head.Seq, ID: p.head.ID, Kind: feedengine.KindPostDeleted, Actor: "ann", Target: events[i].ID,
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	remove(0)
	if text(0) == "" {
		t.Error("the text is gone while the log needs it")
	}
	if _, err := s.Trim(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if text(0) != "" || text(1) == "" {
		t.Errorf("trimmed: texts %q (deleted), %q (not)", text(0), text(1))
	}
	remove(1)
	if text(1) != "" || text(2) == "" {
		t.Errorf("deleted after trimming: texts %q (deleted), %q (not)", text(1), text(2))
	}
}

// TestRefused tries what could not be read back as it was written, or in no
// database of the project.
func TestRefused(t *testing.T) {
	s := open(t, t.TempDir(), 4)
	p := newPoster(t, s)
	id := (p.tick + 1).ID(1)
	post := func(change func(*feedengine.Event)) feedengine.Write {
		e := &feedengine.Event{
			Shard: 1, Epoch: p.head.Epoch, Seq: 1, ID: id, Kind: feedengine.KindPost, Actor: "ann",
			Post: &feedengine.Post{ID: id, Author: "ann", Kind: "post", Text: "post 1"},
		}
		change(e)
		return feedengine.Write{Shard: 1, Event: e}
	}
	follow := func(e *feedengine.Event) { e.Kind, e.Post, e.Users = feedengine.KindFollow, nil, []string{"bob"} }
	writes := map[string]feedengine.Write{
		"U+0000 in a text":       post(func(e *feedengine.Event) { e.Post.Text = "a\x00b" }),
		"broken UTF-8 in a text": post(func(e *feedengine.Event) { e.Post.Text = "a\xff" }),
		"U+0000 in a name":       post(func(e *feedengine.Event) { follow(e); e.Actor = "a\x00" }),
		"broken UTF-8 in a user": post(func(e *feedengine.Event) { follow(e); e.Users[0] = "\xc3" }),
		"another's post":         post(func(e *feedengine.Event) { e.Post.Author = "bob" }),
		"no post":                post(func(e *feedengine.Event) { e.Post = nil }),
		"an unknown kind":        post(func(e *feedengine.Event) { e.Kind = 31 }),
		"a kind of no log":       post(func(e *feedengine.Event) { e.Kind = feedengine.KindRead }),
		"another epoch":          post(func(e *feedengine.Event) { e.Epoch++ }),
		"a mark of nobody":       {Shard: 1, Mark: &feedengine.Mark{User: "\x00", List: feedengine.ListFeed, Upto: 1}},
	}
	key := post(func(*feedengine.Event) {})
	key.Key = &feedengine.Key{User: "ann", Op: "publish", Key: "\xff", ID: id}
	writes["a broken key"] = key
	for name, w := range writes {
		err := s.Append(t.Context(), []feedengine.Fence{{Shard: 1, Epoch: p.head.Epoch}}, []feedengine.Write{w})
		if !errors.Is(err, feedengine.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
	if err := p.post(t, 1); err != nil {
		t.Errorf("a good post afterwards: %v", err)
	}
	p.stored(t)
}
