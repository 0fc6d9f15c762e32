package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// client is one device of a user. It keeps to the protocol's client rule and
// holds what it is sent against the protocol. All of it is guarded by world.mu.
type client struct {
	w    *world
	name string
	user string

	node       *node // where its socket is, nil: it has none
	session    feedengine.SessionID
	attached   bool
	background bool // as answered
	switching  bool // a state request is under way

	stream feedengine.StreamID
	n      uint64
	counts feedengine.Counts
	base   *feedengine.Page                      // the page it began with; later posts come as events
	got    []numbered                            // since base
	notes  map[feedengine.ID]*feedengine.Note    // as the pages said with base
	talks  map[feedengine.ID]*feedengine.Message // likewise
	since  string                                // when and how that was

	doubles uint64 // up to this number events may come twice
}

type numbered struct {
	n  uint64
	ev *feedengine.Event
}

func (c *client) String() string {
	at := "nowhere"
	if c.node != nil {
		at = c.node.name
	}
	return fmt.Sprintf("%s at %s, session %d, %s/%d", c.name, at, c.session, c.stream, c.n)
}

// cutOff: the socket is gone. Its last messages may not have arrived.
func (c *client) cutOff() {
	c.node, c.attached, c.background, c.switching = nil, false, false, false
	if l := newLot(c.w.seed, c.name, c.session, c.n); len(c.got) > 0 && l.intn(2) == 0 {
		c.rewind(c.n - uint64(l.intn(min(3, len(c.got)))))
	}
}

// rewind forgets what came after number n.
func (c *client) rewind(n uint64) {
	c.got = slices.DeleteFunc(c.got, func(g numbered) bool { return g.n > n })
	c.n = n
}

// begin: what the client shows is the page, and what comes from here on.
func (c *client) begin(how string, stream feedengine.StreamID, n uint64, page *feedengine.Page) {
	c.since = fmt.Sprintf("%s at %.4f with %d posts at n=%d", how, time.Since(c.w.began).Seconds(), len(page.Posts), n)
	c.stream, c.n, c.got, c.base, c.counts, c.doubles = stream, n, nil, page, feedengine.Counts{}, 0
	c.fetchSocial()
}

// connected takes the reply to an attach.
func (c *client) connected(resume *feedengine.Resume, r feedengine.Result) {
	c.w.count("attached")
	switch {
	case !r.Resumed:
		page := r.Page
		if page == nil { // it asks for the feed
			page = c.w.db.Facts(c.user).Page
		}
		c.begin("connected", r.Stream, r.N, page)
	case resume == nil || r.Stream != resume.Stream || r.N != resume.N+uint64(r.Replay):
		c.w.failf("%v: resumed %+v with %+v", c, resume, r)
	}
	if r.Resumed {
		c.w.count("resumed")
	}
	c.attached = true
	c.shown(r.Counts)
}

func (c *client) shown(counts feedengine.Counts) {
	switch {
	case counts.V < c.counts.V: // older: to be ignored
	case counts.V == c.counts.V && counts != c.counts:
		c.w.failf("%v: counters of v=%d differ: %d and %d", c, counts.V, c.counts.Feed, counts.Feed)
	default:
		c.counts = counts
	}
}

func (c *client) delivered(ev *feedengine.Event, r feedengine.Recipient) {
	switch {
	case !c.attached:
		c.w.failf("%v: a delivery before the reply to attach", c)
	case ev == nil && r.N != 0:
		c.w.failf("%v: counters with a number", c)
	case ev != nil && c.background && !c.switching:
		c.w.failf("%v: event %d in the background", c, r.N)
	case ev != nil && r.N <= c.n && r.N <= c.doubles:
		return
	case ev != nil && r.N != c.n+1:
		c.w.failf("%v: event %d", c, r.N)
	}
	if ev != nil {
		c.w.count("deliveries")
		c.n = r.N
		c.got = append(c.got, numbered{r.N, ev})
		if ev.Kind == feedengine.KindHidden || ev.Kind == feedengine.KindShown {
			c.w.count("hidden or shown again")
			c.refetch()
		}
	}
	c.shown(r.Counts)
}

