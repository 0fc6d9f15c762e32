package socket

import "time"

// Handler is what a socket calls. The gateway's session implements it.
// None of its methods may block; Frame may take as long as decoding takes.
type Handler interface {
	// Frame takes one whole inbound text message, at most Options.MaxFrame
	// bytes, UTF-8 not checked. p is valid only during the call. Calls come
	// one at a time and in order.
	Frame(p []byte)

	// Fill moves pending frames to b, oldest first, until b.Full() or nothing
	// is left. One call at a time, possibly beside Frame and Timer.
	Fill(b *Batch)

	// Timer is called once the moment given to SetTimer has come, up to about
	// 200 ms late. The timer is then spent.
	Timer(now time.Time)

	// Fault tells of the peer's violation. The socket closes with f.Code after
	// the call; what Fill gives then still goes before the close frame. No
	// Frame begins after it.
	Fault(f Fault)

	// Closed is the last call, exactly once per socket that Accept returned.
	Closed(why CloseReason)
}

// Fault is a violation by the peer.
type Fault struct {
	Code   int    // close code
	Reason string // for people, at most 123 bytes
}

// Close codes that the socket itself uses.
const (
	CodeGoingAway     = 1001
	CodeProtocol      = 1002 // the WebSocket protocol was violated
	CodeTooBig        = 1009 // a message above Options.MaxFrame
	CodeFrameTimeout  = 4201 // half a frame, and the rest did not come: worth coming back
	CodeProtocolError = 4508 // a binary message
)

// CloseReason says why a socket is gone, as it stands in the metric's label.
// Handlers may pass constants of their own to Abort.
type CloseReason string

const (
	ClosePeer         CloseReason = "peer"          // the peer sent a close frame
	CloseServer       CloseReason = "server"        // Close was called
	CloseFault        CloseReason = "fault"         // the peer violated the protocol, see Fault
	CloseGone         CloseReason = "gone"          // the connection ended or was reset without a close frame
	CloseWriteTimeout CloseReason = "write_timeout" // the peer took nothing for Options.WriteTimeout
	CloseTimeout      CloseReason = "close_timeout" // the peer did not take flush and close frame within Options.CloseTimeout
	CloseAborted      CloseReason = "aborted"       // Abort, by default
	CloseShutdown     CloseReason = "shutdown"      // the server's Shutdown ran out of time
)
