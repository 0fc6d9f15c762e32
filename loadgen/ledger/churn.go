package ledger

// churn is a user's follows and unfollows in this run. There are as many entries as
// there were such requests.
type churn struct {
	authors []tie
	closed  []window
}

// tie is how a user stands to an author.
type tie struct {
	author uint32
	phase  phase
	since  int64 // the follow's id; posts above it are for the user. 0: since before the run
	asked  int64 // leaving: when, CLOCK_MONOTONIC in nanoseconds
}

// phase is how far a follow or an unfollow is.
type phase uint8

const (
	follows phase = iota // as in the graph, or the follow was confirmed
	leaving              // unfollow was sent
	absent               // unfollow was confirmed
	joining              // follow was sent
)

// window is a time in which an author was followed, and that is over.
type window struct {
	edge
	since int64
	asked int64 // when the unfollow was sent
	done  int64 // when it was confirmed
}

// late takes a post of somebody who is not followed any more. Answers and events are
// not in one order, so one that was due before the unfollow was confirmed may come
// after that; it belongs to what came before. One that was due later may not come.
func (c *churn) late(author uint32, id, due int64) Kind {
	for i := len(c.closed) - 1; i >= 0; i-- {
		w := &c.closed[i]
		if w.author != author {
			continue
		}
		if due > w.done || id <= w.last {
			break
		}
		w.count++
		w.last, w.stream = id, id
		return ""
	}
	return Unexpected
}

func (c *churn) tie(author uint32) *tie {
	if c == nil {
		return nil
	}
	for i := range c.authors {
		if c.authors[i].author == author {
			return &c.authors[i]
		}
	}
	return nil
}

func (c *churn) phase(author uint32) phase {
	if t := c.tie(author); t != nil {
		return t.phase
	}
	return follows
}

func (c *churn) since(author uint32) int64 {
	if t := c.tie(author); t != nil {
		return t.since
	}
	return 0
}

// Unfollowing: the request is about to be sent.
func (b *Book) Unfollowing(author uint32, now int64) {
	if b.churn == nil {
		b.churn = &churn{}
	}
	t := b.churn.tie(author)
	if t == nil {
		b.churn.authors = append(b.churn.authors, tie{author: author})
		t = b.churn.tie(author)
	}
	if t.phase == follows {
		t.phase, t.asked = leaving, now
	}
}

// Unfollowed: it was confirmed, now. From here on nothing of the author may come that
// was not under way.
func (b *Book) Unfollowed(author uint32, now int64) {
	t := b.churn.tie(author)
	if t == nil || t.phase != leaving {
		return
	}
	w := window{since: t.since, asked: t.asked, done: now, edge: edge{author: author}}
	if b.Knows(author) {
		w.edge = *b.find(author)
		b.forget(author)
	}
	b.churn.closed = append(b.churn.closed, w)
	t.phase = absent
}

// Following: the request is about to be sent, by who has unfollowed the author.
func (b *Book) Following(author uint32) {
	if t := b.churn.tie(author); t != nil && t.phase == absent {
		t.phase = joining
	}
}

// Followed: it was confirmed, and since is what the answer said.
func (b *Book) Followed(author uint32, since int64) {
	if t := b.churn.tie(author); t != nil && t.phase == joining {
		t.phase, t.since = follows, since
	}
}

// Absent is somebody whom the user has unfollowed, and has to follow again.
func (b *Book) Absent() (author uint32, ok bool) {
	if b.churn != nil {
		for _, t := range b.churn.authors {
			if t.phase == absent || t.phase == joining {
				return t.author, true
			}
		}
	}
	return 0, false
}

func (b *Book) forget(author uint32) {
	for i := range b.edges {
		if b.edges[i].author == author {
			b.edges = append(b.edges[:i], b.edges[i+1:]...)
			return
		}
	}
}
