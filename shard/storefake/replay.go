package storefake

import "github.com/feedgate/feedgate/feedengine"

// Replay makes a database that has nothing but what the logs say.
func Replay(logs [][]*feedengine.Event) *Store {
	s := New(len(logs))
	for _, log := range logs {
		for _, e := range log {
			s.db.facts.apply(e)
		}
	}
	return s
}
