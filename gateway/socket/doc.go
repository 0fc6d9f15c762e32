// Package socket holds a gateway's WebSockets at the floor: an idle one costs a
// few kilobytes and no goroutine, and what is pending for one leaves in one write.
//
//	peer ──bytes──▶ link ──receive──▶ inbound ──whole frames──▶ coder/websocket ──text──▶ Handler.Frame
//	peer ◀──write── link ◀──flush─── outbound ◀──Handler.Fill── session's own queue ◀─Wake─ anybody
//
// A link is how one connection waits. epoll (Linux, plain TCP) holds the bare
// descriptor: a few goroutines serve all of them, and none waits for any one
// peer. stream (TLS, other systems) is a net.Conn with a goroutine that reads
// and one that writes while there is something to write. All above the link is
// the same for both, and so are the tests.
//
// coder/websocket does the handshake, reads the frames, answers pings and makes
// the close frames. It never sees the connection: it reads whole frames that are
// already here from memory, and what it writes is kept until the flush that
// sends it between two frames of ours. So it never waits, and half a frame costs
// its bytes and a deadline, not a goroutine.
//
// Who owns what. A reading turn (one at a time per socket) owns Socket.in and
// calls Frame and Fault; a flush (one at a time) owns Socket.rest and calls
// Fill; the server's clock goroutine calls Timer. Each holds a reference while it
// works; whoever gives back the last one ends the descriptor and calls Closed.
//
// A front (Server.Front) takes plain upgrades before net/http does: they wait in the
// kernel, or in the epoll of the sockets, in its lobby, until their request is here,
// and are answered by the same handler and the same Accept. Fronts of several processes
// at one address may pass connections to one another then (Passing): a hatch takes in
// what other fronts send on their ways to it.
//
// What it leaves to the http.Server around it: all other requests, deadlines for
// handshakes that come in pieces (ReadHeaderTimeout), and TCP keep-alives, which heartbeats make needless
// (net.ListenConfig.KeepAlive below zero saves the kernel a timer per
// connection). The request's context ends with the handshake.
//
// It deliberately does not: queue messages (the session does, and is asked to
// Fill), check UTF-8 or know the protocol's messages, decide what is compressed
// (a shared body is compressed once for all, by its owner, with AppendDeflated),
// or send heartbeats.
package socket
