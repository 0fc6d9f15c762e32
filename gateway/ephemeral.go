package gateway

import "github.com/feedgate/feedgate/gateway/wire"

// Frames without a number: typing, presence. They tell of a moment, so who is
// behind, or does not look, is not told later.

// Ephemeral brings the frame to the user's sockets on this node that take it now,
// and returns how many did. It never waits. f must not be changed afterwards.
func (g *Gateway) Ephemeral(user string, f *wire.Frame) int {
	n := 0
	for _, s := range g.users.sessions(user) {
		if s.ephemeral(f) {
			n++
		}
	}
	return n
}

// ephemeral takes the frame if the app is looked at and nothing waits for it.
func (s *session) ephemeral(f *wire.Frame) bool {
	s.mu.Lock()
	took := s.state == live && !s.background && s.out.passing(f)
	s.mu.Unlock()
	if !took {
		s.g.metrics.dropEphemeral.Inc()
		return false
	}
	s.sock.Wake()
	return true
}
