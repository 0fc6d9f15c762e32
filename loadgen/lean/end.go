package lean

import "errors"

// End is how a connection ended.
type End struct {
	Code   int    // of the server's close frame; 0: there was none, 1005: it named none
	Reason string // likewise
	Err    error  // what else went wrong; nil after a close handshake
}

// What may be in End.Err, beside a Violation, a *RefusedError and errors of the
// system (ECONNREFUSED, ECONNRESET …).
var (
	ErrTimeout = errors.New("lean: the handshake took too long")
	ErrClosing = errors.New("lean: the server did not end the connection after the close")
	ErrDropped = errors.New("lean: dropped")
	ErrGone    = errors.New("lean: the server ended the connection without a close frame")
)

// Errors of Send, Ping and Close.
var (
	ErrNotOpen = errors.New("lean: the connection is not open")
	ErrFull    = errors.New("lean: the server takes no more")
)
