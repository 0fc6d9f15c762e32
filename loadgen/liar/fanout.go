package liar

import (
	"maps"
	"slices"

	"github.com/feedgate/feedgate/gateway/wire"
)

// warm is how many events are delivered before a lie about one is told.
const warm = 100

// fanOut delivers a post to all who should have it. s.mu is held.
func (s *Server) fanOut(p *wire.Post) {
	warm := s.delivered > warm
	if warm && s.tell(NeverPublished) {
		return
	}
	if warm && s.tell(AlterID) {
		altered := *p
		altered.ID++
		s.lastID++
		p = &altered
	}
	author := s.user(p.Author)
	s.give(author, p)
	for _, fan := range slices.Sorted(maps.Keys(s.fans[p.Author])) {
		s.give(s.user(fan), p)
	}
	for _, u := range s.users {
		if u.ignored == p.Author {
			s.told = true
			s.give(u, p)
		}
	}
	if !warm || s.lie != Stray {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		u := s.users[name]
		if _, follows := u.follows[p.Author]; !follows && u != author && s.sockets(u) > 0 && s.tell(Stray) {
			s.give(u, p)
		}
	}
}

func (s *Server) sockets(u *user) (n int) {
	for c := range s.conns {
		if c.user == u {
			n++
		}
	}
	return n
}

// give delivers a post to one user.
func (s *Server) give(u *user, p *wire.Post) {
	s.delivered++
	u.posts = append(u.posts, p)
	u.v++
	// Lies are told to those who would notice: who is there, and is no author
	// looking at their own.
	if s.delivered <= warm || s.sockets(u) == 0 || p.Author == u.name {
		s.event(u, p)
		return
	}
	switch {
	case u.slow == p.Author:
		u.slow, s.told = "", true
		return
	case s.hold(u, p):
		return
	case s.tell(DropPost):
		return
	case s.tell(DropFrame):
		u.n++
		s.event(u, p)
		return
	case s.tell(DoublePost):
		s.event(u, p)
	case s.tell(DoubleFrame):
		s.event(u, p)
		s.push(u, s.frame(u, u.tail[len(u.tail)-1]))
		return
	case s.tell(AlterText):
		altered := *p
		altered.Text = p.Text[:len(p.Text)-1] + string(p.Text[len(p.Text)-1]^1)
		p = &altered
	case s.tell(CountPushed):
		u.off = 1
	case s.lie == ResetHides && len(u.posts) > 3 && s.tell(ResetHides):
		u.hidden = p.ID
		u.stream += "r"
		u.n, u.v = 0, 1
		u.tail = nil
		reset := wire.JSON.AppendFrame(nil, &wire.Frame{Kind: wire.ResetFrame, Counts: u.counts(), Reset: wire.Reset{Stream: u.stream, N: 0, Reason: "view_rebuilt"}})
		s.push(u, reset)
		return
	}
	s.event(u, p)
}

// event gives a post the next number and sends it.
func (s *Server) event(u *user, p *wire.Post) {
	u.n++
	u.tail = append(u.tail, frame{u.n, wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventPost, Post: p}), p})
	s.push(u, s.frame(u, u.tail[len(u.tail)-1]))
}

func (s *Server) frame(u *user, f frame) []byte {
	return append(wire.JSON.AppendHead(nil, f.n, u.counts(), true, len(f.body)), f.body...)
}

// hold keeps a post back to send it behind the next: a swap. It reports whether that
// has been done.
func (s *Server) hold(u *user, p *wire.Post) bool {
	switch {
	case s.lie == SwapPosts && s.victim == nil:
		s.victim, u.held = u, p
	case s.lie == SwapFrames && s.victim == nil:
		s.victim = u
		u.n++
		u.tail = append(u.tail, frame{u.n, wire.JSON.AppendBody(nil, &wire.Event{Type: wire.EventPost, Post: p}), p})
		u.late = s.frame(u, u.tail[len(u.tail)-1])
	case u.held != nil && u.held.Author == p.Author:
		s.told = true
		s.event(u, p)
		s.event(u, u.held)
		u.held = nil
	case u.late != nil:
		s.told = true
		s.event(u, p)
		s.push(u, u.late)
		u.late = nil
	default:
		return false
	}
	return true
}
