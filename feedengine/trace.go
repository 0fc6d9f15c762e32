package feedengine

import "slices"

// Trace is what a shard knows of the way of a post to one of its users.
type Trace struct {
	Resident bool     // there is a view
	Loading  bool     // which is being loaded
	Stream   StreamID // of the view
	Last     uint64   // number of the stream's newest event
	Applied  uint64   // seq up to which the post's log has been applied
	Follows  bool     // the view follows the post's author
	Since    ID       // posts by the author up to here are not addressed to the user; 0: all to come are
	N        uint64   // the post's number in the stream; 0: too old for the tail, withdrawn, or not addressed
	Unread   bool     // it counts, as one of the newest
	Mark     ID       // the user's read mark of the feed
	Counts   Counts
	Sessions []TraceSession
}

// TraceSession is one session of the user.
type TraceSession struct {
	Gateway    GatewayID
	Session    SessionID
	Background bool
}

// Trace tells what has become of a post of the author for a user. It changes
// nothing. author may be "" when it is not known.
func (e *Engine) Trace(user string, post ID, author string) Trace {
	var t Trace
	if s := post.Shard(); int(s) < len(e.heads) {
		t.Applied = e.heads[s].Seq
	}
	s, ok := e.users[user]
	if !ok {
		return t
	}
	v := e.at(s)
	t.Resident, t.Loading = true, v.phase == phaseLoading
	t.Stream, t.Last, t.Mark, t.Counts = v.stream, v.n, v.feed.mark, v.counts()
	if a, ok := e.authors.find(author); ok && slices.Contains(v.follows, a) {
		t.Follows, t.Since = true, e.young[edge{s, a}]
	}
	for i, ev := range v.tail {
		if ev.Kind == KindPost && ev.ID == post {
			t.N = v.n - uint64(len(v.tail)-i) + 1
		}
	}
	t.Unread = slices.ContainsFunc(v.feed.kept, func(u unread) bool { return u.id == post })
	for _, o := range v.sessions {
		t.Sessions = append(t.Sessions, TraceSession{o.gateway, o.id, o.background})
	}
	return t
}
