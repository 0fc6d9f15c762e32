package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/feedgate/feedgate/feedengine"
)

// fakeStore is a store in memory with the semantics of storage.Store, as far
// as this package uses it. It checks what its caller promises (seqs without
// holes, ascending ids) and collects what was broken, and it fails on demand.
//
// What its views say is computed from the logs, event by event, every time.
type fakeStore struct {
	// Set before use.
	fail   func(call string) fault         // asked at the start of each call; nil: no faults
	lag    func(feedengine.ShardID) uint64 // by how many events Load's snapshot trails; nil: none
	onLoad func([]feedengine.LoadUser)     // told of each Load that comes so far; nil: nobody
	slow   time.Duration                   // of each call
	poison string                          // a post with this text, or its mark's user, is refused

	mu       sync.Mutex
	logs     [][]*feedengine.Event // by shard; own copies
	epochs   []uint64
	owners   []string
	firsts   []uint64
	trimmed  []uint64 // last seq that is gone from the log
	keys     map[fakeKey]feedengine.Key
	posts    map[feedengine.ID]bool // ids that are taken
	marks    map[fakeMark]feedengine.ID
	ghost    func() // a commit still under way, until its shards are claimed
	calls    map[string]int
	defects  []string             // what the caller should not have done
	hidden   map[fakeKey]bool     // keys that the next lookup does not see
	appended [][]feedengine.Write // the commits
	slowUser time.Duration        // of a Load, for each user
}

type fakeKey struct{ user, op, key string }

type fakeMark struct {
	user string
	list feedengine.List
}

// fault is how one call goes wrong.
type fault int

const (
	works fault = iota
	faultUnavailable
	faultCommitted    // outcome unknown; it was committed
	faultNotCommitted // outcome unknown; it was not
	faultGhost        // outcome unknown; it commits when somebody claims
	faultHangs        // until the context ends; then as faultNotCommitted
	faultOdd          // an error that no contract names; it was committed
)

func (f fault) String() string {
	return [...]string{"works", "unavailable", "unknown, committed", "unknown, not committed", "ghost", "hangs", "odd"}[f]
}

func newFakeStore(shards int) *fakeStore {
	return &fakeStore{
		logs:    make([][]*feedengine.Event, shards),
		epochs:  make([]uint64, shards),
		owners:  make([]string, shards),
		firsts:  make([]uint64, shards),
		trimmed: make([]uint64, shards),
		keys:    map[fakeKey]feedengine.Key{},
		posts:   map[feedengine.ID]bool{},
		marks:   map[fakeMark]feedengine.ID{},
		calls:   map[string]int{},
		hidden:  map[fakeKey]bool{},
	}
}

// claimAll claims every shard, as a node does when it starts.
func (s *fakeStore) claimAll() []feedengine.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	var heads []feedengine.Head
	for shard := range s.logs {
		heads = append(heads, s.claim(feedengine.ShardID(shard)))
	}
	return heads
}

