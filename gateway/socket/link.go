package socket

import "errors"

// A link is one connection as its poller holds it.
type link interface {
	// start begins to serve the socket: from here on the link calls receive and
	// flush. first is what the peer sent ahead of the handshake's answer.
	start(first []byte)

	// wake has flush called soon. It never blocks. The socket calls it at most
	// once per flush.
	wake()

	// write is called by flush only. With errAgain the peer takes no more for
	// now: the link wakes the socket (Socket.writable) when it does.
	write(p []byte) (n int, err error)

	// kill is called once, from anywhere, when the socket is to go: the link
	// stops serving it and, not within the call, gives back the reference that
	// it held from the start.
	kill()

	// close ends the descriptor, with a reset unless the socket's end is clean.
	// Called once, when nobody holds a reference.
	close()
}

// errAgain: nothing more can be written without waiting.
var errAgain = errors.New("socket: write would block")
