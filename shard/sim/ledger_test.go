package sim

import (
	"fmt"

	"github.com/feedgate/feedgate/feedengine"
)

// ledger is what clients were told of what they did. Guarded by world.mu.
type ledger struct {
	posts   map[string]*posting // by name, which is unique
	marks   map[string]feedengine.ID
	deleted map[feedengine.ID]int  // how often that was asked for
	gone    map[feedengine.ID]bool // acknowledged deletions
	edges   map[[2]string]*edge    // follower, author
	lost    map[feedengine.ID]bool // events that the database forgot
	forgot  bool                   // it forgot something

	said      int // numbers texts
	sayings   []*saying
	toggles   map[[3]string]*edge         // likes and hides: which, user, post or other
	blocks    int                         // that were asked for
	blocked   map[[2]string]bool          // ever
	noteMarks map[string]feedengine.ID    // of notifications
	talkMarks map[[2]string]feedengine.ID // user, conversation
}

// posting is one post that somebody wanted, in one or several tries.
type posting struct {
	author, name, text, key string
	followers               bool
	id                      feedengine.ID // as acknowledged, 0: it never was
	under                   int           // tries under way
}

// edge is what is known of one follow.
type edge struct {
	under   int  // requests under way
	unsure  bool // one has failed: what became of it is not known
	follows bool // as acknowledged last
	known   bool
}

func newLedger() *ledger {
	return &ledger{
		posts: map[string]*posting{}, marks: map[string]feedengine.ID{}, deleted: map[feedengine.ID]int{},
		gone: map[feedengine.ID]bool{}, edges: map[[2]string]*edge{}, lost: map[feedengine.ID]bool{},
		toggles: map[[3]string]*edge{}, blocked: map[[2]string]bool{}, noteMarks: map[string]feedengine.ID{},
		talkMarks: map[[2]string]feedengine.ID{},
	}
}

func (l *ledger) edge(user, author string) *edge {
	at := [2]string{user, author}
	if l.edges[at] == nil {
		l.edges[at] = &edge{}
	}
	return l.edges[at]
}

// fateOf is what the store knows of a post.
func (w *world) fateOf(id feedengine.ID) (all []string) {
	for shard := range w.shards {
		for _, ev := range w.db.Log(feedengine.ShardID(shard)) {
			if ev.ID == id || ev.Target == id {
				all = append(all, fmt.Sprintf("log %d/%d: %d by %s at %v", ev.Shard, ev.Seq, ev.Kind, ev.Actor, ev.ID.Time().Sub(w.began)))
			}
		}
	}
	if w.ledger.lost[id] {
		all = append(all, "which the store forgot")
	}
	return all
}

// checkLedger holds the ledger against the store.
func (w *world) checkLedger() error {
	l := w.ledger
	stands := map[string]feedengine.ID{} // by text
	events := map[feedengine.ID]*feedengine.Event{}
	gone := map[feedengine.ID]bool{}
	for shard := range w.shards {
		for i, ev := range w.db.Log(feedengine.ShardID(shard)) {
			if ev.Seq != uint64(i+1) {
				return fmt.Errorf("log %d has %d after %d", shard, ev.Seq, i)
			}
			events[ev.ID] = ev
			switch ev.Kind {
			case feedengine.KindPost:
				if first, twice := stands[ev.Post.Text]; twice {
					return fmt.Errorf("post %q stands twice: %d and %d", ev.Post.Text, first, ev.ID)
				}
				stands[ev.Post.Text] = ev.ID
			case feedengine.KindPostDeleted:
				gone[ev.Target] = true
			}
		}
	}
	for _, p := range l.posts {
		switch {
		case p.id == 0 || l.lost[p.id]:
		case events[p.id] == nil || events[p.id].Post == nil || events[p.id].Post.Text != p.text:
			return fmt.Errorf("post %d of %s, %q, was acknowledged and is not there", p.id, p.author, p.text)
		}
	}
	if err := w.checkSayings(); err != nil {
		return err
	}
	if err := w.db.Audit(); err != nil {
		return err
	}
	if l.forgot {
		return nil // which of the others were lost cannot be told
	}
	for id := range l.gone {
		if !gone[id] {
			return fmt.Errorf("the deletion of post %d was acknowledged and is not there", id)
		}
	}
	for user, upto := range l.marks {
		if got := w.db.Mark(user, feedengine.ListFeed); got < upto {
			return fmt.Errorf("%s has read up to %d, acknowledged was %d", user, got, upto)
		}
	}
	for at, e := range l.edges {
		if e.unsure || !e.known || e.under > 0 {
			continue
		}
		follows := false
		for _, f := range w.db.Facts(at[0]).Follows {
			follows = follows || f.Author == at[1]
		}
		if follows != e.follows {
			return fmt.Errorf("%s follows %s: %v, acknowledged was %v", at[0], at[1], follows, e.follows)
		}
	}
	return w.checkToggles()
}