func (s *fakeStore) Claim(ctx context.Context, node string, expect []feedengine.Fence) ([]feedengine.Claimed, error) {
	switch s.begin(ctx, "claim") {
	case works:
	case faultUnavailable:
		return nil, feedengine.ErrUnavailable
	case faultHangs:
		<-ctx.Done()
		return nil, ctx.Err()
	case faultCommitted, faultGhost:
		defer func() { s.mu.Lock(); defer s.mu.Unlock(); s.claimEach(node, expect) }()
		return nil, feedengine.ErrUnknownOutcome
	default:
		return nil, feedengine.ErrUnknownOutcome
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range expect {
		if int(f.Shard) >= len(s.logs) {
			return nil, fmt.Errorf("shard %d: %w", f.Shard, feedengine.ErrRefused)
		}
	}
	return s.claimEach(node, expect), nil
}

func (s *fakeStore) claimEach(node string, expect []feedengine.Fence) (claimed []feedengine.Claimed) {
	for _, f := range expect {
		c := feedengine.Claimed{Shard: f.Shard, Won: s.epochs[f.Shard] == f.Epoch}
		if s.endGhost(); c.Won {
			s.owners[f.Shard] = node
			s.claim(f.Shard)
		}
		c.Head = s.head(f.Shard, 0)
		claimed = append(claimed, c)
	}
	return claimed
}

func (s *fakeStore) Owners(ctx context.Context) ([]feedengine.Owner, error) {
	if err := s.read(ctx, "owners"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var owners []feedengine.Owner
	for shard, epoch := range s.epochs {
		owners = append(owners, feedengine.Owner{Shard: feedengine.ShardID(shard), Node: s.owners[shard], Epoch: epoch})
	}
	return owners, nil
}

func (s *fakeStore) Heads(ctx context.Context) ([]feedengine.Head, error) {
	if err := s.read(ctx, "heads"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var heads []feedengine.Head
	for shard := range s.logs {
		heads = append(heads, s.head(feedengine.ShardID(shard), 0))
	}
	return heads, nil
}

// endGhost lets a commit that is still under way happen.
func (s *fakeStore) endGhost() {
	if s.ghost != nil {
		s.ghost()
		s.ghost = nil
	}
}

func (s *fakeStore) claim(shard feedengine.ShardID) feedengine.Head {
	s.endGhost()
	s.epochs[shard]++
	s.firsts[shard] = uint64(len(s.logs[shard])) + 1
	return s.head(shard, 0)
}

func (s *fakeStore) head(shard feedengine.ShardID, lag uint64) feedengine.Head {
	h := feedengine.Head{Epoch: s.epochs[shard], First: s.firsts[shard]}
	if n := uint64(len(s.logs[shard])); n > lag {
		h.Seq, h.ID = n-lag, s.logs[shard][n-lag-1].ID
	}
	return h
}

func (s *fakeStore) Append(ctx context.Context, fences []feedengine.Fence, writes []feedengine.Write) error {
	f := s.begin(ctx, "append")
	switch f {
	case faultUnavailable:
		return feedengine.ErrUnavailable
	case faultHangs:
		<-ctx.Done()
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	writes = copyWrites(writes)
	if err := s.check(fences, writes); err != nil {
		return err
	}
	switch f {
	case works:
		s.write(writes)
		return nil
	case faultCommitted:
		s.write(writes)
	case faultOdd:
		s.write(writes)
		return errors.New("something nobody thought of")
	case faultGhost:
		s.ghost = func() {
			if s.check(fences, writes) == nil {
				s.write(writes)
			}
		}
	}
	return fmt.Errorf("commit: %w", feedengine.ErrUnknownOutcome)
}

// check is what a database would refuse.
func (s *fakeStore) check(fences []feedengine.Fence, writes []feedengine.Write) error {
	fenced := map[feedengine.ShardID]uint64{}
	for _, f := range fences {
		if s.epochs[f.Shard] != f.Epoch {
			return fmt.Errorf("shard %d: %w", f.Shard, feedengine.ErrFenced)
		}
		fenced[f.Shard] = f.Epoch
	}
	tails := map[feedengine.ShardID]feedengine.Head{}
	keys, posts := map[fakeKey]bool{}, map[feedengine.ID]bool{}
	for _, w := range writes {
		epoch, ok := fenced[w.Shard]
		if !ok {
			s.defect("a write without a fence for shard %d", w.Shard)
			return fmt.Errorf("shard %d without a fence: %w", w.Shard, feedengine.ErrRefused)
		}
		if m := w.Mark; m != nil && s.poison != "" && m.User == s.poison {
			return fmt.Errorf("mark of %s: %w", m.User, feedengine.ErrRefused)
		}
		e := w.Event
		if e == nil {
			continue
		}
		t, ok := tails[w.Shard]
		if !ok {
			t = s.head(w.Shard, 0)
		}
		if e.Shard != w.Shard || e.Seq != t.Seq+1 || e.ID <= t.ID || e.Epoch != epoch {
			s.defect("shard %d: event %d of shard %d has seq %d of epoch %d after %+v", w.Shard, e.ID, e.Shard, e.Seq, e.Epoch, t)
			return fmt.Errorf("seq %d: %w", e.Seq, feedengine.ErrRefused)
		}
		tails[w.Shard] = feedengine.Head{Seq: e.Seq, ID: e.ID}
		if e.Post != nil && (s.poison != "" && e.Post.Text == s.poison || !utf8.ValidString(e.Post.Text) || strings.Contains(e.Post.Text, "\x00")) {
			return fmt.Errorf("post %d: %w", e.ID, feedengine.ErrRefused)
		}
		if e.Kind == feedengine.KindPost {
			if posts[e.Post.ID] || s.posts[e.Post.ID] {
				return fmt.Errorf("post %d twice: %w", e.Post.ID, feedengine.ErrRefused)
			}
			posts[e.Post.ID] = true
		}
		if k := w.Key; k != nil {
			at := fakeKey{k.User, k.Op, k.Key}
			if keys[at] || s.key(at) != nil {
				return fmt.Errorf("key %s: %w", k.Key, feedengine.ErrRefused)
			}
			keys[at] = true
			if k.ID != e.ID {
				s.defect("key %s names %d for event %d", k.Key, k.ID, e.ID)
			}
		}
	}
	return nil
}

func (s *fakeStore) write(writes []feedengine.Write) {
	s.appended = append(s.appended, writes)
	for _, w := range writes {
		if e := w.Event; e != nil {
			s.logs[w.Shard] = append(s.logs[w.Shard], e)
			if e.Post != nil {
				s.posts[e.Post.ID] = true
			}
		}
		if k := w.Key; k != nil {
			s.keys[fakeKey{k.User, k.Op, k.Key}] = *k
		}
		if m := w.Mark; m != nil {
			at := fakeMark{m.User, m.List}
			s.marks[at] = max(s.marks[at], m.Upto)
		}
	}
}

// copyWrites is what a database does: it keeps the bytes, not the pointers.
func copyWrites(writes []feedengine.Write) []feedengine.Write {
	writes = slices.Clone(writes)
	for i := range writes {
		if e := writes[i].Event; e != nil {
			c := *e
			writes[i].Event = &c
		}
	}
	return writes
}

func (s *fakeStore) Keys(ctx context.Context, ask []feedengine.Key) ([]*feedengine.Key, error) {
	if err := s.read(ctx, "keys"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]*feedengine.Key, len(ask))
	for i, k := range ask {
		at := fakeKey{k.User, k.Op, k.Key}
		if s.hidden[at] { // somebody else uses it between lookup and commit
			delete(s.hidden, at)
			continue
		}
		found[i] = s.key(at)
	}
	return found, nil
}

// key is a key that was used in the last 24 hours, or nil.
func (s *fakeStore) key(at fakeKey) *feedengine.Key {
	k, ok := s.keys[at]
	if !ok || time.Since(k.ID.Time()) > 24*time.Hour {
		return nil
	}
	return &k
}

func (s *fakeStore) ReadLog(ctx context.Context, shard feedengine.ShardID, after uint64, limit int) ([]*feedengine.Event, error) {
	return s.ReadLogs(ctx, []feedengine.Position{{Shard: shard, Seq: after}}, limit)
}

func (s *fakeStore) ReadLogs(ctx context.Context, after []feedengine.Position, limit int) (events []*feedengine.Event, err error) {
	if err := s.read(ctx, "readlog"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range after {
		from := max(p.Seq, s.trimmed[p.Shard])
		log := s.logs[p.Shard]
		events = append(events, log[min(from, uint64(len(log))):min(from+uint64(limit), uint64(len(log)))]...)
	}
	return events, nil
}

func (s *fakeStore) Load(ctx context.Context, users []feedengine.LoadUser, keep int) (*feedengine.Snapshot, error) {
	if err := s.read(ctx, "load"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	slow := time.Duration(len(users)) * s.slowUser
	s.mu.Unlock()
	if slow > 0 && !sleep(ctx, slow) {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onLoad != nil {
		s.onLoad(users)
	}
	snap := &feedengine.Snapshot{}
	facts := fakeFacts{follows: map[string]map[string]feedengine.ID{}, deleted: map[feedengine.ID]bool{}, marks: s.marks}
	for shard := range s.logs {
		var lag uint64
		if s.lag != nil {
			lag = s.lag(feedengine.ShardID(shard))
		}
		head := s.head(feedengine.ShardID(shard), lag)
		snap.Heads = append(snap.Heads, head)
		facts.add(s.logs[shard][:head.Seq])
	}
	slices.SortFunc(facts.posts, func(a, b *feedengine.Post) int { return cmp.Compare(a.ID, b.ID) })
	for _, u := range users {
		snap.Users = append(snap.Users, facts.user(u, keep))
	}
	return snap, nil
}

// fakeFacts are what logs say, up to some heads.
type fakeFacts struct {
	follows map[string]map[string]feedengine.ID // follower, author, since
	posts   []*feedengine.Post
	deleted map[feedengine.ID]bool
	marks   map[fakeMark]feedengine.ID
}

func (f *fakeFacts) add(log []*feedengine.Event) {
	for _, e := range log {
		switch e.Kind {
		case feedengine.KindPost:
			f.posts = append(f.posts, e.Post)
		case feedengine.KindPostDeleted:
			f.deleted[e.Target] = true
		case feedengine.KindFollow:
			if f.follows[e.Actor] == nil {
				f.follows[e.Actor] = map[string]feedengine.ID{}
			}
			for _, author := range e.Users {
				if _, ok := f.follows[e.Actor][author]; !ok {
					f.follows[e.Actor][author] = e.ID
				}
			}
		case feedengine.KindUnfollow:
			for _, author := range e.Users {
				delete(f.follows[e.Actor], author)
			}
		}
	}
}

func (f *fakeFacts) user(ask feedengine.LoadUser, keep int) feedengine.LoadedUser {
	u := feedengine.LoadedUser{User: ask.User}
	follows := f.follows[ask.User]
	for author, since := range follows {
		u.Follows = append(u.Follows, feedengine.Edge{Author: author, Since: since})
	}
	slices.SortFunc(u.Follows, func(a, b feedengine.Edge) int { return cmp.Compare(a.Author, b.Author) })
	u.Feed.Mark = f.marks[fakeMark{ask.User, feedengine.ListFeed}]
	if ask.Page > 0 {
		u.Page = &feedengine.Page{}
	}
	for _, p := range slices.Backward(f.posts) { // newest first
		since, followed := follows[p.Author]
		if f.deleted[p.ID] || !followed && p.Author != ask.User {
			continue
		}
		if p.Author != ask.User && p.ID > since && p.ID > u.Feed.Mark && u.Feed.Total < feedengine.MaxUnread {
			u.Feed.Total++
			if len(u.Feed.Unread) < keep {
				u.Feed.Unread = append(u.Feed.Unread, feedengine.UnreadID{ID: p.ID, Author: p.Author})
			}
		}
		if u.Page != nil {
			if len(u.Page.Posts) < ask.Page {
				u.Page.Posts = append(u.Page.Posts, p)
			} else {
				u.Page.Next = u.Page.Posts[ask.Page-1].ID
			}
		}
	}
	slices.Reverse(u.Feed.Unread)
	return u
}

func (s *fakeStore) Followed(ctx context.Context, user string, authors []string) (edges []feedengine.Edge, total int, err error) {
	snap, err := s.Load(ctx, []feedengine.LoadUser{{User: user}}, 0)
	if err != nil {
		return nil, 0, err
	}
	follows := snap.Users[0].Follows
	edges = slices.DeleteFunc(slices.Clone(follows), func(e feedengine.Edge) bool { return !slices.Contains(authors, e.Author) })
	return edges, len(follows), nil
}

func (s *fakeStore) Trim(ctx context.Context, before time.Time) (int, error) {
	if err := s.read(ctx, "trim"); err != nil {
		return 0, err
	}
	const piece = 10
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for shard, log := range s.logs {
		for s.trimmed[shard]+1 < uint64(len(log)) && n < piece && log[s.trimmed[shard]].ID.Time().Before(before) {
			s.trimmed[shard]++
			n++
		}
	}
	for at := range s.keys {
		if n < piece && s.keys[at].ID.Time().Before(before) && s.key(at) == nil {
			delete(s.keys, at)
			n++
		}
	}
	return n, nil
}

// read is a call that changes nothing: whatever goes wrong, it is unavailable.
func (s *fakeStore) read(ctx context.Context, call string) error {
	switch s.begin(ctx, call) {
	case works:
		return nil
	case faultHangs:
		<-ctx.Done()
		return ctx.Err()
	}
	return feedengine.ErrUnavailable
}

// begin counts the call, takes its time, and says how it is to go wrong.
func (s *fakeStore) begin(ctx context.Context, call string) fault {
	s.mu.Lock()
	s.calls[call]++
	s.mu.Unlock()
	if s.slow > 0 {
		sleep(ctx, s.slow)
	}
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if ctx.Err() != nil {
		return faultHangs
	}
	if fail == nil {
		return works
	}
	return fail(call)
}

func (s *fakeStore) defect(format string, args ...any) {
	s.defects = append(s.defects, fmt.Sprintf(format, args...))
}

func (s *fakeStore) trimmedRows() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seq := range s.trimmed {
		n += int(seq)
	}
	return n
}

// count is how often a call was made.
func (s *fakeStore) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

// setFail changes the faults while the store is in use.
func (s *fakeStore) setFail(fail func(call string) fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// log is a copy of what stands in one log.
func (s *fakeStore) log(shard feedengine.ShardID) []*feedengine.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logs[shard])
}

// restore comes back without up to so many of the last events of each log, as
// a database does that was restored or failed over. It returns what was lost.
func (s *fakeStore) restore(least func(shard, n int) int) (lost []*feedengine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ghost = nil
	for shard, log := range s.logs {
		n := len(log) - least(shard, len(log))
		for _, e := range log[n:] {
			lost = append(lost, e)
			delete(s.posts, e.ID)
		}
		s.logs[shard] = log[:n:n]
	}
	for at, k := range s.keys {
		if slices.ContainsFunc(lost, func(e *feedengine.Event) bool { return e.ID == k.ID }) {
			delete(s.keys, at)
		}
	}
	return lost
}
