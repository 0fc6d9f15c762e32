package socket

import "net/http"

// Passing is between the fronts of several processes that share an address: the
// system gives a connection to any of them, and one of them serves it best. A front
// that has read an upgrade gives connection and request to that one's, which goes on
// as if it had accepted and read them itself.
//
//	front ──upgrade──▶ To ──▶ way ──descriptor and bytes──▶ hatch ──▶ another process's front
//
// A way is a connection to another front's hatch, a Unix socket that keeps messages
// apart (SOCK_SEQPACKET). Neither end waits for the other. Whatever goes wrong on a way
// (nobody there, its queue is full, or the other side has said that it is) has the
// upgrade served here. What was passed is never passed on.
//
// The handlers of all of them are taken to do the same. The hatches must be where
// only these processes can reach them: what comes through is not questioned.
type Passing struct {
	Here   string                  // path of this front's hatch; what is there already is removed
	Others []string                // paths of the others'; "" where there is none
	To     func(*http.Request) int // index in Others of who is to serve an upgrade, below 0: this front; it does not wait, and keeps nothing
	Full   func() bool             // no more are to be passed here; see Server.Tell. Optional
	Most   int                     // sockets that this process is to hold, with those on their way here; 0: no matter how many
}

// Tell has those who pass connections here know what Full says now. By itself that
// happens whenever something is heard of any connection. What they have passed by the
// time that they know still comes. Not for use by handlers.
func (s *Server) Tell() {
	if p, ok := s.poller.(fronter); ok {
		p.tell()
	}
}
