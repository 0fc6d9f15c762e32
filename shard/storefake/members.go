package storefake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// row is a node's row and when it was last renewed.
type row struct {
	feedengine.Member
	renewed time.Time
}

const (
	nameFree  = 10 * time.Second // who has not beaten for so long stands in nobody's way
	forgotten = time.Hour
)

// Beat is storage.Members'.
func (s *Store) Beat(ctx context.Context, m feedengine.Member) (roll feedengine.Roll, err error) {
	db := s.db
	err = s.write(ctx, "beat", func(bool) error {
		db.mu.Lock()
		defer db.mu.Unlock()
		now := time.Now()
		old, there := db.members[m.Node]
		younger := cmp.Or(old.Started.Compare(m.Started), cmp.Compare(old.Incarnation, m.Incarnation)) > 0
		if there && younger && now.Sub(old.renewed) < nameFree {
			return fmt.Errorf("node %s: %w", m.Node, feedengine.ErrFenced)
		}
		m.Beat = old.Beat + 1
		db.commit(step{beat: &row{m, now}})
		maps.DeleteFunc(db.members, func(_ string, r row) bool { return now.Sub(r.renewed) > forgotten })
		roll = feedengine.Roll{Now: now, Owners: db.listOwners()}
		for _, node := range slices.Sorted(maps.Keys(db.members)) {
			roll.Members = append(roll.Members, db.members[node].Member)
		}
		return nil
	})
	if err != nil {
		return feedengine.Roll{}, err
	}
	return roll, nil
}

// Leave is storage.Members'.
func (s *Store) Leave(ctx context.Context, node string, incarnation uint64) error {
	db := s.db
	return s.write(ctx, "leave", func(bool) error {
		db.mu.Lock()
		defer db.mu.Unlock()
		if db.members[node].Incarnation == incarnation {
			db.commit(step{leave: node})
		}
		return nil
	})
}

// Age lets everybody's last beat be d longer ago than it was.
func (s *Store) Age(d time.Duration) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	for node, r := range s.db.members {
		r.renewed = r.renewed.Add(-d)
		s.db.members[node] = r
	}
}