func (c *client) reset(r feedengine.Reset) {
	if !c.attached {
		c.w.failf("%v: a reset before the reply to attach", c)
	}
	c.w.note("%v: reset to %s/%d, %s", c, r.Stream, r.N, r.Reason)
	c.w.count("resets: " + string(r.Reason))
	if r.Reason == "" {
		c.w.failf("%v: a reset without a reason", c)
	}
	page := c.w.db.Facts(c.user).Page
	counts := c.counts
	same := r.Stream == c.stream
	c.begin("reset", r.Stream, r.N, page)
	if same {
		c.counts = counts
	}
	c.shown(r.Counts)
}

// check holds what the client shows against the facts. It is to be attached and
// everything at rest.
func (c *client) check() error {
	f := c.w.db.Facts(c.user)
	// A mark stands in no log: that the store forgot one, its view does not find out
	// before it is loaded anew.
	forgotMark := c.w.ledger.forgot && c.w.ledger.marks[c.user] > f.Feed.Mark
	if int(c.counts.Feed) != f.Feed.Total && !forgotMark {
		return fmt.Errorf("%v: shows %d unread (v=%d), the facts say %d above %d: %v; %s", c, c.counts.Feed, c.counts.V, f.Feed.Total, f.Feed.Mark, f.Feed.Unread, c.since)
	}
	since := map[string]feedengine.ID{c.user: 0}
	for _, e := range f.Follows {
		if e.Author != c.user {
			since[e.Author] = e.Since
		}
	}
	shown, texts := map[feedengine.ID]string{}, map[feedengine.ID]string{}
	oldest := feedengine.ID(0) // what the page is known to reach back to
	if c.base.Next != 0 {
		oldest = c.base.Next
	}
	for _, p := range c.base.Posts {
		shown[p.ID], texts[p.ID] = p.Author, p.Text
	}
	came, last := map[feedengine.ID]uint64{}, map[string]feedengine.ID{}
	for _, g := range c.got {
		switch g.ev.Kind {
		case feedengine.KindPost:
			if n, again := came[g.ev.ID]; again {
				return fmt.Errorf("%v: post %d came as %d and as %d", c, g.ev.ID, n, g.n)
			}
			came[g.ev.ID] = g.n
			shown[g.ev.ID] = g.ev.Actor
			if _, edited := texts[g.ev.ID]; !edited { // the page is newer than the stream
				texts[g.ev.ID] = g.ev.Post.Text
			}
		case feedengine.KindPostEdited:
			texts[g.ev.Post.ID] = g.ev.Post.Text
		case feedengine.KindPostDeleted:
			delete(shown, g.ev.Target)
		default:
			continue
		}
		if g.ev.ID <= last[g.ev.Actor] {
			return fmt.Errorf("%v: event %d, %d of %s, came after %d", c, g.n, g.ev.ID, g.ev.Actor, last[g.ev.Actor])
		}
		last[g.ev.Actor] = g.ev.ID
	}
	counts := func(id feedengine.ID, author string) bool {
		s, ok := since[author]
		return ok && id > s && id > oldest
	}
	for _, p := range f.Page.Posts {
		if _, ok := shown[p.ID]; counts(p.ID, p.Author) && !ok {
			return fmt.Errorf("%v: does not show post %d of %s: %q %v; %s", c, p.ID, p.Author, p.Text, c.w.fateOf(p.ID), c.since)
		}
		if text := texts[p.ID]; counts(p.ID, p.Author) && text != p.Text && !c.w.ledger.forgot {
			return fmt.Errorf("%v: shows %q as post %d, which is %q; %s", c, text, p.ID, p.Text, c.since)
		}
		delete(shown, p.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(shown)) {
		if came[id] == 0 && c.w.ledger.lost[id] {
			// It stood on the page, which is newer than the stream. When its shard has
			// not come to a post before the store forgets it, nobody can tell of that.
			continue
		}
		if counts(id, shown[id]) {
			return fmt.Errorf("%v: shows post %d of %s, which there is not: %v; came as %d, %s", c, id, shown[id], c.w.fateOf(id), came[id], c.since)
		}
	}
	return c.checkSocial(f)
}
