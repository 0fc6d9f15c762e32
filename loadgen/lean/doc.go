// Package lean is the load generator's WebSocket clients: as many as the
// descriptors allow, each a small struct.
//
//	Pool.Dial ──▶ socket, bind, connect ──▶ loop's epoll
//	loop      ──▶ handshake ──▶ Handler.Opened
//	          ──▶ bytes ──▶ inbound (frames, fragments, control) ──▶ Handler.Text
//	          ──▶ the end ──▶ Handler.Closed
//	Conn.Send ──▶ mask ──▶ write(2), what the kernel does not take waits in Conn.out
//
// A few goroutines, the loops, read for all connections; a connection belongs to
// one loop for life, and all its callbacks come from there, one at a time. An
// idle connection has no goroutine, no timer and no buffer. Writing is done by
// whoever calls Send.
//
// It frames by itself both ways (RFC 6455) and is strict: whatever a server must
// not send ends the connection with a Violation. It knows nothing of feedgate but
// the name of the subprotocol; what the messages say is its caller's.
//
// It does not speak TLS, offers no extension, and needs Linux.
package lean
