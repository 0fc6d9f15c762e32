package gateway

import (
	"cmp"
	"slices"
	"time"

	"github.com/feedgate/feedgate/feedengine"
)

// Trail is how far one of a user's sockets has come, for an operator who asks
// where an event stays.
type Trail struct {
	Session feedengine.SessionID `json:"session"`
	State   string               `json:"state"`
	Stream  string               `json:"stream"`
	Taken   uint64               `json:"taken"`            // n of the newest event in its outbox
	Sent    uint64               `json:"sent"`             // n of the last event given to the socket
	SentAt  time.Time            `json:"sent_at,omitzero"` // when that was, to the millisecond
	Acked   uint64               `json:"acked"`            // n that the client last said it has seen; 0: it has said none
	Heard   time.Time            `json:"heard"`            // when anything came from the client
}

// Trails tells of all sockets that the user has on this node, in order of session.
func (g *Gateway) Trails(user string) []Trail {
	trails := []Trail{}
	for _, s := range g.users.sessions(user) {
		heard := s.sock.Heard() // may end the socket: not under mu
		s.mu.Lock()
		t := Trail{
			Session: s.id, State: stateNames[s.state], Stream: s.stream.String(),
			Taken: s.out.last, Sent: s.sent, Acked: s.ack, Heard: heard,
		}
		if s.sentAt != 0 {
			t.SentAt = time.UnixMilli(s.sentAt).UTC()
		}
		s.mu.Unlock()
		trails = append(trails, t)
	}
	slices.SortFunc(trails, func(a, b Trail) int { return cmp.Compare(a.Session, b.Session) })
	return trails
}
