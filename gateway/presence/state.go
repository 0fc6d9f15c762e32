package presence

import (
	"errors"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// errTooMany: the sessions of this node watch too many users already.
var errTooMany = errors.New("presence: too many users are watched on this node")

// state is what one node knows. It is pure but for here, which says whether a user
// has a socket on this node.
type state struct {
	node  string
	alone bool // there are no other nodes
	here  func(user string) bool

	// What this node's sessions watch.
	watched  map[string]*watched
	rotation []*watched // all of watched, in no order
	next     int        // where in rotation the next round begins
	subs     map[feedengine.SessionID]*sub
	behind   []*sub // to be shown something, the longest waiting first

	// What the others watch.
	wanted  map[string]time.Time // until when, unless it is said again
	said    map[string]bool      // of wanted, those of whom this node has said that they are here
	swept   time.Time            // when wanted was last swept
	on, off answers              // for the next message
	heard   map[string]uint64

	// What the others have told.
	peers map[string]*peer

	seq    uint64 // of this node's last message
	sentAt time.Time
	fresh  []*watched // to be told with the next message

	joined []string             // who is watched or wanted and has got a socket since the last round
	gone   map[string]time.Time // who has no socket any more, until Grace is over
	queue  []offline            // of gone, the longest first; some stand in it with an older time
	saving []feedengine.LastSeen
	lost   int // how many have been forgotten before they were saved
}

// watched is a user whom sessions of this node watch.
type watched struct {
	user     string
	slot     int       // its place in rotation
	first    uint64    // the message by which it is first told
	keep     time.Time // until when it is watched without a session
	here     bool      // on this node
	online   bool      // on any
	seen     time.Time
	watchers []watcher
}

// watcher is a session that watches, and which of its slots it does that by.
type watcher struct {
	sub  *sub
	slot int
}

// sub is what one session watches.
type sub struct {
	session feedengine.SessionID
	slots   []slot
	held    bool // its first answer is on the way: nothing is shown before that
	behind  bool // stands in state.behind
}

// slot is one user whom a session watches: as shown, and the watcher's place.
type slot struct {
	of     *watched
	online bool
	at     int
}

// peer is another node.
type peer struct {
	seq    uint64
	heard  time.Time
	acked  uint64               // this node's message that it has answered
	online map[string]time.Time // of watched, who is there, and when it last said so
}

func newState(node string, alone bool, here func(string) bool, now time.Time) *state {
	return &state{
		node: node, alone: alone, here: here,
		watched: map[string]*watched{}, subs: map[feedengine.SessionID]*sub{},
		wanted: map[string]time.Time{}, said: map[string]bool{}, heard: map[string]uint64{},
		peers: map[string]*peer{}, gone: map[string]time.Time{},
		seq: uint64(now.UnixMilli()), sentAt: now, swept: now,
	}
}

// idle says that nobody watches anybody: who comes need not be noticed.
func (s *state) idle() bool { return len(s.watched) == 0 && len(s.wanted) == 0 }

// present reports whether the user is on this node, or left just now.
func (s *state) present(user string) bool {
	if _, left := s.gone[user]; left {
		return true
	}
	return s.here(user)
}

// join notes that a user has got a socket.
func (s *state) join(user string) {
	if s.watched[user] != nil || !s.wanted[user].IsZero() {
		s.joined = append(s.joined, user) // bounded by the handshakes of a round
	}
}

// leave notes that a user's last socket is gone.
func (s *state) leave(user string, now time.Time) {
	if _, again := s.gone[user]; !again {
		if len(s.gone) >= maxGone {
			s.lost++
			s.part(user, now)
			return
		}
		s.queue = append(s.queue, offline{user, now.UnixMilli()})
	}
	s.gone[user] = now
}

// arrive takes in who has joined.
func (s *state) arrive() {
	for _, user := range s.joined {
		if !s.present(user) {
			continue
		}
		if w := s.watched[user]; w != nil && !w.here {
			w.here = true
			s.settle(w, time.Time{})
		}
		if !s.wanted[user].IsZero() && !s.said[user] {
			s.say(user)
		}
	}
	clear(s.joined)
	s.joined = s.joined[:0]
}

// depart takes in whose grace is over.
func (s *state) depart(now time.Time) {
	due := now.Add(-Grace).UnixMilli()
	n := 0
	for ; n < len(s.queue) && s.queue[n].At <= due; n++ {
		user := s.queue[n].User
		left := s.gone[user]
		if left.UnixMilli() > due { // was here again meanwhile
			s.queue = append(s.queue, offline{user, left.UnixMilli()})
			continue
		}
		delete(s.gone, user)
		if s.here(user) {
			continue
		}
		s.save(user, left)
		s.part(user, left)
	}
	s.queue = s.queue[n:]
	if len(s.queue) == 0 && len(s.gone) == 0 { // give a storm's memory back
		s.queue, s.gone = nil, map[string]time.Time{}
	}
}

// part takes a user for gone from this node.
func (s *state) part(user string, left time.Time) {
	if w := s.watched[user]; w != nil {
		w.here = false
		s.settle(w, left)
	}
	if s.said[user] {
		delete(s.said, user)
		s.off.add(offline{user, left.UnixMilli()})
	}
}

// save has a user saved as last connected at a time.
func (s *state) save(user string, at time.Time) {
	if len(s.saving) >= maxGone {
		s.lost++
		return
	}
	s.saving = append(s.saving, feedengine.LastSeen{User: user, At: at})
}

// takeSaving takes at most SaveMost users to be saved, each once.
func (s *state) takeSaving() []feedengine.LastSeen {
	n := min(SaveMost, len(s.saving))
	if n == 0 {
		return nil
	}
	at := make(map[string]int, n)
	batch := make([]feedengine.LastSeen, 0, n)
	for _, l := range s.saving[:n] {
		i, twice := at[l.User]
		if !twice {
			at[l.User] = len(batch)
			batch = append(batch, l)
		} else if l.At.After(batch[i].At) {
			batch[i].At = l.At
		}
	}
	if s.saving = s.saving[n:]; len(s.saving) == 0 {
		s.saving = nil
	}
	return batch
}

// round is what is done once per Every: it says what is to be shown, and what to be
// told to the others, nil for nothing.
func (s *state) round(now time.Time) (shown []Change, told []byte) {
	s.depart(now)
	s.arrive()
	watch := s.refresh(now)
	s.bury(now)
	s.sweepWanted(now)
	return s.show(), s.tell(watch, now)
}
