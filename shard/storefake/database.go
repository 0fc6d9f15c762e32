package storefake

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// database is what all connections share.
type database struct {
	mu      sync.Mutex
	state          // as of the last commit
	history []step // all that was ever committed, to be replayed when some of it is lost
	trimmed []uint64
	ghosts  []ghost
	defects []string
	lossy   bool // something was lost: writers may not know yet

	accounts

	// For tests; see Hide and Poison.
	hidden map[keyName]bool
	poison string
}

// state is what commits have made. It can be had again by replaying them.
type state struct {
	logs   [][]*feedengine.Event // by shard; own copies
	epochs []uint64
	firsts []uint64
	owners []string
	keys   map[keyName]feedengine.Key
	taken  map[feedengine.ID]bool // ids of posts, deleted or not
	facts  *facts

	members map[string]row
}

type keyName struct{ user, op, key string }

type markName struct {
	user string
	list feedengine.List
}

// step is one commit: writes, or the claim of a shard, or a change of members.
type step struct {
	writes []feedengine.Write
	claim  *feedengine.Owner
	beat   *row
	leave  string
}

// ghost is a commit still under way on a broken connection. It holds the rows of
// its shards locked.
type ghost struct {
	fences []feedengine.Fence
	writes []feedengine.Write
}

func newDatabase(shards int) *database {
	return &database{
		state:   newState(shards),
		trimmed: make([]uint64, shards),
		hidden:  map[keyName]bool{},

		accounts: newAccounts(),
	}
}

func newState(shards int) state {
	s := state{
		logs: make([][]*feedengine.Event, shards), epochs: make([]uint64, shards),
		firsts: make([]uint64, shards), owners: make([]string, shards),
		keys: map[keyName]feedengine.Key{}, taken: map[feedengine.ID]bool{}, facts: newFacts(),
		members: map[string]row{},
	}
	for i := range s.firsts {
		s.firsts[i] = 1
	}
	return s
}

// commit makes a step part of the history.
func (db *database) commit(one step) {
	db.history = append(db.history, one)
	db.state.apply(one)
}

func (s *state) apply(one step) {
	if c := one.claim; c != nil {
		s.epochs[c.Shard], s.owners[c.Shard] = c.Epoch, c.Node
		s.firsts[c.Shard] = uint64(len(s.logs[c.Shard])) + 1
	}
	if one.beat != nil {
		s.members[one.beat.Node] = *one.beat
	}
	delete(s.members, one.leave)
	for _, w := range one.writes {
		if e := w.Event; e != nil {
			s.logs[w.Shard] = append(s.logs[w.Shard], e)
			if e.Kind == feedengine.KindPost {
				s.taken[e.Post.ID] = true
			}
			s.facts.apply(e)
		}
		if k := w.Key; k != nil {
			s.keys[keyName{k.User, k.Op, k.Key}] = *k
		}
		if m := w.Mark; m != nil {
			at := markName{m.User, m.List}
			s.facts.marks[at] = max(s.facts.marks[at], m.Upto)
		}
	}
}

// head is where a log stands, or stood so many events ago.
func (s *state) head(shard feedengine.ShardID, lag uint64) feedengine.Head {
	h := feedengine.Head{Epoch: s.epochs[shard], First: s.firsts[shard]}
	if n := uint64(len(s.logs[shard])); n > lag {
		h.Seq, h.ID = n-lag, s.logs[shard][n-lag-1].ID
	}
	return h
}

// key is a key that was used in the last 24 hours, or nil.
func (s *state) key(at keyName) *feedengine.Key {
	k, ok := s.keys[at]
	if !ok || time.Since(k.ID.Time()) > 24*time.Hour {
		return nil
	}
	return &k
}

func (db *database) defect(format string, args ...any) {
	db.defects = append(db.defects, fmt.Sprintf(format, args...))
}

// copyWrites is what a database does: it keeps the bytes, not the pointers.
func copyWrites(writes []feedengine.Write) []feedengine.Write {
	writes = slices.Clone(writes)
	for i := range writes {
		if e := writes[i].Event; e != nil {
			c := *e
			c.Fact = nil
			if fact, err := feedengine.AppendFact(nil, e); err == nil {
				_ = feedengine.ReadFact(&c, fact) // what has been written can be read
			}
			writes[i].Event = &c
		}
	}
	return writes
}
