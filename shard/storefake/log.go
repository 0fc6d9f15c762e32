package storefake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/feedgate/feedgate/feedengine"
)

// Claim is storage.Log's. A ghost that holds one of the shards ends first.
func (s *Store) Claim(ctx context.Context, node string, expect []feedengine.Fence) (claimed []feedengine.Claimed, err error) {
	db := s.db
	err = s.write(ctx, "claim", func(bool) error { // a claim that is a ghost is one that was committed
		db.mu.Lock()
		defer db.mu.Unlock()
		seen := map[feedengine.ShardID]bool{}
		for _, f := range expect {
			if int(f.Shard) >= len(db.logs) || seen[f.Shard] {
				return fmt.Errorf("shard %d: %w", f.Shard, feedengine.ErrRefused)
			}
			seen[f.Shard] = true
		}
		for _, f := range expect {
			db.endGhosts(func(g ghost) bool {
				return slices.ContainsFunc(g.fences, func(held feedengine.Fence) bool { return held.Shard == f.Shard })
			}, true)
			won := db.epochs[f.Shard] == f.Epoch
			if won {
				db.commit(step{claim: &feedengine.Owner{Shard: f.Shard, Node: node, Epoch: f.Epoch + 1}})
			}
			claimed = append(claimed, feedengine.Claimed{Shard: f.Shard, Won: won, Head: db.head(f.Shard, 0)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Owners is storage.Log's.
func (s *Store) Owners(ctx context.Context) ([]feedengine.Owner, error) {
	if err := s.read(ctx, "owners"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.listOwners(), nil
}

func (s *state) listOwners() (owners []feedengine.Owner) {
	for shard := range s.logs {
		owners = append(owners, feedengine.Owner{Shard: feedengine.ShardID(shard), Node: s.owners[shard], Epoch: s.epochs[shard]})
	}
	return owners
}

// Heads is storage.Log's.
func (s *Store) Heads(ctx context.Context) (heads []feedengine.Head, err error) {
	if err := s.read(ctx, "heads"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for shard := range s.db.logs {
		heads = append(heads, s.db.head(feedengine.ShardID(shard), 0))
	}
	return heads, nil
}

// Append is storage.Log's.
func (s *Store) Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error {
	db := s.db
	return s.write(ctx, "append", func(late bool) error {
		db.mu.Lock()
		defer db.mu.Unlock()
		for _, w := range writes {
			if err := checkContent(w.Event); err != nil {
				return err
			}
		}
		writes := copyWrites(writes)
		if err := db.check(fences, writes); err != nil {
			return err
		}
		if late {
			db.ghosts = append(db.ghosts, ghost{slices.Clone(fences), writes})
			return nil
		}
		if len(writes) > 0 {
			db.commit(step{writes: writes})
		}
		return nil
	})
}

// check is what a database would refuse.
func (db *database) check(fences []feedengine.Fence, writes []feedengine.Write) error {
	fenced := map[feedengine.ShardID]uint64{}
	for _, f := range fences {
		if db.epochs[f.Shard] != f.Epoch {
			return fmt.Errorf("shard %d: %w", f.Shard, feedengine.ErrFenced)
		}
		fenced[f.Shard] = f.Epoch
	}
	tails := map[feedengine.ShardID]feedengine.Head{}
	keys, posts, profiles := map[keyName]bool{}, map[feedengine.ID]bool{}, map[string]feedengine.Profile{}
	opened := map[string]bool{}
	for _, w := range writes {
		epoch, ok := fenced[w.Shard]
		if !ok {
			db.defect("a write without a fence for shard %d", w.Shard)
			return fmt.Errorf("shard %d without a fence: %w", w.Shard, feedengine.ErrRefused)
		}
		if m := w.Mark; m != nil && db.poison != "" && m.User == db.poison {
			return fmt.Errorf("mark of %s: %w", m.User, feedengine.ErrRefused)
		}
		e := w.Event
		if e == nil {
			continue
		}
		t, ok := tails[w.Shard]
		if !ok {
			t = db.head(w.Shard, 0)
		}
		switch {
		case e.Shard == w.Shard && e.Seq > t.Seq+1: // its writer does not know yet what was lost
			if !db.lossy {
				db.defect("shard %d: seq %d after %d", w.Shard, e.Seq, t.Seq)
			}
			return fmt.Errorf("shard %d: seq %d after %d: %w", w.Shard, e.Seq, t.Seq, feedengine.ErrFenced)
		case e.Shard != w.Shard || e.Seq != t.Seq+1 || e.ID <= t.ID || e.Epoch != epoch:
			db.defect("shard %d: event %d of shard %d has seq %d of epoch %d after %+v", w.Shard, e.ID, e.Shard, e.Seq, e.Epoch, t)
			return fmt.Errorf("seq %d: %w", e.Seq, feedengine.ErrRefused)
		}
		tails[w.Shard] = feedengine.Head{Seq: e.Seq, ID: e.ID}
		if err := db.checkPost(e, posts); err != nil {
			return err
		}
		if err := db.checkKey(w.Key, e, keys); err != nil {
			return err
		}
		if m, ok := e.Fact.(*feedengine.Message); ok && m.Opens {
			key := feedengine.ConversationKey(e.Users)
			if opened[key] || db.facts.talkOf[key] != 0 {
				return fmt.Errorf("conversation %d of the same people: %w", m.Conversation, feedengine.ErrRefused)
			}
			opened[key] = true
		}
		if p, ok := e.Fact.(*feedengine.Profile); ok {
			if field := db.facts.taken(e.Actor, *p, profiles); field != "" {
				return fmt.Errorf("profile of %s: %s: %w", e.Actor, field, feedengine.ErrRefused)
			}
			profiles[e.Actor] = *p
		}
	}
	return nil
}

func (db *database) checkPost(e *feedengine.Event, posts map[feedengine.ID]bool) error {
	if e.Post == nil {
		return nil
	}
	if db.poison != "" && e.Post.Text == db.poison {
		return fmt.Errorf("post %d: %w", e.ID, feedengine.ErrRefused)
	}
	if e.Kind != feedengine.KindPost {
		return nil
	}
	if posts[e.Post.ID] || db.taken[e.Post.ID] {
		return fmt.Errorf("post %d twice: %w", e.ID, feedengine.ErrRefused)
	}
	posts[e.Post.ID] = true
	return nil
}

// checkContent is what tables and JSON cannot take.
func checkContent(e *feedengine.Event) error {
	if e == nil {
		return nil
	}
	has := false
	switch e.Kind {
	case feedengine.KindPost, feedengine.KindPostEdited:
		has = e.Post != nil
	case feedengine.KindLike, feedengine.KindUnlike:
		_, has = e.Fact.(*feedengine.Like)
	case feedengine.KindComment:
		_, has = e.Fact.(*feedengine.Comment)
	case feedengine.KindMessage:
		_, has = e.Fact.(*feedengine.Message)
	case feedengine.KindSeen:
		_, has = e.Fact.(*feedengine.Seen)
	case feedengine.KindProfile:
		_, has = e.Fact.(*feedengine.Profile)
	default:
		has = e.Kind.Stored()
	}
	if !has {
		return fmt.Errorf("event %d of kind %d lacks what it is about: %w", e.ID, e.Kind, feedengine.ErrRefused)
	}
	all := fmt.Sprintf("%s %s %s %+v", e.Actor, e.Name, e.Users, e.Fact)
	if p := e.Post; p != nil {
		all += fmt.Sprintf("%+v", *p)
		if p.More != nil {
			all += fmt.Sprintf("%+v %+v", p.More.Media, p.More.Job)
		}
	}
	if !fits(all) {
		return fmt.Errorf("text of event %d: %w", e.ID, feedengine.ErrRefused)
	}
	return nil
}

// fits reports whether a text would come back as it was.
func fits(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func (db *database) checkKey(k *feedengine.Key, e *feedengine.Event, keys map[keyName]bool) error {
	if k == nil {
		return nil
	}
	at := keyName{k.User, k.Op, k.Key}
	if keys[at] || db.key(at) != nil {
		return fmt.Errorf("key %s: %w", k.Key, feedengine.ErrRefused)
	}
	keys[at] = true
	if k.ID != e.ID {
		db.defect("key %s names %d for event %d", k.Key, k.ID, e.ID)
	}
	return nil
}

// Keys is storage.Log's.
func (s *Store) Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error) {
	if err := s.read(ctx, "keys"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	found := make([]*feedengine.Key, len(ask))
	for i, k := range ask {
		at := keyName{k.User, k.Op, k.Key}
		if s.db.hidden[at] { // somebody else uses it between lookup and commit
			delete(s.db.hidden, at)
			continue
		}
		found[i] = s.db.key(at)
	}
	return found, nil
}

// ReadLog is storage.Log's.
func (s *Store) ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error) {
	if err := s.read(ctx, "readlog"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.piece(shard, after, limit), nil
}

// ReadLogs is storage.Log's.
func (s *Store) ReadLogs(ctx context.Context, after []feedengine.Position, limit int) (events []*feedengine.Event, err error) {
	if err := s.read(ctx, "readlogs"); err != nil {
		return nil, err
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for _, p := range after {
		events = append(events, s.db.piece(p.Shard, p.Seq, limit)...)
	}
	return events, nil
}

func (db *database) piece(shard feedengine.ShardID, after uint64, limit int) []*feedengine.Event {
	log := db.logs[shard]
	from := min(max(after, db.trimmed[shard]), uint64(len(log)))
	return slices.Clone(log[from:min(from+uint64(limit), uint64(len(log)))])
}

// Trim is storage.Log's.
func (s *Store) Trim(ctx context.Context, before time.Time) (int, error) {
	if err := s.read(ctx, "trim"); err != nil {
		return 0, err
	}
	const piece = 10
	db := s.db
	db.mu.Lock()
	defer db.mu.Unlock()
	n := 0
	for shard, log := range db.logs {
		for db.trimmed[shard]+1 < uint64(len(log)) && n < piece && log[db.trimmed[shard]].ID.Time().Before(before) {
			db.trimmed[shard]++
			n++
		}
	}
	for at := range db.keys {
		if n < piece && db.keys[at].ID.Time().Before(before) && db.key(at) == nil {
			delete(db.keys, at)
			n++
		}
	}
	return n, nil
}
